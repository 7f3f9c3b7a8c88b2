"""`her reward pairs`: labelled pairs are made, by a model, by hand or by readers, dealt for training, and exchanged."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from her.reward.sampling import Labelled, Sampled

app = typer.Typer(no_args_is_help=True, help="Pairs of replies with a label: make, deal, import and export them.")

PairsFile = Annotated[Path, typer.Argument(help="Labelled pairs, JSON Lines.")]


@app.command()
def sample(
    policy: Annotated[str, typer.Option(help="The model that replies.")],
    prompts: Annotated[Path, typer.Option(help="Places where it speaks next: a build's rl.jsonl.")],
    out: Annotated[Path, typer.Option(help="The pairs' JSON Lines; ledger and verdicts lie beside it.")],
    judge: Annotated[
        str | None, typer.Option(help="Who labels; without one, the pairs are left for `pairs label`.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=2, help="Replies to a prompt.")] = 4,
    k: Annotated[int, typer.Option(min=1, help="Offsets of the circulant: k times n pairs a prompt.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many prompts.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest reply.")] = 400,
    temperature: Annotated[float, typer.Option(min=0, help="Of the replies.")] = 1.0,
    pack: Annotated[Path | None, typer.Option(help="The judge's principle pack; without one, the shipped one.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the replies.")] = 0,
) -> None:
    """Sample replies, pair them by schedule, label them in both orders; orders that disagree are a counted tie.

    Run it again to go on where it stopped: what was asked is not asked again.
    """
    from itertools import islice

    from her.errors import InputError
    from her.llm import Ledger, open_models
    from her.reward.gates import GateConfig
    from her.reward.names import open_judge
    from her.reward.pack import load_pack
    from her.reward.sampling import SampleConfig
    from her.reward.sampling import label as ask
    from her.reward.sampling import sample as draw
    from her.schema import RLPrompt
    from her.store import Together, stream_jsonl

    _jsonl(out)
    places = list(islice(stream_jsonl(prompts, RLPrompt), limit))
    if not places:
        raise InputError(f"{prompts} holds no prompts; give the rl.jsonl of a build")
    plans = {p.system_thinking for p in places}
    if len(plans) > 1:
        raise InputError(f"{prompts} asks some replies for system thinking and some not; build it anew, one way")
    config = SampleConfig(n=n, k=k, temperature=temperature, max_tokens=max_tokens, seed=seed)
    gates = GateConfig(system_thinking=plans.pop())

    async def run() -> "tuple[Sampled, Labelled | None]":
        with Ledger(out.with_suffix(".ledger.sqlite")) as ledger:
            (model,) = open_models([policy], ledger=ledger, stage="sample")
            try:
                sampled = await draw(model, places, config=config, gates=gates)
            finally:
                await model.close()
            if judge is None:
                return sampled, None
            asked = open_judge(judge, load_pack(pack), ledger=ledger, stage="label")
            return sampled, await ask(asked, sampled.comparisons)

    sampled, labelled = asyncio.run(run())
    typer.echo(f"{len(places)} prompts, {n} replies each: {_counts(sampled.replies)}")
    if not sampled.comparisons:
        raise InputError("no two replies to one prompt passed the gates; sample more, or another policy")
    with Together() as files:
        file = files.open(out)
        if labelled is None:
            for comparison in sampled.comparisons:
                file.write(comparison)
        else:
            for pair in labelled.pairs:
                file.write(pair)
            verdicts = files.open(_verdicts(out))
            for one in labelled.judged:
                verdicts.write(one)
    if labelled is None:
        typer.echo(f"{len(sampled.comparisons)} pairs without labels: {out}; label them with `her reward pairs label`")
    else:
        typer.echo(f"{len(sampled.comparisons)} pairs asked in both orders: {_counts(labelled.outcomes)}")
        typer.echo(f"{len(labelled.pairs)} labelled pairs: {out}; the verdicts: {_verdicts(out)}")


@app.command()
def label(
    pairs: Annotated[Path, typer.Argument(help="Pairs, labelled or not; what labels they have is not shown.")],
    out: Annotated[Path, typer.Option(help="Your labels; run it again to go on where you stopped.")],
    seed: Annotated[int, typer.Option(help="Seed of the order and of who stands first.")] = 0,
) -> None:
    """Label pairs by hand, blind: in a seeded order, sides turned at random, no label and no model's name in sight.

    1 or 2: the better reply. t: a tie. s: skip for now. q: stop.
    """
    from rich.console import Console

    from her.cli.labelling import label_pairs

    _jsonl(out)
    label_pairs(
        pairs, out, seed=seed, console=Console(highlight=False), read=lambda: typer.prompt("better", prompt_suffix="? ")
    )


@app.command()
def agree(
    first: Annotated[Path, typer.Argument(help="Labelled pairs.")],
    second: Annotated[Path, typer.Argument(help="The same pairs, labelled again or by another.")],
) -> None:
    """How far two labellings of the same pairs agree: raw, and Cohen's kappa."""
    from her.data.pairs import agreement, labels
    from her.schema import Preference
    from her.store import stream_jsonl

    found = agreement(*labels(stream_jsonl(first, Preference), stream_jsonl(second, Preference)))
    kappa = "none" if found.kappa is None else f"{found.kappa:.2f}"
    typer.echo(f"agreement {found.raw}, Cohen's kappa {kappa}; {found.only_one} pairs in one file only")
    for ident in found.differ:
        typer.echo(f"  differ: {ident}")


@app.command("balance")
def balance_(
    pairs: PairsFile,
    out: Annotated[Path, typer.Option(help="A folder: train.jsonl, valid.jsonl, test.jsonl.")],
    shapes: Annotated[
        bool,
        typer.Option("--shapes/--any-shape", help="Half mixed, half one-sided, by the verdicts beside the pairs."),
    ] = True,
    valid: Annotated[float, typer.Option(min=0, max=1, help="Share of conversations.")] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of conversations.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the splits and of what is left out.")] = 0,
) -> None:
    """Deal pairs for training: shapes and orders evened out, no conversation in two splits."""
    from her.data.pairs import Balance, balance
    from her.errors import InputError
    from her.reward.sampling import Judged
    from her.schema import Decided, Preference
    from her.store import Together, stream_jsonl

    beside = _verdicts(pairs)
    if shapes and not beside.is_file():
        raise InputError(f"{beside} is missing, so mixed pairs are not known; --any-shape deals without it")
    judged = stream_jsonl(beside, Judged) if shapes else ()
    findings = {j.id: j.joint.verdict.findings for j in judged if isinstance(j.joint.verdict, Decided)}
    rule = Balance(seed=seed, valid=valid, test=test, shapes=shapes)
    dealt, account = balance(list(stream_jsonl(pairs, Preference)), findings, rule)
    with Together() as files:
        for split, found in sorted(dealt.items()):
            file = files.open(out / f"{split}.jsonl")
            for pair in found:
                file.write(pair)
        files.open(out / "balance.json").write_json(account.model_dump(mode="json"))
    for split, found in sorted(dealt.items()):
        typer.echo(
            f"{split}: {len(found)} pairs ({_counts(account.kept[split])}), "
            f"the first is better in {account.first_wins[split]}"
        )
    typer.echo(f"left out: {_counts(account.left)}")


@app.command("import")
def import_(
    format: Annotated[
        Literal["trl", "rewardbench", "her-rm", "sillytavern"],
        typer.Argument(help="sillytavern: a chat file; its swipes and edits are the pairs."),
    ],
    path: Annotated[Path, typer.Argument(help="The file: JSON Lines, JSON or Parquet.")],
    out: Annotated[Path, typer.Option(help="The pairs' JSON Lines; what was refused lies beside it.")],
    markup: Annotated[
        Literal["auto", "her", "coser", "plain"], typer.Option(help="How thoughts and actions are written.")
    ] = "auto",
) -> None:
    """Read pairs from another format. What cannot be read is counted and listed with its line."""
    from her.data.pairs import import_pairs

    made = import_pairs(path, format=format, out=out, markup=markup)
    typer.echo(f"{made.pairs} pairs: {out}")
    if made.refused:
        typer.echo(f"refused: {_counts(made.refused)}; each with its line: {out.with_suffix('.refused.jsonl')}")


@app.command()
def export(
    pairs: Annotated[str, typer.Argument(help="Labelled pairs, JSON Lines, or `shipped`.")],
    out: Annotated[Path, typer.Option(help="The file: .jsonl, or .parquet for her-rm.")],
    format: Annotated[Literal["trl", "rewardbench", "her-rm"], typer.Option(help="The format to write.")] = "trl",
) -> None:
    """Write pairs in another format."""
    from her.data.pairs import export_pairs
    from her.schema import Preference
    from her.store import stream_jsonl
    from her.story import load_pairs

    found = load_pairs() if pairs == "shipped" else stream_jsonl(Path(pairs), Preference)
    made = export_pairs(found, format=format, out=out)
    typer.echo(f"{made.rows} rows: {out}")
    if made.left:
        typer.echo(f"not in this format: {_counts(made.left)}")


def _verdicts(pairs: Path) -> Path:
    return pairs.with_suffix(".verdicts.jsonl")


def _jsonl(out: Path) -> None:
    from her.errors import InputError

    if out.suffix != ".jsonl":
        raise InputError(f"--out {out} must be a .jsonl file")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in counts.items()) or "nothing"
