"""`her reward`: principle packs, pairs, and what a judge is worth."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from her.cli import pairs as pairs_command
from her.cli import principles
from her.cli.reward_serve import serve
from her.cli.train_judge import train

if TYPE_CHECKING:
    from her.llm.ledger import Ledger
    from her.reward.attacks import AttackReport
    from her.reward.judge import Judge
    from her.reward.measure import JudgeReport
    from her.schema import Comparison, Preference

app = typer.Typer(no_args_is_help=True, help="Principles, pairs, judges and what they are worth.")
app.add_typer(principles.app, name="principles")
app.add_typer(pairs_command.app, name="pairs")
app.command()(serve)
app.command()(train)

Judges = Annotated[
    list[str],
    typer.Option(
        "--judge",
        help="MODEL; independent:, coupled: or pack:MODEL; label:MODEL, pmi:MODEL, blend:FILE or control:longer-reply; "
        "repeat it to compare.",
    ),
]
PackFile = Annotated[
    Path | None,
    typer.Option(help="A principle pack; without one, a judge with room to read writes its own principles."),
]
LedgerFile = Annotated[
    Path | None, typer.Option(help="Keep what models answer here; the same pairs asked again cost nothing.")
]
Controls = Annotated[
    bool, typer.Option("--controls/--no-controls", help="Put what does not read beside them: length, a coin, overlap.")
]
Seed = Annotated[int, typer.Option(help="Seed of the parts, the coin and the intervals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the reports as JSON lines.")]


@app.command()
def bench(
    judge: Judges,
    pairs: Annotated[str, typer.Option(help="A JSONL file of labelled pairs, or `shipped`.")] = "shipped",
    pack: PackFile = None,
    part: Annotated[str, typer.Option(help="all, train, choose or test: the seeded parts by scene.")] = "all",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pairs, spread over the scenes.")] = None,
    references: Annotated[
        Path | None, typer.Option(help="What was really said: dialogues as JSON Lines, for the overlap control.")
    ] = None,
    controls: Controls = True,
    ledger: LedgerFile = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure judges on labelled pairs, both orders: accuracy, consistency, unread, taste for length, cost."""
    from her.cli.judged import show_reports
    from her.reward.measure import measure

    chosen = _spread(_pairs(pairs, part=part, seed=seed), limit)
    with _ledger(ledger) as paid:
        judges = _open(judge, pack, paid, asked=[p.comparison for p in chosen])
        if controls:
            judges += _controls(judges, shipped=pairs == "shipped", references=references, seed=seed)

        async def run() -> "list[JudgeReport]":
            return [
                await measure(one, chosen, seed=seed, spent=None if stage is None else partial(paid.tally, stage))
                for one, stage in judges
            ]

        reports = asyncio.run(run())
    if as_json:
        for report in reports:
            typer.echo(report.model_dump_json())
    else:
        show_reports(reports)


@app.command()
def attack(
    judge: Judges,
    family: Annotated[list[str] | None, typer.Option(help="Only this family of hacks; repeat it for more.")] = None,
    contexts: Annotated[int | None, typer.Option(min=1, help="At most so many contexts of each family.")] = None,
    pack: PackFile = None,
    controls: Controls = True,
    ledger: LedgerFile = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write the hacks asked about: JSONL, as `principles induce --hacks` reads.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Ask judges about planted hacks, both orders: how often is the honest reply preferred, family by family?"""
    from her.cli.judged import show_attacks
    from her.errors import InputError
    from her.reward.attacks import FAMILIES, attack_pairs, resist
    from her.reward.induction.audit import Planted
    from her.store import write_jsonl

    known = [f.name for f in FAMILIES]
    wanted = family or known
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(f"no such family of hacks: {unknown[0]!r}; one of {', '.join(known)}")
    every = attack_pairs()
    asked = [row for name in known if name in wanted for row in [r for r in every if r[0] == name][:contexts]]
    if out is not None:
        write_jsonl(out, (Planted(family=name, pair=pair) for name, pair in asked))
    with _ledger(ledger) as paid:
        judges = _open(judge, pack, paid, asked=[p.comparison for _, p in asked])
        if controls:
            judges += _controls(judges, shipped=False, references=None, seed=seed)

        async def run() -> "list[AttackReport]":
            return [await resist(one, asked, seed=seed) for one, _ in judges]

        reports = asyncio.run(run())
    if as_json:
        for report in reports:
            typer.echo(report.model_dump_json())
    else:
        show_attacks(reports)


@contextmanager
def _ledger(path: Path | None) -> "Iterator[Ledger]":
    """The ledger asked for, or one that lasts as long as the command."""
    from her.llm.ledger import Ledger

    with TemporaryDirectory() as folder, Ledger(path or Path(folder) / "ledger.sqlite") as ledger:
        yield ledger


def _open(
    names: Sequence[str], pack: Path | None, ledger: "Ledger", *, asked: "Sequence[Comparison]"
) -> "list[tuple[Judge, str | None]]":
    """Each judge with the stage under which the ledger keeps what these questions cost."""
    from her.reward.names import open_judge
    from her.reward.pack import load_pack
    from her.store import canonical, sha256_text

    loaded = None if pack is None else load_pack(pack)
    what = sha256_text(canonical([c.model_dump(mode="json") for c in asked]))[:12]
    stages = [f"judge {name} on {what}" for name in names]
    return [(open_judge(n, loaded, ledger=ledger, stage=s), s) for n, s in zip(names, stages, strict=True)]


def _controls(
    judges: "Sequence[tuple[Judge, str | None]]", *, shipped: bool, references: Path | None, seed: int
) -> "list[tuple[Judge, str | None]]":
    """The controls that were not asked for by name. Overlap is one where there is something to overlap with."""
    from her.reward.controls import LengthJudge, OverlapJudge, RandomJudge
    from her.schema import Dialogue
    from her.store import stream_jsonl
    from her.story import load_gold

    made: list[Judge] = [LengthJudge("reply"), RandomJudge(seed=seed)]
    if references is not None or shipped:
        dialogues = load_gold() if references is None else stream_jsonl(references, Dialogue)
        made.append(OverlapJudge({(d.scene.id, t.id): t for d in dialogues for t in d.turns}))
    named = {one.name for one, _ in judges}
    return [(one, None) for one in made if one.name not in named]


def _spread(pairs: "Sequence[Preference]", most: int | None) -> "Sequence[Preference]":
    step = 1 if most is None else max(1, len(pairs) // most)
    return pairs[::step][:most]


def _pairs(pairs: str, *, part: str, seed: int) -> "tuple[Preference, ...]":
    from her.errors import InputError
    from her.reward.parts import parts
    from her.schema import Preference
    from her.store import read_text, stream_jsonl
    from her.story import load_pairs

    if pairs == "shipped":
        found = load_pairs()
    else:
        read_text(Path(pairs))  # a missing, empty or binary file is the user's, not a stage's
        found = list(stream_jsonl(Path(pairs), Preference))
    if not found:
        raise InputError(f"{pairs} holds no labelled pairs; give a file with one Preference a line")
    if same := next((p for p in found if p.winner != "tie" and _equal(p)), None):
        raise InputError(f"{pairs}: {same.comparison.id}: both sides are the same, so neither is better; take it out")
    if part == "all":
        return tuple(found)
    dealt = parts(found, seed=seed)
    if part not in ("train", "choose", "test"):
        raise InputError(f"no such part: {part!r}; one of all, train, choose, test")
    picked: tuple[Preference, ...] = getattr(dealt, part)
    return picked


def _equal(pair: "Preference") -> bool:
    return pair.comparison.cand_1.parts == pair.comparison.cand_2.parts
