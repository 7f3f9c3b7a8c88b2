"""`her eval rate`: people rate a run's dialogues, blind, on one page; their ratings come back as agreement."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from her.evals.benchmarks.rating.packet import Key

app = typer.Typer(no_args_is_help=True, help="Let people rate dialogues, blind; say how far they and the judge agree.")

PAGE = "rate.html"


@app.command()
def export(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of one benchmark; several are mixed, unnamed.")],
    out: Annotated[Path, typer.Option(help="The folder for raters: it holds one page and nothing that tells.")],
    seed: Annotated[int, typer.Option(help="Seed of the order, and of the choice under --limit.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many items, the same of every run.")] = None,
) -> None:
    """Write the rating page. The key, which names models, stays in the runs."""
    from her.evals.benchmarks.rating.packet import KEYS, make_packet
    from her.evals.benchmarks.rating.page import write_rating_page
    from her.store import write_json

    packet, key = make_packet(runs, seed=seed, limit=limit)
    for root in runs:
        write_json(root / KEYS / f"{key.packet}.json", key.model_dump(mode="json"))
    write_rating_page(packet, out / PAGE)
    typer.echo(f"{len(packet.sheets)} dialogues, {len(packet.qualities)} qualities each: {out / PAGE}")
    if key.skipped:
        typer.echo(f"{key.skipped} left out: the examined model says nothing in them that can be read")
    typer.echo(f"key, not for raters: {', '.join(str(r / KEYS / f'{key.packet}.json') for r in runs)}")


@app.command("import")
def import_(
    run: Annotated[Path, typer.Argument(help="A run that the page was made from.")],
    ratings: Annotated[list[Path], typer.Argument(help="The files that raters downloaded.")],
    also: Annotated[list[Path] | None, typer.Option("--with", help="The page's other runs; repeat it.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Take unfinished ratings too.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Do raters agree with each other, and with the judge? Alpha, correlation and means, quality by quality."""
    from rich.console import Console

    from her.cli.exams.agreed import show_agreed
    from her.evals.benchmarks import benchmark
    from her.evals.benchmarks.rating.agreed import agree
    from her.evals.benchmarks.rating.ballot import packet_of, read_ballots
    from her.evals.benchmarks.rating.packet import scores_of
    from her.evals.benchmarks.run import PLAYS
    from her.store import sha256_file

    key = _key(run, packet_of(ratings[0]))
    ballots = read_ballots(ratings, key, partial=partial)
    scores = {sha256_file(root / "play" / PLAYS): scores_of(root) for root in (run, *(also or ()))}
    _all_there(key, list(scores))
    card = benchmark(key.benchmark).card
    found = agree(key, ballots, scores, scale=card.scale, headline=card.headline, seed=seed)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        show_agreed(found, Console())


def _key(run: Path, packet: str) -> "Key":
    from pydantic import ValidationError

    from her.errors import InputError, StoreError
    from her.evals.benchmarks.rating.packet import KEYS, Key
    from her.stage import check_run
    from her.store import read_json

    check_run(run)
    path = run / KEYS / f"{packet}.json"
    if not path.is_file():
        raise InputError(
            f"{run} made no page of packet {packet!r}; give the run that these ratings are about, or export again with "
            "the same seed"
        )
    try:
        return Key.model_validate(read_json(path))
    except ValidationError as e:
        raise StoreError(f"{path} is damaged; export again with the same seed") from e


def _all_there(key: "Key", runs: Sequence[str]) -> None:
    from her.errors import InputError

    if missing := next((e for e in key.entries if e.run not in runs), None):
        raise InputError(f"the page was made from a run of {missing.model} too; name its folder with --with")
