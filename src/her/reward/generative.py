"""GenerativeJudge: a chat model that writes its verdict, or is caught about to write it.

Owns the asking. What is asked in each mode is `asking`; what is shown is `brief`; the rules of an independent judge are
`writer`'s. Style `json`: the whole verdict, constrained by schema, at temperature 0. Style `label`: the reply is opened
for the model up to the one token in which the two verdicts differ, and that token's probabilities are the answer: one
token instead of sixty, and a margin for free. Both orders are then averaged, so a habit of position cancels.
"""

import asyncio
import math
from collections.abc import Sequence

from her.errors import DeadLetterError, ReplyError
from her.llm.model import ChatModel, Reply, Request
from her.renderers.judging import Rule, render_verdict
from her.reward.asking import answer_schema, question, read_answer
from her.reward.brief import FULL, Brief
from her.reward.pack import Pack
from her.reward.writer import RuleWriter
from her.schema import Comparison, Decided, Unparsed, Verdict
from her.store import canonical, sha256_text

_BOTH = tuple(render_verdict(Decided(winner=w)) for w in ("cand_1", "cand_2"))
LABEL_PREFILL = _BOTH[0][: next(i for i, (a, b) in enumerate(zip(*_BOTH, strict=True)) if a != b)]
"""A verdict without findings, up to the character that decides."""
LABEL_REST = tuple(text[len(LABEL_PREFILL) :] for text in _BOTH)
"""What follows it, for cand_1 and for cand_2."""
_MIN_MASS = 0.02
"""A model that gives both labels together less than this was about to write something else: unread."""


class GenerativeJudge:
    """A judge out of a chat model and a principle pack. The pack counts only where the brief's mode is `pack`."""

    def __init__(
        self,
        model: ChatModel,
        pack: Pack,
        *,
        brief: Brief = FULL,
        max_tokens: int = 700,
        tie_band: float = 0.0,
        swap_average: bool = True,
        concurrency: int = 4,
    ) -> None:
        self.name = model.name if brief.verdict_style == "json" else f"{model.name} (label)"
        self.positional = brief.verdict_style == "json" or not swap_average
        self._model = model
        self._brief = brief
        self._pack = pack
        self._writer = RuleWriter(model, brief) if brief.mode == "independent" else None
        self._max_tokens = max_tokens
        self._tie_band = tie_band
        self._concurrency = concurrency
        known = [pack.hash, answer_schema(pack.principles, brief)] if brief.mode == "pack" else [brief.mode]
        settings = [*known, brief.model_dump(mode="json"), max_tokens, tie_band, swap_average]
        self.fingerprint = sha256_text(canonical([model.fingerprint, *settings]))

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        gate = asyncio.Semaphore(self._concurrency)
        if self._writer is not None:
            await self._writer.prepare([self._brief.comparison(c) for c in comparisons], gate)

        async def one(comparison: Comparison) -> Verdict:
            if self.positional:
                async with gate:
                    return await self._ask(comparison)
            async with gate:
                first = await self._ask(comparison)
            async with gate:
                second = (await self._ask(comparison.swap())).swap()
            return self._average(first, second)

        return list(await asyncio.gather(*(one(c) for c in comparisons)))

    async def _ask(self, comparison: Comparison) -> Verdict:
        cut = self._brief.comparison(comparison)
        rules: Sequence[Rule] = self._brief.principles(self._pack)
        nameable: Sequence[Rule] = self._pack.principles
        if self._writer is not None:
            written = self._writer.rules(cut)
            if isinstance(written, Unparsed):
                return written
            rules = nameable = written
        label = self._brief.verdict_style == "label"
        request = Request(
            messages=question(cut, rules, self._brief),
            max_tokens=1 if label else self._max_tokens,
            temperature=0.0,
            prefill=LABEL_PREFILL if label else "",
            json_schema=None if label else answer_schema(nameable, self._brief),
            top_logprobs=20 if label else 0,
        )
        try:
            reply = await self._model.reply(request)
        except DeadLetterError as e:
            return Unparsed(reason=e.reason)
        except ReplyError:
            # An endpoint that is down stops the run; one that answered nonsense once costs one verdict.
            return Unparsed(reason="no_reply")
        if label:
            return read_label(reply, tie_band=self._tie_band)
        if reply.finish_reason != "stop":
            return Unparsed(reason="truncated" if reply.finish_reason == "length" else "filtered")
        return read_answer(reply.text, mode=self._brief.mode, most=self._brief.most_written)

    def _average(self, first: Verdict, second: Verdict) -> Verdict:
        if isinstance(first, Unparsed):
            return first
        if isinstance(second, Unparsed):
            return second
        if first.margin is None or second.margin is None:
            return Decided(winner=first.winner if first.winner == second.winner else "tie")
        return _decide((first.margin + second.margin) / 2, tie_band=self._tie_band)


def read_label(reply: Reply, *, tie_band: float) -> Verdict:
    """The verdict in the first token's alternatives; in its text where the engine gives no probabilities."""
    if not reply.logprobs:
        found = [w for w, rest in zip(("cand_1", "cand_2"), LABEL_REST, strict=True) if _begins(rest, reply.text)]
        if len(found) != 1:
            return Unparsed(reason="no_label")
        return Decided(winner="cand_1" if found == ["cand_1"] else "cand_2")
    token = reply.logprobs[0]
    alternatives = dict(token.top)
    alternatives.setdefault(token.token, token.logprob)
    mass = [sum(math.exp(p) for t, p in alternatives.items() if _begins(rest, t)) for rest in LABEL_REST]
    if sum(mass) < _MIN_MASS:
        return Unparsed(reason="no_label")
    # A label outside the reported alternatives is at most as likely as the least of them.
    floor = max(math.exp(min(alternatives.values())), 1e-9)
    return _decide(math.log(max(mass[0], floor)) - math.log(max(mass[1], floor)), tie_band=tie_band)


def _begins(rest: str, text: str) -> bool:
    """Does `text` go on as this verdict would, up to the character that decides at least?"""
    text = text.lstrip()
    return bool(text) and (rest.startswith(text) or text.startswith(rest))


def _decide(margin: float, *, tie_band: float) -> Decided:
    if abs(margin) <= tie_band:
        return Decided(winner="tie", margin=margin)
    return Decided(winner="cand_1" if margin > 0 else "cand_2", margin=margin)
