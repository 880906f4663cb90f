"""The command line: the same functions as the window, with a progress bar.

Exit codes: 0 done, 2 wrong usage or input, 1 a bug, 130 cancelled. Every family of commands has its
module, which imports what it computes with only when it runs, so that help and mistakes take no
time.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from core import __version__
from core.cli import gmae
from core.cli.compression import compress
from core.cli.evaluation import evaluate, lpips_weights
from core.cli.gmae import layers
from core.cli.scenes import convert, info, render
from core.cli.scores import prune, score
from core.cli.training import refine, rounds, train
from core.errors import UserError
from core.terminal import fail

CANCELLED = 130
"""What Typer makes of Ctrl+C, too."""
COMMANDS = (
    info,
    render,
    score,
    prune,
    train,
    refine,
    rounds,
    compress,
    evaluate,
    convert,
    layers,
    lpips_weights,
)

app = typer.Typer(
    name="splatscope",
    epilog="splatscope [SCENE] [--data DIR] opens the window.",
    help="See what every Gaussian of a splat scene is worth, and keep only those that matter.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def program(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """See what every Gaussian of a splat scene is worth, and keep only those that matter."""
    if version:
        typer.echo(f"splatscope {__version__}")
        raise typer.Exit


for command in COMMANDS:
    app.command()(command)
app.add_typer(gmae.app, name="gmae")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        given = None if arguments is None else list(arguments)
        if app(args=given, standalone_mode=False) == CANCELLED:
            raise KeyboardInterrupt
    except UserError as error:
        return fail(str(error))
    except typer.TyperException as error:
        return fail(" ".join(error.format_message().split()) + " See --help.")
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        fail("Cancelled.")
        return CANCELLED
    return 0
