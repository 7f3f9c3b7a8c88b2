"""System thinking: the third-person plan for playing a character's next turn (HER stage 2).

Two steps. The draft is written without the reply, from what the character knows. The rewrite then leads to the real
reply: it sees what the character could know at that turn, the character's own reply, and the draft. Neither ever sees
another's thought, another's motive, an earlier plan, or a later turn; an answer that repeats one of the first or the
third is refused. Where no rewrite passes, the draft does not stand in for it: a plan that leads elsewhere teaches the
wrong thing.
"""

import random
from collections.abc import Mapping, Sequence

from her.schema import Scene, Turn, Viewer
from her.synthesis import view
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.teacher import Answer, Ask, Teacher, Text, exact, fill, finished
from her.synthesis.text.perspective import check_plan, thoughts_of_others

_FEELINGS = (
    "calm", "uneasy", "curious", "proud", "afraid", "amused", "angry", "tired", "hopeful", "ashamed", "cautious",
    "eager", "hurt", "surprised", "impatient", "tender", "suspicious", "determined", "sad", "pleased", "guarded",
)  # fmt: skip
_AIMS = (
    "wants to", "tries to", "means to", "hopes to", "must", "should", "does not want to", "needs to", "chooses to",
)  # fmt: skip


async def plan(
    teacher: Teacher, *, scene: Scene, before: Sequence[Turn], turn: Turn, item_id: str, draft: str | None
) -> Answer[str]:
    """The rewrite towards `turn`, which carries the character's own thought where it has one."""
    return await teacher.ask(
        rewrite_question(teacher.config, scene=scene, before=before, turn=turn, item_id=item_id, draft=draft)
    )


def without_draft(reject: Reject) -> Reject:
    """Why a turn is planned without a draft. A request given up for good stays what it is."""
    if reject.reason == "dead_letter":
        return reject
    detail = f"{reject.reason}: {reject.detail}"
    return Reject(stage="system_thinking", item_id=reject.item_id, reason="no_draft", detail=detail[:200])


def draft_question(config: SynthConfig, *, scene: Scene, before: Sequence[Turn], name: str, item_id: str) -> Ask[str]:
    """How should `name` be played now? Asked without the reply."""
    return _question(config, "system_draft", scene=scene, before=before, name=name, item_id=item_id, more={}, reply="")


def rewrite_question(
    config: SynthConfig, *, scene: Scene, before: Sequence[Turn], turn: Turn, item_id: str, draft: str | None
) -> Ask[str]:
    """Lead the draft to what the character really does."""
    own = turn.seen_by(Viewer.character(turn.speaker))
    more = {"draft": draft or f"{turn.speaker} answers.", "reply": view.line(own, max_words=60)}
    return _question(
        config,
        "system_rewrite",
        scene=scene,
        before=before,
        name=turn.speaker,
        item_id=item_id,
        more=more,
        reply=turn.speech(),
    )


def _question(
    config: SynthConfig,
    prompt: str,
    *,
    scene: Scene,
    before: Sequence[Turn],
    name: str,
    item_id: str,
    more: Mapping[str, str],
    reply: str,
) -> Ask[str]:
    me = view.knows(scene, name)
    values = {
        "scenario": view.short(scene.scenario, limit_words=60),
        "name": me.name,
        "self": " ".join(view.short(f, limit_words=30) for f in (me.profile, me.background, me.motivation) if f),
        "history": view.history(before, name=me.name, turns=config.history_turns),
        **more,
    }
    hidden = thoughts_of_others(before, me.name)
    earlier = [t.system_thinking for t in before if t.speaker == me.name and t.system_thinking is not None]
    example = " ".join(m.content for m in fill(prompt, {**values, "fault": ""})[:-1])

    def check(answer: Mapping[str, str]) -> str:
        return check_plan(
            finished(answer["plan"]),
            name=me.name,
            aliases=me.aliases,
            context=" ".join((values["scenario"], values["self"], values["history"], *scene.names())),
            reply=reply,
            hidden=hidden,
            earlier=earlier,
            max_words=config.system_words,
            example=example,
        )

    opening = ""
    if config.guided:
        rng = random.Random(f"{config.seed}/{item_id}/{prompt}")
        feels, aims = "|".join(rng.sample(_FEELINGS, 8)), "|".join(rng.sample(_AIMS, 4))
        opening = f"{exact(me.name)} (feels|is|seems) ({feels})(,)? (and|but) ({aims}) "
    return Ask(
        stage="system_thinking",
        item_id=item_id,
        prompt=prompt,
        values=values,
        fields={"plan": Text(chars=110 if config.guided else 300, opening=opening)},
        check=check,
    )
