"""`her data`: other people's data in, training data out, and out again in other people's formats."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from her.data.account import Built
    from her.data.imports import Imported
    from her.renderers import Tokenizer

app = typer.Typer(no_args_is_help=True, help="Import dialogues, build what models are trained on, export it.")


@app.command("import")
def import_(
    format: Annotated[
        Literal["coser", "coser-raw", "her", "sharegpt", "messages"],
        typer.Argument(
            help="coser: its full JSON, one book a file, or a folder of them. coser-raw: its test set and other "
            "records, as JSON Lines or a list. her: HER-Dataset's four configurations. sharegpt, messages: chats."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="The file, or CoSER's folder.")],
    out: Annotated[Path, typer.Option(help="The dialogues' JSON Lines; the account of the import lies beside it.")],
    licence: Annotated[str | None, typer.Option(help="The licence of the source, for the record.")] = None,
    markup: Annotated[
        Literal["auto", "her", "coser", "plain"], typer.Option(help="Chats: how thoughts and actions are written.")
    ] = "auto",
    check: Annotated[
        bool, typer.Option("--check", help="Attach what `her synth check` doubts: mind reading, leaks and the like.")
    ] = False,
) -> None:
    """Read dialogues from another format. What cannot be read is counted and listed, with line and field."""
    from rich.console import Console

    from her.cli.loop.board import Board
    from her.data.imports import import_dialogues

    board = Board(Console())
    with board.stage("import", f"reading {path.name}") as progress:
        made = import_dialogues(path, format=format, out=out, licence=licence, markup=markup, progress=progress)
    board.say(_imported(made, out))
    if check:
        from her.cli.synth_check import check as check_dialogues

        check_dialogues(out, mark=out)


@app.command()
def build(
    dialogues: Annotated[list[Path], typer.Argument(help="Dialogues as JSON Lines.")],
    out: Annotated[Path, typer.Option(help="The build's folder.")],
    system_thinking: Annotated[
        bool, typer.Option("--system-thinking/--no-system-thinking", help="Targets open with system thinking.")
    ] = True,
    history_policy: Annotated[
        Literal["drop_own_system", "keep_own_system"],
        typer.Option(help="Does a character see the system thinking of its own earlier turns?"),
    ] = "drop_own_system",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest sample; the oldest turns go first.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="The model whose tokenizer counts: local:, hf:, run:.")] = None,
    min_gain: Annotated[float | None, typer.Option(help="Least gain of a training sample, nats a token.")] = None,
    top_gain: Annotated[str | None, typer.Option(help="Only this share of the training samples by gain: 50%.")] = None,
    gain_layer: Annotated[Literal["thought", "system_thinking"], typer.Option(help="Whose gain it is.")] = "thought",
    flags: Annotated[
        Literal["auto", "keep", "drop"],
        typer.Option(help="Samples that show something doubtful; auto drops them unless people wrote them."),
    ] = "auto",
    hold_out: Annotated[
        list[Path] | None, typer.Option(help="CoSER's test set, or dialogues, never to be trained on. May be repeated.")
    ] = None,
    hold_out_titles: Annotated[
        bool,
        typer.Option(
            "--hold-out-titles/--no-hold-out-titles",
            help="Hold out whole books by title; without it, the scenes themselves and what is near them.",
        ),
    ] = True,
    purposes: Annotated[
        str | None,
        typer.Option(
            help="sft=0.9,valid=0.05,test=0.05 or any of sft, judge_sft, judge_rl, policy_rl, valid, test; "
            "without it, about the shares that the release aimed at."
        ),
    ] = None,
    by: Annotated[
        Literal["auto", "book", "chapter", "conversation"],
        typer.Option(help="What is never divided; auto: books where there are enough."),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the purposes and of ties in gain.")] = 0,
) -> None:
    """Make samples and prompts for every purpose, with what must not be trained on held out."""
    from rich.console import Console

    from her.cli.loop.board import Board
    from her.data.account import BuildConfig
    from her.data.build import build as build_data
    from her.data.gains import GainRule
    from her.data.purposes import Shares, read_shares
    from her.data.samples import SampleRule
    from her.errors import InputError

    if (max_tokens is None) != (tokenizer is None):
        raise InputError("--max-tokens and --tokenizer go together: a length is counted by a model's tokenizer")
    config = BuildConfig(
        rule=SampleRule(
            history_policy=history_policy, system_thinking=system_thinking, flags=flags, max_tokens=max_tokens
        ),
        gain=GainRule(layer=gain_layer, least=min_gain, top=None if top_gain is None else _share(top_gain), seed=seed),
        shares=Shares() if purposes is None else read_shares(purposes),
        hold_out_titles=hold_out_titles,
        by=None if by == "auto" else by,
        seed=seed,
    )
    console = Console()
    board = Board(console)
    counter = None if tokenizer is None else _tokenizer(tokenizer)
    with board.stage("build", f"building {out.name}") as progress:
        built = build_data(
            dialogues,
            out=out,
            config=config,
            hold_outs=hold_out or (),
            tokenizer=counter,
            tokenizer_name=tokenizer,
            progress=progress,
        )
    _show(built, out, console)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A build.")],
    format: Annotated[
        Literal["messages", "her", "parquet", "sharegpt"], typer.Option(help="The format to write.")
    ] = "messages",
    out: Annotated[Path | None, typer.Option(help="The folder; without one, FORMAT inside the build.")] = None,
) -> None:
    """Write a build in another format, with a dataset card."""
    from her.data.exports import export as export_build

    home = out or folder / format
    made = export_build(folder, format=format, out=home)
    for name, rows in sorted(made.rows.items()):
        typer.echo(f"{rows:>9} {name}")
    for reason, count in made.left.items():
        typer.echo(f"{count:>9} not in this format: {reason}")
    typer.echo(f"card: {home / 'README.md'}")


def _share(text: str) -> float:
    """`50%` or `0.5`."""
    from her.errors import InputError

    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InputError(f"--top-gain {text!r} is not a share like 50% or 0.5")
    return share


def _tokenizer(name: str) -> "Tokenizer":
    from her.llm import weights
    from her.train.engine import load_tokenizer

    tokenizer: Tokenizer = load_tokenizer(weights(name))
    return tokenizer


def _imported(made: "Imported", out: Path) -> str:
    lines = [f"{made.dialogues} dialogues, {made.books} books, {made.plots} plots -> {out}"]
    lines += [f"refused {count:>6} {reason}" for reason, count in made.refused.items()]
    lines += [f"mended  {count:>6} {kind}" for kind, count in made.repairs.items()]
    if made.refused:
        lines.append(f"each refusal with its line and field: {out.with_suffix('.refused.jsonl')}")
    lines.append(f"licence: {made.licence or 'not known; name it with --licence'}")
    return "\n".join(lines)


def _show(built: "Built", out: Path, console: "Console") -> None:
    """What was kept and what was not, as the manifest has it."""
    from rich.markup import escape
    from rich.table import Table

    from her.data.account import HELD_OUT
    from her.data.hold_out import HeldOut
    from her.store import stream_jsonl

    def table(*heads: str) -> Table:
        made = Table(box=None, pad_edge=False, header_style="bold")
        for head in heads:
            made.add_column(head, overflow="fold")
        return made

    uses = table("purpose", "asked", "achieved", "books", "conversations", "targets")
    for purpose, dealt in built.purposes.items():
        numbers = (dealt.books, dealt.conversations, dealt.targets)
        uses.add_row(purpose, f"{dealt.asked:.1%}", f"{dealt.achieved:.1%}", *(str(n) for n in numbers))
    console.print(uses)
    files = table("file", "kept", "left out", "doubts shown")
    for name, count in built.files.items():
        left = ", ".join(f"{reason} {n}" for reason, n in count.left.items()) or "none"
        doubts = ", ".join(f"{kind} {n}" for kind, n in count.flags.items()) or "none"
        files.add_row(name, str(count.kept), left, doubts)
    console.print(files)
    if any(not count.kept and "no_system_thinking" in count.left for count in built.files.values()):
        hint = "no target has system thinking: `her synth` makes it, --no-system-thinking builds without"
        console.print(hint, highlight=False, markup=False)
    said = f"dealt by {built.by} ({built.books} books), {built.duplicates} dialogues with an id that was taken"
    console.print(said, highlight=False)
    if built.held_out:
        held = table("held out", "book", "why", "against", "alike")
        for row, found in enumerate(stream_jsonl(out / HELD_OUT, HeldOut)):
            if row == _MOST_SHOWN:
                break
            alike = (
                ""
                if found.likeness is None
                else f"{found.likeness.jaccard:.2f}, contained {found.likeness.contained:.2f}"
            )
            held.add_row(
                *(escape(c) for c in (found.dialogue_id, found.book or "", found.reason, found.against, alike))
            )
        console.print(held)
        total = sum(built.held_out.values())
        if total > _MOST_SHOWN:
            console.print(f"... and {total - _MOST_SHOWN} more in {out / HELD_OUT}", highlight=False, markup=False)
    reasons = ", ".join(f"{reason} {n}" for reason, n in built.held_out.items()) or "nothing"
    console.print(f"held out: {reasons}", highlight=False)
    for kept in built.hold_outs:
        unread = "".join(f", {n} scenes by title alone ({reason})" for reason, n in kept.unread.items())
        console.print(
            f"  by {kept.file}: {kept.titles} titles, {kept.scenes} scenes{unread}", highlight=False, markup=False
        )
    console.print(f"build: {out}", highlight=False, markup=False, soft_wrap=True)


_MOST_SHOWN = 200
"""Held-out conversations printed; the file has all."""
