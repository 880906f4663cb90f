"""The Metrics dock: measuring the open scene, reading the table, going to its views."""

import csv
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.cameras import Split, View
from core.editing import Document
from core.metrics import Evaluation, ViewQuality, lpips_weights
from core.metrics.lpips import ALEX
from core.metrics.references import draw
from tests.viewer.panel_stage import LEFT, choose, session, shown, views
from viewer import theme
from viewer.measuring import Measured, Plan
from viewer.panels.metrics import MetricsPanel
from viewer.panels.metrics_table import COLUMNS, MetricsModel, change_color, change_text
from viewer.session import Session

__all__ = ["session"]

Role = Qt.ItemDataRole
NOW, BEFORE, CHANGE = 1, 2, 3
"""Columns of PSNR."""


@pytest.fixture(autouse=True)
def _no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips_weights, "weights_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("SPLATSCOPE_LPIPS", raising=False)


@pytest.fixture
def document(session: Session) -> Document:
    assert session.document is not None
    return session.document


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[MetricsPanel]:
    panel = MetricsPanel(session)
    shown(qtbot, panel, 1000, 260)
    yield panel
    session.runner.cancel()


def attach_photos(document: Document, folder: Path) -> tuple[View, ...]:
    """Photos of the scene from six cameras; the fourth and the first are held out."""
    made = []
    for number, view in enumerate(views(6)):
        path = folder / f"{view.name}.png"
        Image.fromarray(draw(document.scene, view.camera, (0, 0, 0)).numpy()).save(path)
        split = Split.TEST if number in (0, 3) else Split.TRAIN
        made.append(replace(view, photo=path, split=split))
    document.views = made
    return tuple(made)


def measure(qtbot: QtBot, panel: MetricsPanel) -> None:
    QTest.mouseClick(panel.run_button, LEFT)
    job = panel.session.runner.job
    assert panel.measuring.running
    qtbot.waitUntil(lambda: job.wait(0), timeout=30_000)
    QApplication.processEvents()
    panel.refresh()


def cells(panel: MetricsPanel, column: int) -> list[str]:
    return [panel.sorted.index(row, column).data() for row in range(panel.sorted.rowCount())]


def click(panel: MetricsPanel, row: int) -> None:
    place: QPoint = panel.table.visualRect(panel.sorted.index(row, NOW)).center()
    QTest.mouseClick(panel.table.viewport(), LEFT, pos=place)


def test_without_a_scene_there_is_nothing_to_do(qtbot: QtBot) -> None:
    session = Session()
    panel = MetricsPanel(session)
    shown(qtbot, panel, 700, 260)
    assert panel.empty_text.text() == "Open a scene first."
    assert not panel.run_button.isEnabled()
    assert not panel.csv_button.isEnabled()
    assert not panel.attach_button.isVisible()
    assert session.shut_down()


def test_without_photos_only_a_changed_scene_can_be_measured(
    qtbot: QtBot, panel: MetricsPanel, document: Document
) -> None:
    assert not panel.run_button.isEnabled()
    assert "nothing to compare" in panel.empty_text.text()
    with qtbot.waitSignal(panel.attach_asked):
        QTest.mouseClick(panel.attach_button, LEFT)
    document.delete(torch.arange(1500) >= 1000)
    qtbot.waitUntil(panel.run_button.isEnabled)
    assert "48 generated views" in panel.empty_text.text()
    document.undo()
    qtbot.waitUntil(lambda: not panel.run_button.isEnabled())
    panel.run()
    assert not panel.session.runner.busy
    assert panel.session.messages[-1] == ("warning", panel.empty_text.text())  # type: ignore[attr-defined]


def test_against_the_scene_as_opened(
    qtbot: QtBot, panel: MetricsPanel, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.metrics.references.DEFAULT_RIG_COUNT", 5)
    document.delete(torch.arange(1500) >= 1000)
    qtbot.waitUntil(panel.run_button.isEnabled)
    measure(qtbot, panel)
    assert cells(panel, 0) == [f"view_{number:03d}" for number in range(5)]
    assert all(10 < float(text) < 80 for text in cells(panel, NOW))
    assert panel.table.isColumnHidden(BEFORE)
    assert panel.table.isColumnHidden(CHANGE)
    assert panel.note.full_text.startswith("Against the scene as opened")
    assert panel.figures["count"].value.text() == "1,000"
    assert panel.figures["count"].change.text() == "−33 %"
    assert panel.figures["frame"].change.text().startswith("×")
    with qtbot.waitSignal(panel.camera_chosen) as chosen:
        click(panel, 2)
    measured = panel.measuring.measured
    assert measured is not None
    assert chosen.args == [measured.plan.cameras[2]]


def test_against_the_held_out_photos_before_and_now(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    made = attach_photos(document, tmp_path)
    qtbot.waitUntil(panel.run_button.isEnabled)
    assert "2 held-out photos" in panel.empty_text.text()
    measure(qtbot, panel)
    assert cells(panel, 0) == ["view_0", "view_3"]
    assert cells(panel, NOW) == ["∞", "∞"], "the photos are the scene's own pictures"
    assert panel.table.isColumnHidden(BEFORE), "nothing has changed"
    assert not panel.mark.isVisible()
    document.delete(torch.arange(1500) >= 1200)
    qtbot.waitUntil(panel.mark.isVisible)
    assert panel.note.full_text.startswith("Measured before the last change")
    document.undo()
    qtbot.waitUntil(lambda: not panel.mark.isVisible())
    document.redo()
    measure(qtbot, panel)
    assert not panel.table.isColumnHidden(BEFORE)
    assert cells(panel, BEFORE) == ["∞", "∞"]
    assert all(text.startswith("−") for text in cells(panel, CHANGE))
    assert panel.figures["psnr"].change.text() == ""
    assert panel.figures["ssim"].change.text().startswith("−")
    assert panel.figures["ssim"].change.property("role") == "error"
    tint = panel.sorted.index(0, CHANGE + 3).data(Role.ForegroundRole)
    assert tint == QColor(theme.color("error"))
    with qtbot.waitSignal(panel.view_chosen) as chosen:
        click(panel, 1)
    assert chosen.args == [3]
    panel.mark_view(0)
    assert panel.table.currentIndex().row() == 0
    panel.mark_view(1)
    assert not panel.table.selectionModel().hasSelection(), "that view was not measured"
    document.views = made[:1]
    qtbot.waitUntil(lambda: panel.model.rowCount() == 0)


def test_the_background_is_that_of_the_box(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    attach_photos(document, tmp_path)
    qtbot.waitUntil(panel.run_button.isEnabled)
    choose(panel.background_box, "On white")
    measure(qtbot, panel)
    assert all(float(text) < 20 for text in cells(panel, NOW))


def test_keys_sort_and_choose(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    attach_photos(document, tmp_path)
    document.views = [replace(view, split=Split.TRAIN) for view in document.views]
    document.delete(torch.arange(1500) >= 900)
    qtbot.waitUntil(lambda: "none of them held out" in panel.empty_text.text())
    measure(qtbot, panel)
    header = panel.table.header()
    place = QPoint(header.sectionViewportPosition(NOW) + 20, header.height() // 2)
    QTest.mouseClick(header.viewport(), LEFT, pos=place)
    rising = [float(text) for text in cells(panel, NOW)]
    assert rising == sorted(rising)
    QTest.mouseClick(header.viewport(), LEFT, pos=place)
    assert [float(text) for text in cells(panel, NOW)] == rising[::-1]
    panel.table.setFocus()
    panel.table.setCurrentIndex(panel.sorted.index(0, 0))
    QTest.keyClick(panel.table, Qt.Key.Key_Down)
    with qtbot.waitSignal(panel.view_chosen) as chosen:
        QTest.keyClick(panel.table, Qt.Key.Key_Return)
    assert document.views[chosen.args[0]].name == cells(panel, 0)[1]


def test_lpips_is_a_dash_that_says_how_to_get_it(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    attach_photos(document, tmp_path)
    qtbot.waitUntil(panel.run_button.isEnabled)
    measure(qtbot, panel)
    assert panel.figures["lpips"].value.text() == "–"
    assert "lpips-weights" in panel.figures["lpips"].toolTip()
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "alex.npz").write_bytes(b"damaged")
    measure(qtbot, panel)
    assert panel.figures["psnr"].value.text() == "∞ dB"
    assert "cannot be read" in panel.figures["lpips"].toolTip()
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.rand(s, generator=generator) / 50 for name, s in ALEX.shapes.items()}
    np.savez(folder / "alex.npz", **{name: w.numpy() for name, w in weights.items()})
    measure(qtbot, panel)
    assert panel.figures["lpips"].value.text() == "0.0000"
    assert panel.figures["lpips"].toolTip() == "AlexNet, colours from -1 to 1"


def test_rows_come_as_they_are_measured_and_cancel_takes_them_back(
    qtbot: QtBot,
    panel: MetricsPanel,
    document: Document,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attach_photos(document, tmp_path)
    qtbot.waitUntil(panel.run_button.isEnabled)
    go = threading.Event()

    def held_up(scene: object, camera: object, background: object) -> torch.Tensor:
        if getattr(camera, "name", "") == "view_3":
            assert go.wait(20)
        return draw(scene, camera, background)  # type: ignore[arg-type]

    monkeypatch.setattr("core.metrics.evaluation.draw", held_up)
    QTest.mouseClick(panel.run_button, LEFT)
    qtbot.waitUntil(lambda: cells(panel, 0) == ["view_0"])
    assert not panel.run_button.isVisible()
    assert not panel.csv_button.isEnabled()
    assert "view 2 of 2" in panel.note.full_text
    QTest.mouseClick(panel.cancel_button, LEFT)
    go.set()
    qtbot.waitUntil(lambda: not panel.session.runner.busy)
    qtbot.waitUntil(lambda: panel.model.rowCount() == 0)
    assert panel.run_button.isVisible()


def test_a_missing_photo_is_told(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    made = attach_photos(document, tmp_path)
    assert made[3].photo is not None
    made[3].photo.unlink()
    qtbot.waitUntil(panel.run_button.isEnabled)
    measure(qtbot, panel)
    level, text = panel.session.messages[-1]  # type: ignore[attr-defined]
    assert level == "error"
    assert "view_3.png" in text
    assert panel.model.rowCount() == 0


def test_the_table_is_saved(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    attach_photos(document, tmp_path)
    document.delete(torch.arange(1500) >= 1200)
    qtbot.waitUntil(panel.run_button.isEnabled)
    measure(qtbot, panel)
    with qtbot.waitSignal(panel.csv_asked):
        QTest.mouseClick(panel.csv_button, LEFT)
    path = tmp_path / "table.csv"
    panel.measuring.save(path)
    qtbot.waitUntil(path.is_file)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert [row[0] for row in rows] == ["view", "view_0", "view_3"]
    assert f"{float(rows[1][4]):.2f}" == cells(panel, NOW)[0]
    panel.measuring.save(tmp_path / "nowhere" / "table.csv")
    messages = panel.session.messages  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: any(level == "error" for level, _ in messages))


def test_another_scene_forgets_the_figures(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    attach_photos(document, tmp_path)
    qtbot.waitUntil(panel.run_button.isEnabled)
    measure(qtbot, panel)
    assert panel.model.rowCount() == 2
    panel.session.open(tmp_path / "ball.ply")
    qtbot.waitUntil(lambda: panel.session.document is not document)
    qtbot.waitUntil(lambda: panel.model.rowCount() == 0)
    assert panel.figures["psnr"].value.text() == "–"


def test_a_narrow_panel_leaves_columns_out(
    qtbot: QtBot, panel: MetricsPanel, document: Document, tmp_path: Path
) -> None:
    attach_photos(document, tmp_path)
    document.delete(torch.arange(1500) >= 1200)
    qtbot.waitUntil(panel.run_button.isEnabled)
    measure(qtbot, panel)

    def kinds() -> set[str]:
        return {
            column.kind
            for number, column in enumerate(COLUMNS)
            if not panel.table.isColumnHidden(number)
        }

    def lines() -> int:
        grid = panel.figure_grid
        return len({grid.getItemPosition(n)[0] for n in range(grid.count())})

    assert kinds() == {"now", "before", "change"}
    assert lines() == 1
    panel.resize(600, 260)
    assert kinds() == {"now", "change"}
    assert lines() == 2
    panel.resize(440, 260)
    assert kinds() == {"now"}
    assert lines() == 3
    QApplication.processEvents()
    for figure in panel.figures.values():
        assert figure.width() >= figure.sizeHint().width(), "nothing is cut off"
    assert panel.width() == 440, "the figures do not widen the dock"


def test_changes_have_a_sign_and_a_colour_where_they_can_be_seen(document: Document) -> None:
    assert [change_text(value, 2) for value in (1.5, -0.25, 0.001, -0.001, None)] == [
        "+1.50",
        "−0.25",
        "0.00",
        "0.00",
        "–",
    ]
    assert change_color(1.5, "psnr") == change_color(-0.1, "lpips") == "success"
    assert change_color(-1.5, "psnr") == change_color(0.1, "lpips") == "error"
    assert change_color(0.001, "psnr") is None
    plan = Plan(document.scene, document.alive, tuple(v.camera for v in views(2)), "photos", "")
    before = Evaluation(
        (ViewQuality("a", 20.0, 0.5, 0.2), ViewQuality("b", 21, 0.5, 0.2)), 9, 1.0, 1.0, "vgg"
    )
    after = replace(
        before, views=(ViewQuality("a", 22.5, 0.4, 0.1), ViewQuality("b", 21, 0.5, 0.2))
    )
    model = MetricsModel()
    model.show(Measured(plan, before, after))
    assert [model.index(0, column).data() for column in range(10)] == [
        "a",
        *("22.50", "20.00", "+2.50"),
        *("0.4000", "0.5000", "−0.1000"),
        *("0.1000", "0.2000", "−0.1000"),
    ]
    tints = [model.index(row, c).data(Role.ForegroundRole) for row in (0, 1) for c in (3, 6, 9)]
    good, bad = QColor(theme.color("success")), QColor(theme.color("error"))
    assert tints == [good, bad, good, None, None, None]
