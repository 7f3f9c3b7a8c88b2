"""Likelihood: how probable a model finds a reply under three views of the same place.

Owns which views are scored and what text. Knows nothing of verdicts. The text is the reply as the judge may see it:
never system thinking, role thinking by the brief.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from her.llm.model import ScoreItem, Scorer
from her.renderers.roleplay import chat
from her.renderers.tags import render_turn
from her.reward.brief import Brief
from her.schema import Character, Comparison, Message, Scene, Turn, Viewer

View = Literal["persona", "stranger", "nowhere"]
"""persona: the character's own chat. stranger: the same history, but nothing is known of anyone. nowhere: a stranger,
and nothing was said before. persona - stranger is what the character explains of a reply; stranger - nowhere, what
the conversation explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """Log-probabilities of one reply in nats, summed over its `tokens`; views not asked for are absent."""

    logprobs: dict[View, float]
    tokens: int

    def gain(self, more: View, less: View, *, per_token: bool) -> float:
        """log p(reply | more) - log p(reply | less)."""
        total = self.logprobs[more] - self.logprobs[less]
        return total / self.tokens if per_token else total


def stranger(scene: Scene) -> Scene:
    """The scene with nothing told of it: the names stay, because the history uses them."""
    return Scene(
        id=scene.id,
        book_id=None,
        chapter=None,
        scenario="Some people talk.",
        characters=tuple(Character(name=c.name) for c in scene.characters),
    )


def messages(place: Comparison, view: View) -> tuple[Message, ...]:
    """The chat under which a reply at this place is scored."""
    return chat(
        place.scene if view == "persona" else stranger(place.scene),
        () if view == "nowhere" else place.history,
        place.character,
        history_policy="drop_own_system",
        system_thinking=False,
    )


def reply_text(turn: Turn, *, brief: Brief) -> str:
    """What of a reply is scored; empty where the judge may see nothing of it."""
    seen = turn.seen_by(Viewer.judge(role_thinking=brief.role_thinking))
    return render_turn(seen, name_prefix=True, system_thinking=False) if seen.parts else ""


async def likelihoods(
    scorer: Scorer, replies: Sequence[tuple[Comparison, Turn]], *, views: Sequence[View], brief: Brief
) -> list[Likelihood | None]:
    """One per reply, in order; None where nothing of the reply may be seen. Equal questions are scored once."""
    index: dict[ScoreItem, int] = {}
    asked: list[dict[View, int] | None] = []
    for place, turn in replies:
        text = reply_text(turn, brief=brief)
        if not text:
            asked.append(None)
            continue
        cut = brief.comparison(place)
        asked.append({v: index.setdefault(ScoreItem(messages=messages(cut, v), text=text), len(index)) for v in views})
    scores = await scorer.score(list(index)) if index else []
    return [
        None
        if at is None
        else Likelihood(
            logprobs={v: scores[i].logprob for v, i in at.items()},
            tokens=max(1, scores[at[views[0]]].tokens),
        )
        for at in asked
    ]
