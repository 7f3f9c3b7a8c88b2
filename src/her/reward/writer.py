"""RuleWriter: the principles of an independent judge, written from a place before any reply to it is seen.

Owns asking once for each place and remembering the answer. Behind a ledgered model a place is paid for once in the life
of the ledger, in whatever order and however often its replies are compared.
"""

import asyncio
from collections.abc import Sequence

from her.errors import DeadLetterError, ReplyError
from her.llm.model import ChatModel, Request
from her.renderers.rules import WrittenRule, read_rules, rules_messages, rules_schema
from her.reward.brief import Brief
from her.schema import Comparison, Message, Unparsed

Written = tuple[WrittenRule, ...] | Unparsed
ATTEMPTS = 2
"""An answer that cannot be read costs every verdict at its place, so it is asked for once more, warmer."""


class RuleWriter:
    """Writes rules with a chat model."""

    def __init__(self, model: ChatModel, brief: Brief, *, max_tokens: int = 500) -> None:
        self._model = model
        self._brief = brief
        self._max_tokens = max_tokens
        self._known: dict[tuple[Message, ...], Written] = {}

    async def prepare(self, places: Sequence[Comparison], gate: asyncio.Semaphore) -> None:
        """Ask for the rules of every place that has none yet, `gate` at a time."""
        wanted = dict.fromkeys(m for p in places if (m := self._messages(p)) not in self._known)
        found = await asyncio.gather(*(self._write(m, gate) for m in wanted))
        self._known.update(zip(wanted, found, strict=True))

    def rules(self, place: Comparison) -> Written:
        """The rules of a place that was prepared, or why there are none."""
        return self._known[self._messages(place)]

    def _messages(self, place: Comparison) -> tuple[Message, ...]:
        return rules_messages(place, most=self._brief.most_written, role_thinking=self._brief.role_thinking)

    async def _write(self, messages: tuple[Message, ...], gate: asyncio.Semaphore) -> Written:
        most = self._brief.most_written
        written: Written = Unparsed(reason="rules.no_reply")
        for attempt in range(ATTEMPTS):
            request = Request(
                messages=messages,
                max_tokens=self._max_tokens,
                temperature=0.7 if attempt else 0.0,
                json_schema=rules_schema(most=most),
                sample_index=attempt,
            )
            try:
                async with gate:
                    reply = await self._model.reply(request)
            except DeadLetterError as e:
                written = Unparsed(reason=f"rules.{e.reason}")
                continue
            except ReplyError:
                continue
            if reply.finish_reason != "stop":
                written = Unparsed(reason="rules.truncated" if reply.finish_reason == "length" else "rules.filtered")
                continue
            found = read_rules(reply.text, most=most)
            if not isinstance(found, Unparsed):
                return found
            written = Unparsed(reason=f"rules.{found.reason}")
        return written
