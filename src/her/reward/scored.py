"""ScoredJudge: a verdict read from how likely each of the two answers is.

The same question as `generative`'s label style, asked of a `Scorer`: log p(verdict for cand_1) - log p(verdict for
cand_2) after one shared prompt. The verdicts differ in one token, so this is the judge's own choice, exact and without
sampling; engines read a prompt once for both. Both orders are averaged, so a habit of position cancels.
"""

from collections.abc import Sequence

from her.llm.model import ScoreItem, Scorer
from her.renderers.judging import judge_messages, render_verdict
from her.reward.brief import SMALL, Brief
from her.reward.pack import Pack
from her.schema import Comparison, Decided, Message, Verdict
from her.store import canonical, sha256_text

VERDICTS = tuple(render_verdict(Decided(winner=w)) for w in ("cand_1", "cand_2"))


class ScoredJudge:
    """A judge out of a scorer and a principle pack. `margin` is in nats, averaged over both orders."""

    positional = False

    def __init__(self, scorer: Scorer, pack: Pack, *, brief: Brief = SMALL, tie_band_nats: float = 0.0) -> None:
        self.name = f"label:{scorer.name}"
        settings = [scorer.fingerprint, pack.hash, brief.model_dump(mode="json"), tie_band_nats]
        self.fingerprint = sha256_text(canonical(["scored", *settings]))
        self._scorer = scorer
        self._brief = brief
        self._principles = brief.principles(pack)
        self._tie_band_nats = tie_band_nats

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        asked = [self._messages(c) for pair in comparisons for c in (pair, pair.swap())]
        scores = (
            await self._scorer.score([ScoreItem(messages=m, text=v) for m in asked for v in VERDICTS]) if asked else []
        )
        gaps = [a.logprob - b.logprob for a, b in zip(scores[::2], scores[1::2], strict=True)]
        return [self._verdict((a - b) / 2) for a, b in zip(gaps[::2], gaps[1::2], strict=True)]

    def _messages(self, comparison: Comparison) -> tuple[Message, ...]:
        cut = self._brief.comparison(comparison)
        return judge_messages(cut, self._principles, role_thinking=self._brief.role_thinking)

    def _verdict(self, margin: float) -> Verdict:
        if abs(margin) <= self._tie_band_nats:
            return Decided(winner="tie", margin=margin)
        return Decided(winner="cand_1" if margin > 0 else "cand_2", margin=margin)
