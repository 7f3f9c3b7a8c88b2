"""`her synth merge`: the shards of a shelf become one run."""

from pathlib import Path
from typing import Annotated

import typer


def merge(
    shards: Annotated[list[Path], typer.Argument(help="The folders of all shards, in any order.")],
    out: Annotated[Path, typer.Option(help="The folder of the whole run.")],
) -> None:
    """Join the shards of a shelf into the run that one process would have made, with all their ledgers in one."""
    from her.cli.loop.shards import merge as merge_shards

    made = merge_shards(shards, out)
    found = made.ledger
    typer.echo(f"{len(shards)} shards, {made.books} books, {made.volume.manifest.kept} turns -> {out / 'synth'}")
    typer.echo(
        f"ledger: {found.answers} replies added, {found.same} held already, {found.conflicts} held with another reply, "
        f"{found.dead} dead letters"
    )
    typer.echo(f"the command of the shards, without --shard and with --out {out}, goes on: gains and the report")
