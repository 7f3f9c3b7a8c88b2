"""PMIJudge: the reply that its character explains better wins.

Pointwise mutual information of reply and persona, log p(reply | character's chat) - log p(reply | a stranger's chat,
same history). It needs no training and no verdict to parse, and cannot depend on the order of the candidates. It
measures fit to the persona and nothing else: it does not see lies, leaks or dullness.
"""

from collections.abc import Sequence

from her.llm.model import Scorer
from her.reward.brief import FULL, Brief
from her.reward.likelihood import View, likelihoods
from her.schema import Comparison, Decided, Unparsed, Verdict
from her.store import sha256_text


class PMIJudge:
    """A judge out of a scorer. `margin` is the difference of gains in nats (per token, or summed over the reply)."""

    positional = False

    def __init__(
        self, scorer: Scorer, *, per_token: bool = True, tie_band_nats: float = 0.0, brief: Brief = FULL
    ) -> None:
        self.name = f"pmi:{scorer.name}"
        self.fingerprint = sha256_text(
            f"pmi {scorer.fingerprint} {per_token} {tie_band_nats} {brief.model_dump_json()}"
        )
        self._scorer = scorer
        self._per_token = per_token
        self._tie_band_nats = tie_band_nats
        self._brief = brief

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        replies = [(c, turn) for c in comparisons for turn in (c.cand_1, c.cand_2)]
        views: tuple[View, View] = ("persona", "stranger")
        found = await likelihoods(self._scorer, replies, views=views, brief=self._brief)
        gains = [None if f is None else f.gain("persona", "stranger", per_token=self._per_token) for f in found]
        return [verdict(a, b, tie_band=self._tie_band_nats) for a, b in zip(gains[::2], gains[1::2], strict=True)]


def verdict(first: float | None, second: float | None, *, tie_band: float) -> Verdict:
    """The verdict of two scores. A score that could not be had leaves the comparison unread."""
    if first is None or second is None:
        return Unparsed(reason="nothing_to_score")
    margin = first - second
    if abs(margin) <= tie_band:
        return Decided(winner="tie", margin=margin)
    return Decided(winner="cand_1" if margin > 0 else "cand_2", margin=margin)
