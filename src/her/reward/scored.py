"""ScoredJudge: a verdict read from how likely each of the two answers is.

The same question as `generative`'s label style, asked of a `Scorer`: log p(cand_1) - log p(cand_2) for the token in
which the two verdicts differ, after one shared prompt. What they have in common is given, and what follows the label
is not asked for: this is the judge's own choice, exact and without sampling, and one reading of the prompt gives both.
What the games of a group have in common (instructions, character, scene, conversation, the first candidate) is read
once for all. Both orders are averaged, so a habit of position cancels; or one is read, where the schedule of games sees
to that.
"""

from collections.abc import Sequence

from her.llm.model import ScoreItem, Scorer
from her.renderers.judging import judge_messages
from her.reward.brief import SMALL, Brief
from her.reward.generative import LABEL_PREFILL, LABEL_REST
from her.reward.pack import Pack
from her.schema import Comparison, Decided, Message, Verdict
from her.store import canonical, sha256_text


class ScoredJudge:
    """A judge out of a scorer and a principle pack. `margin` is in nats, averaged over the orders that were read."""

    def __init__(
        self,
        scorer: Scorer,
        pack: Pack,
        *,
        brief: Brief = SMALL,
        tie_band_nats: float = 0.0,
        swap_average: bool = True,
    ) -> None:
        self.name = f"label:{scorer.name}"
        self.positional = not swap_average
        settings = [scorer.fingerprint, pack.hash, brief.model_dump(mode="json"), tie_band_nats, swap_average]
        self.fingerprint = sha256_text(canonical(["scored-token", *settings]))
        self._scorer = scorer
        self._brief = brief
        self._principles = brief.principles(pack)
        self._tie_band_nats = tie_band_nats

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        orders = [(c,) if self.positional else (c, c.swap()) for c in comparisons]
        asked = [self._messages(c) for pair in orders for c in pair]
        labels = (LABEL_REST, LABEL_REST[::-1])
        items = [ScoreItem(messages=m, prefill=LABEL_PREFILL, text=a, against=b) for m in asked for a, b in labels]
        scores = await self._scorer.score(items) if items else []
        gaps = [a.logprob - b.logprob for a, b in zip(scores[::2], scores[1::2], strict=True)]
        if self.positional:
            return [self._verdict(gap) for gap in gaps]
        return [self._verdict((a - b) / 2) for a, b in zip(gaps[::2], gaps[1::2], strict=True)]

    def _messages(self, comparison: Comparison) -> tuple[Message, ...]:
        cut = self._brief.comparison(comparison)
        return judge_messages(cut, self._principles, role_thinking=self._brief.role_thinking)

    def _verdict(self, margin: float) -> Verdict:
        if abs(margin) <= self._tie_band_nats:
            return Decided(winner="tie", margin=margin)
        return Decided(winner="cand_1" if margin > 0 else "cand_2", margin=margin)
