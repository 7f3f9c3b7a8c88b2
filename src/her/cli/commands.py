"""Every command of `her`, put together. Each file of this folder is one command; it loads its rooms when called."""

from typing import Annotated

import typer

from her import __version__
from her.cli import data, export, models, reward, synth
from her.cli import eval as exams
from her.cli.chat import chat
from her.cli.export_model import model as export_model
from her.cli.parse import parse
from her.cli.run import run
from her.cli.serve import serve

app = typer.Typer(
    name="her",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Make, judge and talk to characters that think.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"her {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Make, judge and talk to characters that think."""


app.command()(run)
app.command()(parse)
app.command()(chat)
app.command()(serve)
app.add_typer(synth.app, name="synth")
app.add_typer(data.app, name="data")
export.app.command("model")(export_model)
app.add_typer(export.app, name="export")
app.add_typer(models.app, name="models")
app.add_typer(reward.app, name="reward")
app.add_typer(exams.app, name="eval")
