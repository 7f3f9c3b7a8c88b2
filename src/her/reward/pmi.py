"""PMIJudge: the reply that its place explains better wins.

Pointwise mutual information of a reply and where it stands: log p(reply | the character's chat) - log p(reply | less).
Less is `nowhere` (no persona, no history: the default, and the cheapest, for that prompt is short and shared) or
`stranger` (the same history without the persona). Per token, because a sum pays for length. It needs no training and no
verdict to parse, and cannot depend on the order of the candidates. It measures fit and nothing else: it does not see
lies, leaks or dullness.
"""

from collections.abc import Sequence
from typing import Literal

from her.llm.model import Scorer
from her.reward.brief import FULL, Brief
from her.reward.likelihood import View, likelihoods
from her.schema import Comparison, Decided, Unparsed, Verdict
from her.store import canonical, sha256_text


class PMIJudge:
    """A judge out of a scorer. `margin` is the difference of gains in nats (per token, or summed over the reply)."""

    positional = False

    def __init__(
        self,
        scorer: Scorer,
        *,
        against: Literal["nowhere", "stranger"] = "nowhere",
        per_token: bool = True,
        tie_band_nats: float = 0.0,
        brief: Brief = FULL,
    ) -> None:
        self.name = f"pmi:{scorer.name}"
        settings = [against, per_token, tie_band_nats, brief.model_dump(mode="json")]
        self.fingerprint = sha256_text(canonical(["pmi", scorer.fingerprint, *settings]))
        self._scorer = scorer
        self._against: View = against
        self._per_token = per_token
        self._tie_band_nats = tie_band_nats
        self._brief = brief

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        replies = [(c, turn) for c in comparisons for turn in (c.cand_1, c.cand_2)]
        views: tuple[View, View] = ("persona", self._against)
        found = await likelihoods(self._scorer, replies, views=views, brief=self._brief)
        gains = [None if f is None else f.gain(*views, per_token=self._per_token) for f in found]
        return [verdict(a, b, tie_band=self._tie_band_nats) for a, b in zip(gains[::2], gains[1::2], strict=True)]


def verdict(first: float | None, second: float | None, *, tie_band: float) -> Verdict:
    """The verdict of two scores. A score that could not be had leaves the comparison unread."""
    if first is None or second is None:
        return Unparsed(reason="nothing_to_score")
    margin = first - second
    if abs(margin) <= tie_band:
        return Decided(winner="tie", margin=margin)
    return Decided(winner="cand_1" if margin > 0 else "cand_2", margin=margin)
