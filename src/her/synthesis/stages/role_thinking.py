"""Role thinking: what a character thinks and does not say, one short text a turn (HER stage 1).

Owns the question and its check. The teacher sees the scene as this character knows it, the turns before as it saw
them, and its real words. Where no answer passes, the turn keeps its speech and has no thought.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from her.errors import TeacherError
from her.schema import Scene, Turn
from her.synthesis import view
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.teacher import Answer, Ask, Choice, Teacher, Text, fill, finished
from her.synthesis.text.perspective import check_action, check_thought, thoughts_of_others
from her.synthesis.text.wording import clip, sentences

_OPENINGS = (
    "I must ", "I hope ", "I wonder ", "I know ", "I wish ", "I fear ",
    "I cannot let ", "I hate that ", "I want ", "I see ",
    "If I ", "I should ", "I think ", "I doubt ", "I have to ", "I would rather ",
)  # fmt: skip
_ACTIONS = (
    "glances ", "looks ", "turns ", "leans ", "nods ", "smiles ", "frowns ", "sits ", "stands ", "steps ", "folds ",
    "lowers ", "raises ", "shakes ", "taps ", "pauses ", "lifts ", "sets ", "touches ", "draws ",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """A checked thought, and an action where one was asked for and passed."""

    text: str
    action: str | None
    refused: Reject | None = None
    """Of an action that was asked for and did not pass; the thought stands without it."""


async def think(
    teacher: Teacher, *, scene: Scene, before: Sequence[Turn], turn: Turn, item_id: str, action: bool
) -> Answer[Thought]:
    """Ask for the thought behind `turn`, whose parts are the book's. A refused action is a reject beside it."""
    answer = await teacher.ask(
        question(teacher.config, scene=scene, before=before, turn=turn, item_id=item_id, action=action)
    )
    return answer if answer.value is None else Answer(value=answer.value, reject=answer.value.refused)


def question(
    config: SynthConfig, *, scene: Scene, before: Sequence[Turn], turn: Turn, item_id: str, action: bool
) -> Ask[Thought]:
    """The question about one turn. Nothing that the character cannot know goes in; what comes out is checked."""
    me = view.knows(scene, turn.speaker)
    speech = clip((turn.speech()[a:b] for a, b in sentences(turn.speech())), limit_words=60) or "(nothing)"
    past = view.history(before, name=me.name, turns=config.history_turns)
    values = {
        "scenario": view.short(scene.scenario, limit_words=60),
        "name": me.name,
        "self": " ".join(view.short(f, limit_words=30) for f in (me.profile, me.background, me.motivation) if f),
        "history": past,
        "speech": speech,
    }
    rng = random.Random(f"{config.seed}/{item_id}/opening")
    openings = rng.sample(_OPENINGS, 8)
    first, again = _fields(config, openings[:4]), _fields(config, openings[4:])
    if action:
        opening = f"({'|'.join(rng.sample(_ACTIONS, 6))})" if config.guided else ""
        first["action"] = again["action"] = Text(chars=40, opening=opening)
    earlier = view.own_thoughts(before, me.name)
    hidden = thoughts_of_others(before, me.name)
    example = " ".join(m.content for m in fill("role_thinking", {**values, "fault": ""})[:-1])

    def check(answer: Mapping[str, str]) -> Thought:
        text = check_thought(
            finished(answer["thought"]),
            name=me.name,
            speech=turn.speech(),
            context=" ".join((values["scenario"], values["self"], past, *scene.names())),
            hidden=hidden,
            earlier=earlier,
            max_words=config.thought_words,
            example=example,
        )
        text = re.sub(r"\.$", "", text)
        if not action:
            return Thought(text=text, action=None)
        try:
            return Thought(text=text, action=check_action(answer["action"], name=me.name))
        except TeacherError as e:
            # Not asked again: a poor action does not cost a good thought.
            detail = str(e)[:200]
            refused = Reject(stage="role_thinking", item_id=item_id, reason=f"action_{e.reason}", detail=detail)
            return Thought(text=text, action=None, refused=refused)

    return Ask(
        stage="role_thinking",
        item_id=item_id,
        prompt="role_thinking",
        values=values,
        fields=first,
        again=again,
        check=check,
        max_tokens=80 if action else 55,
    )


def _fields(config: SynthConfig, openings: Sequence[str]) -> dict[str, Text | Choice]:
    if not config.guided:
        return {"thought": Text(chars=300)}
    return {"thought": Text(chars=110, opening=f"({'|'.join(openings)})")}
