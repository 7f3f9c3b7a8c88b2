"""`her reward principles induce`: a pack out of labelled pairs, with its audit."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from her.reward.induction.account import Account
    from her.reward.induction.audit import Audit
    from her.schema import Preference
    from her.stats import Estimate


def induce(
    pairs: Annotated[str, typer.Argument(help="A JSONL file of labelled pairs, or `shipped`.")],
    out: Annotated[Path, typer.Option(help="Where the pack goes (.toml); its files lie beside it.")],
    teacher: Annotated[str, typer.Option(help="The model that writes the principles.")] = "local:smollm2-135m",
    most_pairs: Annotated[int, typer.Option("--pairs", min=1, help="At most so many pairs are asked about.")] = 70,
    judge: Annotated[str | None, typer.Option(help="The model of the audit; without one, the teacher.")] = None,
    embedder: Annotated[str, typer.Option(help="ngrams (no weights), local:NAME or hf:ID_OR_PATH.")] = "ngrams",
    keep: Annotated[int, typer.Option(min=1, help="At most so many principles.")] = 24,
    per_pair: Annotated[int, typer.Option(min=1, help="Proposals for each pair.")] = 1,
    revisions: Annotated[int, typer.Option(min=0, help="How often a rule that failed is written again.")] = 1,
    held_out: Annotated[int, typer.Option(min=1, help="At most so many pairs of other scenes for the audit.")] = 24,
    hacks: Annotated[
        Path | None,
        typer.Option(
            help="Planted hacks, not the shipped ones: JSONL, a line is {family, pair}; its winner is the honest reply."
        ),
    ] = None,
    hacks_each: Annotated[
        int, typer.Option(min=0, help="At most so many planted hacks of each family in the audit; 0 for none.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the parts, the sampling and the choice.")] = 0,
) -> None:
    """Propose a rule for each pair, test it, keep the few that span the rest, and audit them.

    Run it again to go on where it stopped: what was asked is not asked again. The pack is a draft for a person to edit.
    """
    from rich.console import Console

    from her.errors import VerdictError
    from her.llm import Ledger, describe, open_models
    from her.reward.attacks import attack_pairs
    from her.reward.brief import Brief
    from her.reward.generative import GenerativeJudge
    from her.reward.induction import account
    from her.reward.induction.audit import Planted, audit, few_of_each
    from her.reward.induction.induce import NoPrincipleError, SelectConfig, spread
    from her.reward.induction.induce import induce as make
    from her.reward.induction.propose import NO_RULE, SMALL_BRIEF, ProposeConfig
    from her.reward.induction.space import open_space
    from her.reward.pack import Pack, load_pack
    from her.reward.parts import parts
    from her.stats import share
    from her.store import stream_jsonl

    account.check_out(out)
    if hacks is None:
        known = [Planted(family=family, pair=pair) for family, pair in attack_pairs()]
    else:
        known = list(stream_jsonl(hacks, Planted))
    planted = few_of_each(known, hacks_each, seed=seed)
    dealt = parts(_labelled(pairs), seed=seed)
    given = spread((*dealt.train, *dealt.choose), most_pairs, seed=seed)
    kept_back = spread(dealt.test, held_out, seed=seed)
    space = open_space(embedder)
    asked = judge or teacher
    shown = SMALL_BRIEF if asked.startswith(("local:", "run:")) else Brief()
    none = Brief.model_validate({**shown.model_dump(), "max_principles": 0})
    small = teacher.startswith(("local:", "run:"))
    asking = ProposeConfig(
        brief=SMALL_BRIEF if small else Brief(),
        per_pair=per_pair,
        revisions=revisions,
        guided=small,
        seed=seed,
    )
    selecting = SelectConfig(most=keep)
    console = Console(stderr=True, highlight=False)
    console.print(describe(teacher).line(), markup=False)
    console.print(f"{len(given)} pairs to learn from, {len(kept_back)} of other scenes held out", markup=False)

    def told(done: int, total: int, note: str) -> None:
        console.print(f"  {done}/{total} {note}", markup=False)

    async def run() -> "tuple[Account, Audit]":
        with Ledger(account.beside(out, "ledger.sqlite")) as ledger:
            opened = open_models([teacher, asked], ledger=ledger, stage="induce")
            try:
                try:
                    induced = await make(
                        opened[0],
                        given,
                        embedder=space,
                        asking=asking,
                        selecting=selecting,
                        name=out.stem,
                        told=told,
                    )
                except NoPrincipleError as e:
                    raise VerdictError(f"{e}; each refusal is in {account.write_failed(out, e.rejects)}") from e
                made = account.account_of(
                    induced,
                    teacher=teacher,
                    fingerprint=opened[0].fingerprint,
                    embedder=space.fingerprint,
                    pairs=given,
                    asking=asking,
                    selecting=selecting,
                )
                account.write(out, induced, account=made)
                candidates = induced.proposed.candidates
                explained = {c.pair for c in candidates}

                def judge_with(pack: Pack | None) -> GenerativeJudge:
                    return GenerativeJudge(opened[1], pack or NO_RULE, brief=none if pack is None else shown)

                found = await audit(
                    induced.pack,
                    hand_written=load_pack(),
                    judge_with=judge_with,
                    held_out=kept_back,
                    planted=planted,
                    explained=share(len(explained), len(given)),
                    explained_before=share(len({c.pair for c in candidates if c.was_right}), len(explained)),
                    seed=seed,
                    told=told,
                )
            finally:
                for model in opened:
                    await model.close()
        account.write_audit(out, found)
        return made, found

    made, found = asyncio.run(run())
    _print(out, made, found)


def _labelled(pairs: str) -> "list[Preference]":
    from her.errors import InputError
    from her.schema import Preference
    from her.store import stream_jsonl
    from her.story import load_pairs

    found = load_pairs() if pairs == "shipped" else list(stream_jsonl(Path(pairs), Preference))
    if not found:
        raise InputError(f"{pairs} holds no labelled pairs; give a file with one Preference a line")
    return found


def _print(out: Path, made: "Account", found: "Audit") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    say(f"{out}: {len(made.chosen)} principles of {made.candidates} that explained their pair; {made.calls} proposals")
    say(f"dimensions: {len(found.dimensions)} of 12, {found.vetoes} vetoes; embedder {made.embedder.split(':')[0]}")
    say(f"pairs explained: {_text(found.explained)}; judged rightly without any rule: {_text(found.explained_before)}")
    for title, counts in (("answers refused", made.refused), ("came to nothing", made.rejects)):
        if counts:
            say(f"{title}: " + ", ".join(f"{n} {reason}" for reason, n in counts.items()))
    table = Table(title=f"held-out pairs, judged by {found.judge}, both orders; 95% intervals", title_justify="left")
    for column in ("list", "accuracy", "minus hand-written", "ties", "unread", "names a rule"):
        table.add_column(column, overflow="fold")
    for fit in found.fits:
        cells = (fit.accuracy, fit.against_hand_written, fit.ties, fit.unread, fit.spoke)
        table.add_row(fit.pack, *(_text(cell) for cell in cells))
    console.print(table)
    say(f"the same verdict with the list in another order: {_text(found.retest)}")
    if found.resisted:
        hacks = Table(title="planted hacks refused", title_justify="left")
        for column in ("family", "induced", "hand-written"):
            hacks.add_column(column, overflow="fold")
        for row in found.resisted:
            hacks.add_row(row.family, _text(row.induced), _text(row.hand_written))
        console.print(hacks)
    else:
        say("planted hacks: none were asked about")


def _text(estimate: "Estimate") -> str:
    if estimate.value is None:
        return "no data"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}] n={estimate.n}"
