"""Join: worked dialogues, in whatever order they came, become the result of one synthesis.

Owns the last comparison of every turn's speech with the book and the counting of what was kept. Pure: the same tasks
worked alike give the same bytes, whoever worked them and when.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from her.errors import StoreError
from her.renderers.layouts import dialogue_layouts
from her.schema import ENVIRONMENT, Book, Dialogue
from her.synthesis.extraction.stagecraft import Extracted
from her.synthesis.prepared import Prepared
from her.synthesis.result import Reject, SynthReport, SynthResult, Verified
from her.synthesis.tally import Tally, summed
from her.synthesis.text.wording import same_words
from her.synthesis.worked import Worked


def join(prepared: Prepared, worked: Iterable[Worked], *, teacher: str, fingerprint: str) -> SynthResult:
    """The result, dialogues in the source's order. Raises StoreError where an engine lost or doubled one."""
    book, found = prepared.book, prepared.found
    by_id: dict[str, Worked] = {}
    for one in worked:
        if one.dialogue.id in by_id:
            raise StoreError(f"dialogue {one.dialogue.id!r} was worked twice; run it again from its task")
        by_id[one.dialogue.id] = one
    if missing := [d.id for d in found.dialogues if d.id not in by_id]:
        raise StoreError(f"{len(missing)} dialogues were not worked, {missing[0]!r} first; work their tasks, then join")
    ordered = [by_id[d.id] for d in found.dialogues]
    dialogues = tuple(w.dialogue for w in ordered)
    verified, bad = _verify(dialogues, found=found, book=book)
    rejects = (*found.rejects, *(r for w in ordered for r in w.rejects), *bad)
    tally = summed([prepared.tally, *(w.tally for w in ordered)])
    return SynthResult(
        book_id=book.id,
        title=book.title,
        dialogues=dialogues,
        rejects=rejects,
        verified=verified,
        plots=found.plots,
        report=_report(
            prepared,
            dialogues=dialogues,
            rejects=rejects,
            verified=verified,
            tally=tally,
            teacher=teacher,
            fingerprint=fingerprint,
        ),
    )


def _verify(
    dialogues: Sequence[Dialogue], *, found: Extracted, book: Book
) -> tuple[tuple[Verified, ...], tuple[Reject, ...]]:
    """Compare every turn's speech with the book once more, piece by piece, after all stages."""
    verified, bad = [], []
    for dialogue in dialogues:
        for turn in dialogue.turns:
            item = f"{dialogue.id}/{turn.id}"
            pieces = found.pieces.get(item)
            if pieces is None:
                continue
            spoken = turn.speech()
            raw = [book.read(s) for s in pieces]
            parts_hold = all(same_words(p.text, book.read(p.span)) for p in turn.parts if p.span is not None)
            if parts_hold and _same_pieces(spoken, raw):
                verified.append(Verified(dialogue_id=dialogue.id, turn_id=turn.id, spans=tuple(pieces)))
            else:
                bad.append(Reject(stage="speech", item_id=item, reason="span_unverified", detail=spoken[:120]))
    return tuple(verified), tuple(bad)


def _same_pieces(spoken: str, raw: Sequence[str]) -> bool:
    """Is the speech the pieces in order? Only a piece's final comma may have become a full stop."""
    rest = spoken
    for piece in raw:
        for length in range(len(rest), 0, -1):
            if rest[length - 1].isspace() or (length < len(rest) and not rest[length].isspace()):
                continue
            if same_words(rest[:length], piece):
                rest = rest[length:].lstrip()
                break
        else:
            return False
    return not rest


def _report(
    prepared: Prepared,
    *,
    dialogues: Sequence[Dialogue],
    rejects: Sequence[Reject],
    verified: Sequence[Verified],
    tally: Tally,
    teacher: str,
    fingerprint: str,
) -> SynthReport:
    found = prepared.found
    turns = [t for d in dialogues for t in d.turns if t.speaker != ENVIRONMENT]
    flags = [f for d in dialogues for f in (*d.scene.flags, *(f for t in d.turns for f in t.flags))]
    return SynthReport(
        source=prepared.book.id,
        title=prepared.book.title,
        teacher=teacher,
        fingerprint=fingerprint,
        chapters=len({d.scene.chapter for d in dialogues}),
        scenes=len(dialogues),
        utterances=found.utterances,
        attributed=dict(sorted(found.attributed.items())),
        turns=len(turns),
        spans_verified=len(verified),
        spans_unverified=sum(r.reason == "span_unverified" for r in rejects),
        invented=sum(p.invented for t in turns for p in t.parts),
        book_actions=sum(p.kind == "action" for d in found.dialogues for t in d.turns for p in t.parts),
        thoughts_kept=sum(any(p.kind == "thought" for p in t.parts) for t in turns),
        drafts=tally.drafts,
        system_thinking_kept=sum(t.system_thinking is not None for t in turns),
        additions_kept=sum(len(d.scene.additions) for d in dialogues),
        flags=_counted(f.kind for f in flags),
        rejected=_counted(f"{r.stage}.{r.reason}" for r in rejects),
        refused_answers=tally.refused,
        dead_letters=sum(tally.dead_letters.values()),
        calls=tally.calls,
        retries=tally.retries,
        prompt_tokens=tally.prompt_tokens,
        completion_tokens=tally.completion_tokens,
        unmetered=tally.unmetered,
        layouts_before=dialogue_layouts(d.turns for d in found.dialogues),
        layouts_after=dialogue_layouts(d.turns for d in dialogues),
    )


def _counted(keys: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(keys).items()))
