"""The pipeline: a book or a curated file in, two-layer dialogues with their rejects and counts out.

Owns the order of the stages and nothing of what they do. Scenes are worked side by side and turns of a scene one
after the other, so every request depends on earlier answers of its own scene alone: given the teacher's replies, the
result is the same whatever the concurrency.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from her.errors import InputError
from her.llm import ChatModel
from her.renderers.layouts import layout_stats
from her.schema import ENVIRONMENT, Book, Chapter, Dialogue, Turn
from her.synthesis import system_thinking
from her.synthesis.curated import Curated
from her.synthesis.layout import arrange
from her.synthesis.result import Reject, SynthConfig, SynthReport, SynthResult, Verified
from her.synthesis.role_thinking import think
from her.synthesis.stagecraft import Extracted, extract
from her.synthesis.teacher import Teacher
from her.synthesis.wording import same_words

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worked:
    """One dialogue after both thinking stages."""

    dialogue: Dialogue
    rejects: tuple[Reject, ...]


async def synthesize(
    source: Book | Curated, *, teacher: ChatModel, config: SynthConfig, progress: Progress | None = None
) -> SynthResult:
    """Work a source through all stages. Raises InputError for a choice of chapters in which nobody speaks."""
    asker = Teacher(teacher, config=config)
    if isinstance(source, Curated):
        found = _from_curated(source, config)
        book = source.book
    else:
        book = source
        found = await extract(asker, book=book, chapters=chosen(book, config.chapters), progress=progress)
    if not found.dialogues:
        raise InputError(
            f"{book.title}: no scene with two attributed utterances in the chosen chapters "
            f"({len(found.rejects)} items refused); choose others with --chapters"
        )
    total = sum(len(d.turns) for d in found.dialogues)
    steps = _Steps(total=total, progress=progress)
    worked = await asyncio.gather(*(_work(asker, d, book=book, steps=steps) for d in found.dialogues))
    rejects = (*found.rejects, *(r for w in worked for r in w.rejects))
    dialogues = tuple(w.dialogue for w in worked)
    verified, bad = _verify(dialogues, found=found, book=book)
    return SynthResult(
        book_id=book.id,
        title=book.title,
        dialogues=dialogues,
        rejects=(*rejects, *bad),
        verified=verified,
        report=_report(asker, found=found, dialogues=dialogues, rejects=(*rejects, *bad), verified=verified, book=book),
    )


def chosen(book: Book, choice: str | None) -> list[Chapter]:
    """The chapters named by `3`, `1-2` or `1,4-5`. Raises InputError for a choice that names none."""
    if choice is None:
        return list(book.chapters)
    numbers: set[int] = set()
    for piece in choice.split(","):
        low, _, high = piece.strip().partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            raise InputError(f"--chapters {choice!r} is not like 3, 1-2 or 1,4-5")
        numbers.update(range(int(low), int(high or low) + 1))
    found = [c for c in book.chapters if c.number in numbers]
    if not found:
        raise InputError(f"--chapters {choice!r}: {book.title} has chapters 1 to {len(book.chapters)}")
    return found


def _from_curated(source: Curated, config: SynthConfig) -> Extracted:
    """Curated dialogues within the limits asked for; nobody had to be attributed."""
    kept, rejects = [], list(source.rejects)
    dialogues = source.dialogues
    if config.chapters is not None:
        numbers = {c.number for c in chosen(source.book, config.chapters)}
        dialogues = tuple(d for d in dialogues if d.scene.chapter in numbers)
    for dialogue in dialogues[: config.max_scenes]:
        turns = dialogue.turns[: config.max_turns]
        if len(turns) < len(dialogue.turns):
            left = str(len(dialogue.turns) - len(turns))
            rejects.append(Reject(stage="curated", item_id=dialogue.id, reason="over_max_turns", detail=left))
        kept.append(Dialogue(id=dialogue.id, scene=dialogue.scene, turns=turns, provenance="imported"))
    return Extracted(
        dialogues=tuple(kept),
        rejects=tuple(rejects),
        pieces={},
        attributed={},
        utterances=sum(len(d.turns) for d in kept),
    )


@dataclass(slots=True, kw_only=True)
class _Steps:
    """Turns done, for whoever watches."""

    total: int
    progress: Progress | None
    done: int = 0

    def step(self, note: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total, note)


async def _work(teacher: Teacher, dialogue: Dialogue, *, book: Book, steps: _Steps) -> _Worked:
    """Role thinking and system thinking of one dialogue, turn by turn."""
    scene, done, rejects = dialogue.scene, list[Turn](), list[Reject]()
    for turn in dialogue.turns:
        item = f"{dialogue.id}/{turn.id}"
        if turn.speaker == ENVIRONMENT:
            done.append(turn)
            steps.step(item)
            continue
        # Nobody's draft depends on the thought of the same turn, so the two are asked for together.
        drafting = teacher.ask(
            system_thinking.draft_question(teacher.config, scene=scene, before=done, name=turn.speaker, item_id=item)
        )
        thinking = _with_thought(teacher, dialogue, turn, before=done, item=item, book=book, rejects=rejects)
        draft, full = await asyncio.gather(drafting, thinking)
        if draft.reject is not None:
            detail = f"{draft.reject.reason}: {draft.reject.detail}"
            rejects.append(Reject(stage="system_thinking", item_id=item, reason="no_draft", detail=detail[:200]))
        plan = await system_thinking.plan(teacher, scene=scene, before=done, turn=full, item_id=item, draft=draft.value)
        if plan.reject is not None:
            rejects.append(plan.reject)
        done.append(Turn(id=full.id, speaker=full.speaker, system_thinking=plan.value, parts=full.parts))
        steps.step(item)
    return _Worked(
        dialogue=Dialogue(id=dialogue.id, scene=scene, turns=tuple(done), provenance="teacher"), rejects=tuple(rejects)
    )


async def _with_thought(
    teacher: Teacher,
    dialogue: Dialogue,
    turn: Turn,
    *,
    before: Sequence[Turn],
    item: str,
    book: Book,
    rejects: list[Reject],
) -> Turn:
    """The turn with a thought, and perhaps an action, in an order that varies. A turn that has a thought keeps it."""
    if any(p.kind == "thought" for p in turn.parts):
        return turn
    rng = random.Random(f"{teacher.config.seed}/{item}/action")
    wants_action = not any(p.kind == "action" for p in turn.parts) and rng.random() < teacher.config.actions
    answer = await think(teacher, scene=dialogue.scene, before=before, turn=turn, item_id=item, action=wants_action)
    if answer.reject is not None:
        rejects.append(answer.reject)
    thought = answer.value
    parts = arrange(
        turn.parts,
        thought=thought.text if thought else None,
        action=thought.action if thought else None,
        past=[t.layout() for t in before if t.speaker != ENVIRONMENT],
        seed=f"{teacher.config.seed}/{item}/layout",
        text=book.text if dialogue.scene.span is not None else None,
    )
    return Turn(id=turn.id, speaker=turn.speaker, parts=parts)


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
            raw = [book.text[s.start : s.end] for s in pieces]
            parts_hold = all(
                same_words(p.text, book.text[p.span.start : p.span.end]) for p in turn.parts if p.span is not None
            )
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
    teacher: Teacher,
    *,
    found: Extracted,
    dialogues: Sequence[Dialogue],
    rejects: Sequence[Reject],
    verified: Sequence[Verified],
    book: Book,
) -> SynthReport:
    turns = [t for d in dialogues for t in d.turns if t.speaker != ENVIRONMENT]
    tally = teacher.tally
    return SynthReport(
        source=book.id,
        teacher=teacher.model.name,
        fingerprint=teacher.model.fingerprint,
        chapters=len({d.scene.chapter for d in dialogues}),
        scenes=len(dialogues),
        utterances=found.utterances,
        attributed=dict(sorted(found.attributed.items())),
        turns=len(turns),
        spans_verified=len(verified),
        spans_unverified=sum(1 for r in rejects if r.reason == "span_unverified"),
        book_actions=sum(1 for d in found.dialogues for t in d.turns for p in t.parts if p.kind == "action"),
        thoughts_kept=sum(1 for t in turns if any(p.kind == "thought" for p in t.parts)),
        system_thinking_kept=sum(1 for t in turns if t.system_thinking is not None),
        additions_kept=sum(len(d.scene.additions) for d in dialogues),
        rejected=dict(sorted(Counter(f"{r.stage}.{r.reason}" for r in rejects).items())),
        refused_answers=dict(sorted(tally.refused.items())),
        calls=dict(sorted(tally.calls.items())),
        retries=tally.retries,
        prompt_tokens=tally.prompt_tokens,
        completion_tokens=tally.completion_tokens,
        layouts_before=layout_stats(t for d in found.dialogues for t in d.turns if t.speaker != ENVIRONMENT),
        layouts_after=layout_stats(turns),
    )
