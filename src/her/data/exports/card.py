"""The dataset card: what is in an export, made by whom, under which licence, and what was kept out. Every number is the
build's own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from her.data.account import CONTAMINATION, HELD_OUT, Built
from her.data.hold_out import HeldOut
from her.data.near import CONTAINED, JACCARD, PIECE, SHINGLE
from her.store import stream_jsonl

_USE = {
    "messages": (
        "Learn from the last message alone; earlier assistant messages are history. For TRL, make two columns of each "
        "row: `prompt`, all messages but the last, and `completion`, the last. LLaMA-Factory has `mask_history: true`; "
        "in Axolotl mark the last message as the one to train on. Rows with a `prompt` are for reinforcement learning."
    ),
    "sharegpt": "Learn from the last `gpt` message alone (LLaMA-Factory: `mask_history: true`).",
    "parquet": (
        "`messages` is the prompt and `target` what is to be learnt. Of places to speak, `scene`, `history` and "
        "`reference_turn` are JSON."
    ),
    "her": "HER-Dataset's field names. docs/data-formats.md of the project says what the format cannot say.",
}


def card(built: Built, folder: Path, *, format: str, rows: Mapping[str, int], left: Mapping[str, int]) -> str:
    """The card as Markdown with the front matter that dataset hubs read."""
    licences = sorted({s.licence or "not recorded" for s in built.sources})
    known = licences[0].lower() if len(licences) == 1 and licences[0] != "not recorded" else "other"
    rule, gain = built.config.rule, built.config.gain
    provenance: Counter[str] = Counter()
    for source in built.sources:
        provenance.update(source.provenance)
    sections = [
        f"---\nlicense: {known}\ntags: [role-play, her]\nconfigs:\n{_configs(rows)}---",
        "# Role-play dialogues that think\n\nMade with HER " + built.her_version + ": one row per turn of a character, "
        "with the prompt exactly as the character is asked at inference.",
        "## Sources and licences\n\n"
        + _table(
            ("file", "from", "licence", "dialogues", "made by", "sha256"),
            [
                (
                    s.file,
                    s.origin or "not said",
                    s.licence or "**not recorded**",
                    s.dialogues,
                    _counts(s.provenance),
                    s.sha256[:16],
                )
                for s in built.sources
            ],
        )
        + f"\n\nHidden layers over all sources: {_counts(provenance)}.",
        "## Files\n\n" + _table(("file", "rows"), sorted(rows.items())) + _left(left),
        "## How it was made\n\n"
        + _table(
            ("setting", "value"),
            [
                ("system thinking", "each target opens with it" if rule.system_thinking else "none"),
                ("history policy", f"`{rule.history_policy}`"),
                ("tokens at most", rule.max_tokens or "no limit"),
                ("tokenizer", built.tokenizer or "none"),
                ("samples that show a doubt", f"`{rule.flags}`"),
                ("gain", _gain(gain.layer, gain.least, gain.top)),
                ("purposes dealt by", built.by),
                ("seed", built.config.seed),
                ("dialogues whose id was taken", built.duplicates),
            ],
        ),
        "## Purposes\n\nA conversation serves one purpose; "
        + ("so does a book.\n\n" if built.by == "book" else "a book may serve several.\n\n")
        + _table(
            ("purpose", "asked", "achieved (target turns)", "books", "conversations", "target turns"),
            [
                (p, f"{d.asked:.1%}", f"{d.achieved:.1%}", d.books, d.conversations, d.targets)
                for p, d in built.purposes.items()
            ],
        ),
        "## Target turns kept and left out\n\n"
        + _table(
            ("file", "targets", "kept", "left out", "doubts shown"),
            [(n, f.targets, f.kept, _counts(f.left), _counts(f.flags)) for n, f in built.files.items()],
        ),
        "## Held out\n\n" + _held_out(built, folder),
        "## Contamination\n\n"
        f"`{CONTAMINATION}` has a line for every book in here: its title, a hash of the folded title, and how many of "
        "its dialogues serve what. A model trained on this data has met these books.",
        f"## Loading\n\n```python\nfrom datasets import load_dataset\n\nrows = {_load(rows)}\n```\n\n{_USE[format]}",
    ]
    return "\n\n".join(sections) + "\n"


def _load(rows: Mapping[str, int]) -> str:
    """The call that reads the fullest file."""
    name = max(sorted(rows), key=lambda n: rows[n])
    kind = "parquet" if name.endswith(".parquet") else "json"
    return f'load_dataset("{kind}", data_files="{name}", split="train")'


def _configs(rows: Mapping[str, int]) -> str:
    """One configuration a file: their columns differ."""
    return "".join(
        f"- config_name: {name.rpartition('.')[0]}\n  data_files: {name}\n"
        for name, count in sorted(rows.items())
        if count
    )


def _held_out(built: Built, folder: Path) -> str:
    if not built.hold_outs:
        return "Nothing was held out by a file." + _own(built)
    lists = _table(
        ("held out", "sha256", "titles", "scenes", "scenes by title alone"),
        [(k.file, k.sha256[:16], k.titles, k.scenes, _counts(k.unread)) for k in built.hold_outs],
    )
    found: Counter[tuple[str, str, str]] = Counter()
    for held in stream_jsonl(folder / HELD_OUT, HeldOut):
        found[(held.book or "no title", held.reason, held.against if held.reason == "title" else "its text")] += 1
    matches = _table(
        ("book", "reason", "against", "conversations"), [(*key, count) for key, count in sorted(found.items())]
    )
    return (
        f"{lists}\n\nA conversation is held out where its book's title is one of these, folded to letters and digits "
        f"without subtitle, edition and articles, or where its scenario and speech share {JACCARD:.0%} of their "
        f"{SHINGLE}-word shingles with a held-out scene (or, of the shorter text, {CONTAINED:.0%} and at least "
        f"{PIECE}). `{HELD_OUT}` names every one.\n\n{matches if found else 'No conversation matched.'}" + _own(built)
    )


def _own(built: Built) -> str:
    own = {reason: n for reason, n in built.held_out.items() if reason.startswith("near_own")}
    return f"\n\nNear a conversation kept for testing or validation, and left out: {_counts(own)}."


def _gain(layer: str, least: float | None, top: float | None) -> str:
    rules = [f"at least {least:g} nats a token" if least is not None else "", f"top {top:.0%}" if top else ""]
    told = " and ".join(r for r in rules if r)
    return f"{layer}: {told} (training samples)" if told else "not asked"


def _left(left: Mapping[str, int]) -> str:
    return f"\n\nNot in this format: {_counts(left)}." if left else ""


def _counts(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(counts.items(), key=lambda c: str(c[0]))) or "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table. A cell cannot end its column or its row."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(str(c)) for c in row)} |" for row in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
