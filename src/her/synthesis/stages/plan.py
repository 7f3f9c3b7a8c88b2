"""System thinking of a strong teacher: a turn is played, then its plan is led to what was really said (HER stage 2).

Forward: the teacher plays the character's next turn from the very prompt that a trained model would get. What it
thought on the way, where the endpoint says so, is the draft; else the plan it was asked to write before its turn. The
turn it played is thrown away. Backward: the draft is rewritten so that it leads to the real reply. Both see what the
character could know at that turn, through `view` alone, and the second the reply itself; nobody's hidden thoughts,
nobody else's notes, no later turn and no earlier plan. Where no rewrite passes there is no plan: a draft leads
elsewhere. Everything is keyed by the turn's id.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from her.errors import TagError, TeacherError
from her.llm import Reply
from her.renderers import read_lenient
from her.schema import Dialogue, Turn, Viewer
from her.synthesis import view
from her.synthesis.reading import parted, read_texts
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.stages.by_turn import remade, thinks
from her.synthesis.stages.system_thinking import without_draft
from her.synthesis.teacher import FreeAsk, Teacher, fill, object_of
from her.synthesis.text.estimate import length
from her.synthesis.text.language import LANGUAGES, Language, language, mixes
from her.synthesis.text.perspective import check_plain, talks_of_making
from her.synthesis.text.voice import plan_fault
from her.synthesis.text.wording import content_words, ends_properly, run_of, sentences, shares_run

DraftKind = Literal["plan", "voice", "none"]
"""What a draft is: a plan in the third person; one in a wrong voice; nothing to speak of. The paper's types A, B, C."""
_DRAFT_CHARS = 6000
"""Of a longer draft the end is shown: that is where a reasoning model decides."""
_RUNS: dict[Language, tuple[int, int]] = {"en": (6, 12), "other": (6, 12), "zh": (10, 20)}
"""Words (characters, in Chinese) in a row: of somebody's mind; of the reply or an earlier plan. A plan may draft words
of the reply; a dozen in a row are the reply."""
_TYPE_A, _OTHERS = (0.6, 1.5), (0.4, 2.0)
"""How far from the length asked for a plan may be. The paper asks for 10%; models count badly, so less is enforced."""
_LEAST_WORDS = 25
_PLAIN_WORDS, _SCENE_WORDS = 40, 80
"""A short draft is asked to grow to so many words; a character's first plan has the scene to take in as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A plan as it was before the reply was known. `harvested`: the teacher's own thinking, not asked for."""

    text: str
    harvested: bool


async def plans(
    teacher: Teacher, dialogue: Dialogue, *, step: Callable[[str], None]
) -> tuple[tuple[Turn, ...], list[Reject]]:
    """The dialogue's turns with their plans. Drafts depend on no plan and are asked for together; a rewrite waits for
    the same character's earlier ones, which it may not repeat."""
    speakers = dict.fromkeys(t.speaker for t in dialogue.turns if thinks(dialogue, t))
    chains = await asyncio.gather(*(_chain(teacher, dialogue, name=name, step=step) for name in speakers))
    planned = {ident: plan for chain, _ in chains for ident, plan in chain}
    rejects = [r for _, found in chains for r in found]
    order = {f"{dialogue.id}/{t.id}": k for k, t in enumerate(dialogue.turns)}
    turns = tuple(remade(t, t.parts, plan=planned.get(t.id)) for t in dialogue.turns)
    return turns, sorted(rejects, key=lambda r: order[r.item_id])


async def _chain(
    teacher: Teacher, dialogue: Dialogue, *, name: str, step: Callable[[str], None]
) -> tuple[list[tuple[str, str]], list[Reject]]:
    """The plans of one character, by turn id."""
    own = [t for t in dialogue.turns if t.speaker == name]
    drafts = await asyncio.gather(
        *(teacher.ask_free(draft_ask(teacher.config, dialogue, turn_id=turn.id)) for turn in own)
    )
    kept: list[tuple[str, str]] = []
    rejects: list[Reject] = []
    for turn, draft in zip(own, drafts, strict=True):
        item = f"{dialogue.id}/{turn.id}"
        if draft.reject is not None:
            rejects.append(without_draft(draft.reject))
        else:
            teacher.counts.drafts["harvested" if draft.value and draft.value.harvested else "asked"] += 1
        answer = await teacher.ask_free(
            rewrite_ask(
                teacher.config,
                dialogue,
                turn_id=turn.id,
                draft=draft.value.text if draft.value else None,
                earlier=[plan for _, plan in kept],
            )
        )
        if answer.value is not None:
            kept.append((turn.id, answer.value))
        rejects += [answer.reject] if answer.reject is not None else []
        step(item)
    return kept, rejects


def draft_ask(config: SynthConfig, dialogue: Dialogue, *, turn_id: str) -> FreeAsk[Draft]:
    """Play the turn without having seen it."""
    turn = dialogue.turn(turn_id)
    messages = view.stage(dialogue.scene, dialogue.before(turn_id), name=turn.speaker, turns=config.scene_turns)
    return FreeAsk(
        stage="system_thinking",
        item_id=f"{dialogue.id}/{turn_id}",
        messages=lambda _: messages,
        read=lambda reply: read_draft(reply, speaker=turn.speaker),
        max_tokens=3 * config.plan_words,
    )


def read_draft(reply: Reply, *, speaker: str) -> Draft:
    """The draft in a played turn. Raises TeacherError `truncated` for one cut off, `filtered`, or `no_plan`."""
    thinking, text = parted(reply)
    if reply.finish_reason == "content_filter":
        raise TeacherError(reply.text[:80], "filtered")
    if thinking is not None and (text or reply.finish_reason == "stop"):
        return Draft(text=_tail(thinking), harvested=True)
    if reply.finish_reason == "length":
        raise TeacherError(text[-80:], "truncated")
    try:
        plan = read_lenient(text, speaker=speaker, turn_id="played").turn.system_thinking
    except TagError as e:
        raise TeacherError(str(e), "no_plan") from e
    if plan is None:
        raise TeacherError(text[:80], "no_plan")
    return Draft(text=_tail(plan), harvested=False)


def rewrite_ask(
    config: SynthConfig, dialogue: Dialogue, *, turn_id: str, draft: str | None, earlier: Sequence[str]
) -> FreeAsk[str]:
    """Lead the draft to what the character really thinks, does and says. `earlier`: its plans before, which are not
    shown and may not be repeated."""
    scene, turn, before = dialogue.scene, dialogue.turn(turn_id), dialogue.before(turn_id)
    me = view.knows(scene, turn.speaker)
    own = turn.seen_by(Viewer.character(me.name))
    spoken = language(" ".join(t.speech() for t in dialogue.turns) or scene.scenario)
    first = all(t.speaker != me.name for t in before)
    forms = (me.name, *me.aliases)
    kind = draft_kind(draft, forms=forms, spoken=spoken)
    words = target_words(kind, draft=draft, reply=own, first=first, most=config.plan_words)
    values = {
        "scenario": scene.scenario or "(Not told.)",
        "name": me.name,
        "self": view.notes(scene, me.name) or "(Nothing.)",
        "others": view.met(scene, name=me.name),
        "history": view.transcript(before, name=me.name, turns=config.scene_turns),
        "reply": view.script(own),
        "draft": draft or "(None.)",
        "task": _TASKS[kind],
        "first": _FIRST.format(name=me.name) if first else "",
        "words": str(words),
        "language": LANGUAGES[spoken],
    }
    check = _Check(
        forms=forms,
        spoken=spoken,
        context=f"{view.known(scene, before, name=me.name)} {values['reply']}",
        reply=turn.speech(),
        hidden=view.minds(scene, before, name=me.name),
        earlier=tuple(earlier),
        between=_between(kind, words),
        setting=f"{scene.scenario} {values['self']}" if first else "",
        example=fill("plan", {**values, "fault": ""})[2].content,
    )
    return FreeAsk(
        stage="system_thinking",
        item_id=f"{dialogue.id}/{turn_id}",
        messages=lambda fault: fill("plan", {**values, "fault": fault}),
        read=lambda reply: check(read_texts(reply, ("plan",))["plan"]),
        max_tokens=3 * words,
        schema=object_of({"plan": {"type": "string"}}),
    )


_TASKS: dict[DraftKind, str] = {
    "plan": "The first plan is in the right voice. Keep its order of thoughts and its length, and change what does not "
    "lead to the turn.",
    "voice": "The first plan is in the wrong voice: it is somebody's inner talk or notes about a task. Take from it "
    "what concerns the character, and write it anew.",
    "none": "There is no first plan. Write one: where matters stand, what the character wants, what it will do.",
}
_FIRST = " It is {name}'s first turn here: begin with the scene and with what brings {name} into it."


def draft_kind(draft: str | None, *, forms: Sequence[str], spoken: Language) -> DraftKind:
    """What must be done with a draft."""
    if draft is None or length(draft) < _LEAST_WORDS // 2:
        return "none"
    wrong = talks_of_making(draft, source="") or plan_fault(draft, forms=forms, language=spoken)
    return "voice" if wrong else "plan"


def target_words(kind: DraftKind, *, draft: str | None, reply: Turn, first: bool, most: int) -> int:
    """How long a plan is asked to be: as long as a draft that only needs turning, else as much as the reply has to
    explain. The paper asks for 800 to 1,500 characters there, which is 130 to 250 words."""
    if kind == "plan" and draft is not None:
        return min(most, max(length(draft), _SCENE_WORDS if first else _PLAIN_WORDS))
    said = sum(length(p.text) for p in reply.parts)
    return min(most, 80 + said + (60 if first else 0), 250)


def _between(kind: DraftKind, words: int) -> tuple[int, int]:
    low, high = _TYPE_A if kind == "plan" else _OTHERS
    return max(_LEAST_WORDS, int(low * words)), int(high * words)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """What a plan must be. Called with its text; raises TeacherError."""

    forms: tuple[str, ...]
    spoken: Language
    context: str
    reply: str
    hidden: tuple[str, ...]
    earlier: tuple[str, ...]
    between: tuple[int, int]
    setting: str
    """Scene and own notes, where the plan must start from them."""
    example: str

    def __call__(self, written: str) -> str:
        text = re.sub(r"\s*\n\s*", "\n", written.strip())
        mind, said = _RUNS[self.spoken]
        check_plain(text, source=self.context, loop=10)
        if mixes(text, self.context):
            raise TeacherError(text, "mixes_languages")
        if not ends_properly(text):
            raise TeacherError(text[-80:], "unfinished")
        low, high = self.between
        if not low <= length(text) <= high:
            raise TeacherError(f"{length(text)} words, not {low} to {high}", "length")
        if fault := plan_fault(text, forms=self.forms, language=self.spoken):
            raise TeacherError(text, fault)
        if shares_run(text, self.reply, length=said):
            raise TeacherError(text, "quotes_reply")
        if any(run_of(text, secret, length=mind, known=self.context) for secret in self.hidden):
            raise TeacherError(text, "reads_minds")
        if any(run_of(text, past, length=said, known=self.context) for past in self.earlier):
            raise TeacherError(text, "repeats")
        if shares_run(text, self.example, length=8):
            raise TeacherError(text, "copies_example")
        places = content_words(self.setting)
        if len(places) >= 6 and len(places & content_words(text)) < 2:
            raise TeacherError(text, "no_scene")
        return text


def _tail(text: str) -> str:
    """The end of a draft from the beginning of a sentence."""
    if len(text) <= _DRAFT_CHARS:
        return text
    begins = [start for start, _ in sentences(text) if start >= len(text) - _DRAFT_CHARS]
    return text[begins[0] :] if begins else text[-_DRAFT_CHARS:]
