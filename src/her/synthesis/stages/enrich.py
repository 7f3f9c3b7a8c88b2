"""Role thinking by conversation: a strong teacher enriches all turns of a scene at once (HER stage 1).

Owns the request about a conversation, in windows where it is long, and what becomes of its turns one by one: each is
held against its source (`enriched`); one that fails is asked for again alone, with its fault; one that fails again
keeps its bare form. No conversation fails because of a turn. Rows are matched to turns by id.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from her.errors import TagError, TeacherError
from her.llm import Reply
from her.renderers import render_turn
from her.schema import ENVIRONMENT, Dialogue, Turn
from her.synthesis import view
from her.synthesis.reading import read_object, read_texts
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.stages.by_turn import remade, thinks
from her.synthesis.stages.enriched import Standing, accept, added_words
from her.synthesis.stages.layout import varied
from her.synthesis.stages.windows import size, windows
from her.synthesis.teacher import FreeAsk, Teacher, fill, fill_text, object_of
from her.synthesis.text.estimate import tokens
from her.synthesis.text.language import LANGUAGES, Language, language
from her.synthesis.text.passage import Passage

Rows = Mapping[str, str]
"""Turn id to the text the teacher gave for it, or to `!reason` where its row cannot be used."""


@dataclass(slots=True, kw_only=True)
class _Scene:
    """A dialogue on its way through this stage."""

    dialogue: Dialogue
    passage: Passage | None
    language: Language
    done: list[Turn] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    layouts: list[str] = field(default_factory=list)


async def enrich(
    teacher: Teacher, dialogue: Dialogue, *, passage: Passage | None
) -> tuple[tuple[Turn, ...], list[Reject]]:
    """The dialogue's turns with thoughts and actions, as far as they passed; the source's words throughout."""
    spoken = " ".join(t.speech() for t in dialogue.turns)
    scene = _Scene(dialogue=dialogue, passage=passage, language=language(spoken or dialogue.scene.scenario))
    rejects: list[Reject] = []
    for number, window in enumerate(windows(dialogue.turns, budget=teacher.config.window_tokens), start=1):
        asked = [t for t in window if thinks(dialogue, t)]
        rows: Rows = {}
        if asked:
            answer = await teacher.ask_free(window_ask(teacher.config, scene, window=window, number=number))
            if answer.reject is not None:
                rejects.append(answer.reject)
            rows = answer.value or {}
        for row in sorted(set(rows) - {t.id for t in asked}):
            teacher.refuse("role_thinking", "unknown_turn")
            rejects.append(
                Reject(
                    stage="role_thinking", item_id=f"{dialogue.id}/w{number}", reason="unknown_turn", detail=row[:60]
                )
            )
        for turn in window:
            if not thinks(dialogue, turn):
                scene.done.append(turn)
                continue
            full, reject = await _settle(teacher, scene, turn, row=rows.get(turn.id, "!missing_turn"))
            rejects += [reject] if reject is not None else []
            _add(teacher.config, scene, source=turn, full=full)
    return tuple(scene.done), rejects


async def _settle(teacher: Teacher, scene: _Scene, turn: Turn, *, row: str) -> tuple[Turn, Reject | None]:
    """The turn as the conversation's answer has it, else as it was given alone, else bare."""
    try:
        if row.startswith("!"):
            raise TeacherError(turn.id, row[1:])
        return accept(row, source=turn, standing=_standing(teacher.config, scene, turn), passage=scene.passage), None
    except TeacherError as e:
        teacher.refuse("role_thinking", e.reason)
        alone = await teacher.ask_free(turn_ask(teacher.config, scene, turn, fault=e.reason))
    return alone.value or turn, alone.reject


def _add(config: SynthConfig, scene: _Scene, *, source: Turn, full: Turn) -> None:
    """Put a settled turn behind the others, in an order of parts that did not just come twice."""
    if full is not source:
        parts = varied(
            full.parts,
            past=scene.layouts,
            seed=f"{config.seed}/{scene.dialogue.id}/{source.id}/layout",
            passage=scene.passage,
        )
        full = remade(full, parts)
        scene.added.append(added_words(full, source))
    scene.layouts.append(full.layout())
    scene.done.append(full)


def window_ask(config: SynthConfig, scene: _Scene, *, window: Sequence[Turn], number: int) -> FreeAsk[Rows]:
    """The request about one window of the conversation."""
    dialogue = scene.dialogue
    asked = [t for t in window if thinks(dialogue, t)]
    ids = [t.id for t in asked]
    before = scene.done[-config.window_overlap :] if config.window_overlap else []
    values = {
        "rules": _rules(config, scene.language),
        "scenario": dialogue.scene.scenario or "(Not told.)",
        "cast": view.cast(dialogue.scene),
        "before": "\n".join(_shown(t) for t in before) or "(Nothing.)",
        "turns": "\n".join(_row(t) if t in asked else f"(not asked for) {_shown(t)}" for t in window),
    }
    row = object_of({"id": {"type": "string", "enum": ids}, "speaker": {"type": "string"}, "turn": {"type": "string"}})
    return FreeAsk(
        stage="role_thinking",
        item_id=f"{dialogue.id}/w{number}",
        messages=lambda fault: fill("enrich", {**values, "fault": fault}),
        read=lambda reply: read_rows(reply, asked),
        max_tokens=sum(size(t) for t in asked) + len(asked) * 2 * config.added_words,
        schema=object_of({"turns": {"type": "array", "items": row}}),
    )


def turn_ask(config: SynthConfig, scene: _Scene, turn: Turn, *, fault: str) -> FreeAsk[Turn]:
    """The request about one turn alone. It holds what the speaker could know, and nothing else."""
    place, name = scene.dialogue.scene, turn.speaker
    values = {
        "rules": _rules(config, scene.language),
        "scenario": place.scenario or "(Not told.)",
        "name": name,
        "self": view.notes(place, name) or "(Nothing.)",
        "others": view.met(place, name=name),
        "history": view.transcript(scene.done, name=name, turns=config.scene_turns),
        "turn": _text(turn),
    }
    standing = _standing(config, scene, turn)
    told = f"\n(It was given before and refused: {fault.replace('_', ' ')}.)"
    return FreeAsk(
        stage="role_thinking",
        item_id=f"{scene.dialogue.id}/{turn.id}",
        messages=lambda _: fill("enrich_turn", {**values, "fault": told}),
        read=lambda reply: accept(
            read_texts(reply, ("turn",))["turn"], source=turn, standing=standing, passage=scene.passage
        ),
        max_tokens=size(turn) + 2 * config.added_words + tokens(turn.speech()),
        schema=object_of({"turn": {"type": "string"}}),
        retries=0,
    )


def read_rows(reply: Reply, asked: Sequence[Turn]) -> Rows:
    """The rows of an answer by turn id. Raises TeacherError where it has none; a row that is doubled, out of order or
    under another speaker's name has its fault in place of its text."""
    listed = read_object(reply, ("turns",))["turns"]
    speakers = {t.id: t.speaker for t in asked}
    order = {t.id: k for k, t in enumerate(asked)}
    rows: dict[str, str] = {}
    last = -1
    for row in listed if isinstance(listed, list) else ():
        ident, text = (row.get("id"), row.get("turn")) if isinstance(row, dict) else (None, None)
        if not isinstance(ident, str) or not isinstance(text, str):
            continue
        if ident in rows:
            rows[ident] = "!repeated_turn"
        elif ident not in order:
            rows[ident] = ""
        elif row.get("speaker") != speakers[ident]:
            rows[ident] = "!speaker"
        elif order[ident] < last:
            rows[ident] = "!order"
        else:
            rows[ident] = text
        last = max(last, order.get(ident, last))
    if not any(ident in rows for ident in order):
        raise TeacherError(f"no row for any of {len(asked)} turns", "not_json")
    return rows


def _standing(config: SynthConfig, scene: _Scene, turn: Turn) -> Standing:
    place, name = scene.dialogue.scene, turn.speaker
    me = view.knows(place, name)
    done = {t.id: t for t in scene.done}
    everyone = [done.get(t.id, t) for t in scene.dialogue.turns]
    values = {"fault": "", "rules": "", "scenario": "", "cast": "", "before": "", "turns": ""}
    return Standing(
        language=scene.language,
        forms=(me.name, *me.aliases),
        others=tuple(n for n in place.names() if n != name),
        hidden=view.minds(place, everyone, name=name),
        known=view.known(place, scene.done, name=name),
        earlier=tuple(view.own_thoughts(scene.done, name)),
        added=tuple(scene.added),
        most_added=config.added_words,
        least_similar=config.speech_kept,
        example=fill("enrich", values)[2].content,
    )


def _rules(config: SynthConfig, spoken: Language) -> str:
    return fill_text("enrich_rules", {"words": str(config.added_words), "language": LANGUAGES[spoken]})


def _text(turn: Turn) -> str:
    try:
        return render_turn(turn, name_prefix=False, system_thinking=False)
    except TagError:  # its speech begins with its speaker's name, and is read back right only behind that name
        return render_turn(turn, system_thinking=False)


def _row(turn: Turn) -> str:
    return json.dumps({"id": turn.id, "speaker": turn.speaker, "turn": _text(turn)}, ensure_ascii=False)


def _shown(turn: Turn) -> str:
    """A turn that is not asked for, as one line of JSON, so that nothing in it can pass for a row that is."""
    text = "" if turn.speaker == ENVIRONMENT and not turn.parts else view.script(turn)
    return json.dumps(text, ensure_ascii=False)
