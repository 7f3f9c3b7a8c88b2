"""Metrics: what is counted on a policy's replies, with no judge involved.

Owns the arithmetic from replies to estimates. Every share says of how many; what could not be read is counted beside it
and never scored.
"""

from collections import Counter
from collections.abc import Sequence

from her.evals.leaks import LeakKind, leaks, visible_words
from her.renderers.layouts import LayoutStats, layout_stats
from her.schema import Record
from her.simulation import Spoken
from her.stats import Estimate, clustered_mean, share

FOREIGN_SPEECH = "foreign_speech"


class Reply(Record):
    """One reply of a policy under examination, with all that was measured on it."""

    policy: str
    cluster: str
    """The scene it belongs to: replies of one scene are not independent."""
    prompt_id: str
    sample_index: int
    character: str
    spoken: Spoken
    leaks: tuple[LeakKind, ...]
    words: int | None
    """Visible words; None where the reply could not be read."""


class PolicyMetrics(Record):
    """A policy's replies, summed up."""

    policy: str
    n: int
    scenes: int
    """How many scenes the replies come from."""
    unread: int
    """Replies with nothing readable. They are not well-formed, and have no leaks, words or layout."""
    well_formed: Estimate
    """Share of all replies that the strict reader takes."""
    faults: dict[str, int]
    """Replies by fault; one reply may have several."""
    speaks_for_others: Estimate
    """Share of all replies that give lines to someone else."""
    leaks: Estimate
    """Share of readable replies that show others something hidden."""
    leak_kinds: dict[str, int]
    repaired: Estimate
    """Share of readable replies in which the lenient reader had to repair something."""
    words: Estimate
    """Mean visible words of readable replies, resampled by scene."""
    layouts: LayoutStats
    """Orders of thought, action and speech."""
    mean_completion_tokens: float | None
    """Tokens written per reply; None where no engine counted them."""


def as_reply(spoken: Spoken, *, policy: str, cluster: str, prompt_id: str, sample_index: int, character: str) -> Reply:
    """A reply with its leaks and length."""
    turn = spoken.turn
    return Reply(
        policy=policy,
        cluster=cluster,
        prompt_id=prompt_id,
        sample_index=sample_index,
        character=character,
        spoken=spoken,
        leaks=() if turn is None else leaks(turn),
        words=None if turn is None else visible_words(turn),
    )


def measure(policy: str, replies: Sequence[Reply], *, seed: int) -> PolicyMetrics:
    """Sum up one policy's replies."""
    read = [r for r in replies if r.spoken.turn is not None]
    turns = [r.spoken.turn for r in read if r.spoken.turn is not None]
    faults = Counter(f for r in replies for f in set(r.spoken.form.faults))
    kinds = Counter(k for r in read for k in r.leaks)
    counted = [r.spoken.usage.completion_tokens for r in replies if r.spoken.usage is not None]
    return PolicyMetrics(
        policy=policy,
        n=len(replies),
        scenes=len({r.cluster for r in replies}),
        unread=len(replies) - len(read),
        well_formed=share(sum(r.spoken.form.ok for r in replies), len(replies)),
        faults=dict(sorted(faults.items())),
        speaks_for_others=share(faults[FOREIGN_SPEECH], len(replies)),
        leaks=share(sum(bool(r.leaks) for r in read), len(read)),
        leak_kinds=dict(sorted(kinds.items())),
        repaired=share(sum(bool(r.spoken.repairs) for r in read), len(read)),
        words=clustered_mean(
            [float(r.words) for r in read if r.words is not None], [r.cluster for r in read], seed=seed
        ),
        layouts=layout_stats(turns),
        mean_completion_tokens=sum(counted) / len(counted) if counted else None,
    )
