"""The program: the command line of core, and the window."""

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import cli
from core.cli.options import DataDir
from core.errors import UserError
from core.formats import find_scene
from core.images import is_image
from core.threads import go_first, step_back

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

log = logging.getLogger(__name__)


def create_application(arguments: list[str] | None = None) -> "QApplication":
    """The Qt application with an OpenGL 3.3 core format and shared contexts; made once."""
    from PySide6.QtCore import QCoreApplication, Qt
    from PySide6.QtGui import QSurfaceFormat
    from PySide6.QtWidgets import QApplication

    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    surface = QSurfaceFormat()
    surface.setVersion(3, 3)
    surface.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    surface.setDepthBufferSize(24)
    surface.setAlphaBufferSize(0)
    surface.setSwapInterval(1)
    QSurfaceFormat.setDefaultFormat(surface)
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    QCoreApplication.setApplicationName("Splatscope")
    QCoreApplication.setOrganizationName("Splatscope")
    return QApplication(arguments if arguments is not None else sys.argv[:1])


def open_window(scene: Path | None, data: Path | None, tour: Path | None = None) -> int:
    """Show the window until it is closed; with ``tour``, drive it and leave pictures there."""
    from viewer.garbage import GarbageCollector
    from viewer.main_window import MainWindow
    from viewer.preferences import load
    from viewer.session import Session
    from viewer.theme import apply_theme

    _require_display()
    go_first()
    application = create_application()
    apply_theme(application, load().theme)
    session = Session()
    window = MainWindow(session)
    collector = GarbageCollector()
    window.show()
    warming = threading.Thread(target=warm_up, name="warm-up")
    warming.start()
    if scene is not None:
        if is_image(scene):
            session.imaging.open(scene)
        else:
            session.open(scene, data)
    if tour is not None:
        from viewer.tour import Tour

        code = Tour(window, tour).run(application)
    else:
        code = application.exec()
    warming.join()
    collector.stop()
    return code


@cli.app.command("open", hidden=True)
def open_command(
    scene: Annotated[
        Path | None,
        typer.Argument(help="A scene or an image, or a folder of a scene with its photos."),
    ] = None,
    data: DataDir = None,
) -> None:
    """Open the window; also what happens when no command is named."""
    if scene is not None and not scene.exists():
        raise UserError(f"{scene} does not exist.", "Check the name, or see --help for commands.")
    if scene is not None and scene.is_dir():
        scene, data = find_scene(scene), data or scene
    raise typer.Exit(open_window(scene, data))


@cli.app.command()
def demo(
    tour: Annotated[
        Path | None,
        typer.Option(
            "--tour", help="Drive the window through a tour and leave pictures in this folder."
        ),
    ] = None,
) -> None:
    """Open the window on the demo scene."""
    from importlib.resources import as_file, files

    with as_file(files("resources") / "demo") as folder:
        raise typer.Exit(open_window(folder / "demo.ply", folder, tour))


def main() -> int:
    """Entry point of ``splatscope``."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return cli.main(with_default_command(sys.argv[1:]))


def with_default_command(arguments: list[str]) -> list[str]:
    """Put ``open`` in front where no command is named: ``splatscope SCENE`` opens the window."""
    registered = cli.app.registered_commands
    commands = {entry.name or getattr(entry.callback, "__name__", "") for entry in registered}
    commands |= {entry.name for entry in cli.app.registered_groups}
    if arguments and (arguments[0] in commands or arguments[0] in {"--help", "--version"}):
        return arguments
    return ["open", *arguments]


def _require_display() -> None:
    if sys.platform == "linux" and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        raise UserError(
            "There is no display to open a window on.",
            "Run it under a virtual one: xvfb-run -a splatscope ..., or use a command (--help).",
        )


def warm_up() -> None:
    """Load the kernels that pictures and their comparison need; for a thread of its own."""
    from core import metrics, rendering

    step_back()
    rendering.warm_up()
    metrics.warm_up()
