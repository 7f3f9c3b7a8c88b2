"""`her reward principles`: look at a pack of principles, check it, compare two, induce one."""

from pathlib import Path
from typing import Annotated

import typer

from her.cli.induce import induce

app = typer.Typer(no_args_is_help=True, help="Principle packs: the rules by which replies are compared.")

PackFile = Annotated[Path | None, typer.Argument(help="A pack in TOML; without one, the shipped pack.")]


@app.command("show")
def show(
    pack: PackFile = None,
    examples: Annotated[bool, typer.Option("--examples", help="With a good and a bad reply for each.")] = False,
) -> None:
    """Print a pack, by dimension."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from her.reward.pack import load_pack
    from her.schema import DIMENSIONS

    loaded = load_pack(pack)
    table = Table(title=escape(f"{loaded.name} {loaded.version} ({loaded.hash[:12]})"), show_lines=False)
    for column in ("dimension", "principle", "kind", "level", "definition", "author"):
        table.add_column(column, overflow="fold")
    for dimension in DIMENSIONS:
        for p in (p for p in loaded.principles if p.dimension == dimension):
            kind = "veto" if p.polarity == "negative" else "weighed"
            text = f"{p.definition}\n+ {p.good}\n- {p.bad}" if examples else p.definition
            table.add_row(*(escape(cell) for cell in (p.dimension, p.name, kind, p.level, text, p.author)))
    Console().print(table)


@app.command("check")
def check(pack: PackFile = None) -> None:
    """Read a pack and say what is in it; a broken one is refused with file, entry and reason.

    Warnings are printed and refuse nothing.
    """
    from her.reward.pack import load_pack
    from her.reward.pack_text import warnings
    from her.schema import DIMENSIONS

    loaded = load_pack(pack)
    found = loaded.principles
    dimensions = {p.dimension for p in found}
    typer.echo(
        f"{loaded.name} {loaded.version}: {len(found)} principles, "
        f"{sum(p.polarity == 'negative' for p in found)} vetoes, "
        f"{sum(p.level == 'session' for p in found)} need the history, "
        f"{len(dimensions)} of {len(DIMENSIONS)} dimensions, hash {loaded.hash[:12]}"
    )
    for dimension in DIMENSIONS:
        here = [p for p in found if p.dimension == dimension]
        typer.echo(f"  {len(here):3}  {dimension} ({sum(p.polarity == 'negative' for p in here)} vetoes)")
    authors = sorted({p.author for p in found})
    typer.echo("written by: " + ", ".join(f"{a} ({sum(p.author == a for p in found)})" for a in authors))
    words = sum(len(f"{p.name} {p.definition}".split()) for p in found)
    typer.echo(f"all of it in a judge's prompt: {words} words")
    for warning in warnings(loaded):
        typer.echo(f"warning: {warning}")


@app.command("diff")
def diff(
    a: Annotated[Path, typer.Argument(help="A pack in TOML, or `shipped`.")],
    b: Annotated[Path, typer.Argument(help="The pack it is compared with, or `shipped`.")],
) -> None:
    """Say what the second pack has otherwise: entries added, removed and changed, field by field."""
    from her.reward.pack import load_pack
    from her.reward.pack_text import difference

    old, new = (load_pack(None if str(path) == "shipped" else path) for path in (a, b))
    found = difference(old, new)
    typer.echo(f"{old.name} {old.version} ({old.hash[:12]}) -> {new.name} {new.version} ({new.hash[:12]})")
    for name in found.removed:
        typer.echo(f"- {name}")
    for name in found.added:
        typer.echo(f"+ {name}: {new.get(name).definition}")
    for name, fields in found.changed:
        typer.echo(f"~ {name}")
        for field in fields:
            typer.echo(f"    {field}: {getattr(old.get(name), field)} -> {getattr(new.get(name), field)}")
    if found.same:
        typer.echo("the same principles")


app.command("induce")(induce)
