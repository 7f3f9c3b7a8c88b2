"""Labelling by hand in a terminal: blind, in a seeded order, each answer on the disk before the next question.

Knows nothing of who wrote a reply or what anybody else thought of it. What a reply holds is shown as text: a model's
control characters are not obeyed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from her.errors import InputError
from her.renderers import render_turn
from her.schema import Comparison, Preference, Viewer, Winner
from her.store import Line, lines, record_of, sha256_text, stream_jsonl, write_jsonl

Answer = Callable[[], str]
_ANSWERS: dict[str, Winner] = {"1": "cand_1", "2": "cand_2", "t": "tie"}


def label_pairs(path: Path, out: Path, *, seed: int, console: Console, read: Answer) -> None:
    """Ask about every pair of `path` that `out` has no label for. Labels are kept in the order of the answers."""
    asked = _unlabelled(path)
    done = list(stream_jsonl(out, Preference)) if out.is_file() else []
    known = {p.comparison.id for p in done}
    waiting = sorted((c for c in asked if c.id not in known), key=lambda c: _draw(c, seed, "order"))
    for c in waiting:
        turned = int(_draw(c, seed, "side")[:8], 16) % 2 == 1
        _show(c.swap() if turned else c, number=len(done) + 1, total=len(asked), console=console)
        answer = _answer(read, console)
        if answer == "q":
            break
        if answer == "s":
            continue
        label = Preference(
            comparison=c.swap() if turned else c,
            winner=_ANSWERS[answer],
            principle="(by hand)",
            reason="labelled by hand, blind",
            labeller="human",
        )
        done.append(label.swap() if turned else label)
        write_jsonl(out, done)
    console.print(f"{len(done)} of {len(asked)} labelled: {out}", markup=False)


def _unlabelled(path: Path) -> list[Comparison]:
    found: dict[str, Comparison] = {}
    for line in lines(path):
        c = _comparison(line, path)
        if c.id in found:
            raise InputError(f"{path}:{line.number}: {c.id!r} stands twice; every pair needs an id of its own")
        found[c.id] = c
    if not found:
        raise InputError(f"{path} holds no pairs; sample or import some")
    return list(found.values())


def _comparison(line: Line, path: Path) -> Comparison:
    try:
        return record_of(line, Preference, path).comparison
    except InputError:  # then it has no label yet, or is nothing of ours, which the next line says
        return record_of(line, Comparison, path)


def _answer(read: Answer, console: Console) -> str:
    while True:
        answer = read().strip().lower()
        if answer in (*_ANSWERS, "s", "q"):
            return answer
        console.print("1 or 2: the better reply. t: a tie. s: skip for now. q: stop.", markup=False)


def _show(c: Comparison, *, number: int, total: int, console: Console) -> None:
    me = c.scene.character(c.character)
    told: Sequence[str | None] = (c.scene.scenario, me.profile, me.background, me.motivation)
    public = Viewer.reader()
    history = [render_turn(seen) for t in c.history if (seen := t.seen_by(public)).parts]
    console.rule(f"{number} of {total}")
    for text in (*(t for t in told if t), "", *history, ""):
        console.print(_plain(text), markup=False)
    for place, side in (("1", c.cand_1), ("2", c.cand_2)):
        seen = side.seen_by(Viewer.judge(role_thinking=True))
        console.print(f"{place}) {_plain(render_turn(seen)) if seen.parts else '(nothing)'}\n", markup=False)


def _plain(text: str) -> str:
    return "".join(ch if ch.isprintable() or ch == "\n" else "\N{REPLACEMENT CHARACTER}" for ch in text)


def _draw(c: Comparison, seed: int, what: str) -> str:
    return sha256_text(f"her-label-1\0{what}\0{seed}\0{c.id}")
