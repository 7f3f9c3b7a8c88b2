"""What the scoring service is asked and what it answers.

Owns the wire records and how a `GroupScore` becomes one. Numbers keep their bits: a float is written in the shortest
form that reads back as itself. Answers repeat no text of a reply: whoever asks has it, and a log should not.
"""

import math
from collections.abc import Sequence

from pydantic import Field

from her.llm.model import FinishReason
from her.reward.games import ANCHOR
from her.reward.gates import Objective, objectives
from her.reward.score import GroupScore, PlayedGame
from her.schema import Record, RLPrompt

MOST = 256
"""Replies in a group. A circulant of so many is 512 judge calls; more is a mistake."""


class ReplyIn(Record):
    """One sampled reply, raw."""

    text: str = Field(max_length=200_000)
    """Longer than any gate lets pass; what is longer still is refused unread."""
    finish_reason: FinishReason | None
    """None: the caller does not know."""


class GroupIn(Record):
    """A whole group: every reply to one prompt."""

    prompt: RLPrompt
    replies: tuple[ReplyIn, ...] = Field(min_length=1, max_length=MOST)


class MemberIn(Record):
    """One reply of a group that arrives in pieces."""

    cohort: str = Field(min_length=1, max_length=200)
    """Names the group; every member brings the same, and no other group does."""
    size: int = Field(ge=1, le=MOST)
    """Members of the cohort when whole."""
    index: int = Field(ge=0)
    prompt: RLPrompt
    reply: ReplyIn
    deadline_s: float | None = Field(default=None, gt=0, le=3600)
    """How long the first member to arrive waits for the others; None leaves it to the service."""


class ReplyOut(Record):
    """What one reply came to."""

    index: int
    reward: float | None
    """None: unknown. Leave the reply out of the loss; it is not zero."""
    uncertainty: float | None
    gated: str | None
    faults: tuple[str, ...]
    objectives: dict[Objective, bool]
    games: int
    unread: int
    wins: int
    ties: int


class GroupOut(Record):
    """What a group came to. Games name members by index; -1 is the reference."""

    cohort: str | None
    size: int
    absent: tuple[int, ...]
    """Members that had not come by the deadline."""
    belief: float | None
    baseline: float | None
    """Mean of the known rewards: the value that gives an unknown one no advantage, for trainers that cannot leave a
    reply out. None where none is known."""
    replies: tuple[ReplyOut, ...]
    games: tuple[PlayedGame, ...]


class MemberOut(Record):
    """What one member of a cohort came to, with the games it was in."""

    cohort: str
    size: int
    absent: tuple[int, ...]
    belief: float | None
    baseline: float | None
    reply: ReplyOut
    games: tuple[PlayedGame, ...]


def group_out(score: GroupScore, members: Sequence[int], *, cohort: str | None, size: int) -> GroupOut:
    """A score as an answer; `members` are the indices of those who were scored, in order."""
    places = dict(enumerate(members)) | {ANCHOR: ANCHOR}
    known = [r.reward for r in score.replies if r.reward is not None]
    return GroupOut(
        cohort=cohort,
        size=size,
        absent=tuple(sorted(set(range(size)) - set(members))),
        belief=score.belief,
        baseline=math.fsum(known) / len(known) if known else None,
        replies=tuple(
            ReplyOut(
                index=index,
                reward=r.reward,
                uncertainty=r.uncertainty,
                gated=r.gated,
                faults=r.faults,
                objectives=objectives(r.faults),
                games=r.games,
                unread=r.unread,
                wins=r.wins,
                ties=r.ties,
            )
            for index, r in zip(members, score.replies, strict=True)
        ),
        games=tuple(PlayedGame(first=places[g.first], second=places[g.second], verdict=g.verdict) for g in score.games),
    )


def member_out(group: GroupOut, index: int) -> MemberOut:
    """The part of a cohort's answer that is one member's."""
    return MemberOut(
        cohort=group.cohort or "",
        size=group.size,
        absent=group.absent,
        belief=group.belief,
        baseline=group.baseline,
        reply=next(r for r in group.replies if r.index == index),
        games=tuple(g for g in group.games if index in (g.first, g.second)),
    )
