"""Budget: a hard cap on what a run may spend.

A call is let go only if all that is spent, all that is under way and the call itself, at its dearest, stay within the
cap. What a call takes at most is estimated from its prompt and `max_tokens`; when its reply is there, the estimate
gives way to what the endpoint counted. So a run stops before its cap, never after, as far as the price list is right.
Knows tokens and money, no wire.
"""

import asyncio

from her.errors import BudgetError
from her.llm.ledger import Ledger
from her.llm.model import Request, Usage
from her.llm.prices import Price, cost_usd

_BYTES_PER_TOKEN = 3
"""Of UTF-8: English has more to a token (so it is estimated high), and a CJK character, about a token, has three."""
_TOKENS_PER_MESSAGE = 8
"""Role and separators, generously."""


def dearest(request: Request) -> Usage:
    """The most tokens that a call is expected to be charged for."""
    texts = [m.content for m in request.messages] + [request.prefill, request.json_schema or ""]
    size = sum(len(t.encode("utf-8", "replace")) for t in texts)
    prompt = -(-size // _BYTES_PER_TOKEN) + _TOKENS_PER_MESSAGE * (len(request.messages) + 1)
    return Usage(prompt_tokens=prompt, completion_tokens=request.max_tokens)


class Budget:
    """One cap for all the models it is handed to. Not for several event loops at a time."""

    def __init__(self, usd: float) -> None:
        if not usd > 0:
            raise BudgetError(f"a budget of {usd} USD pays for nothing; give more than 0")
        self.usd = usd
        self.spent_usd = 0.0
        self._held_usd = 0.0
        self._holding = 0
        self._over = False
        self._waiting: list[asyncio.Future[None]] = []
        self._counted: set[str] = set()

    def count(self, ledger: Ledger) -> None:
        """Count what a ledger says was spent before: the cap is on the run, however often it goes on. Once only."""
        path = str(ledger.path.resolve())
        if path in self._counted:
            return
        spent_usd = ledger.cost_usd()
        if spent_usd is None:
            raise BudgetError(f"{ledger.path} holds calls whose price is not known; add it to a table in HER_PRICES")
        self._counted.add(path)
        self.spent_usd += spent_usd

    async def hold(self, price: Price, request: Request) -> float:
        """Set the most that a call may cost aside and return it, in USD. Waits while calls are under way: they may
        turn out cheap enough, and a run that ends before them loses what they cost. Then raises BudgetError."""
        usd = cost_usd(price, dearest(request))
        while self._over or self.spent_usd + self._held_usd + usd > self.usd:
            if self._over or self._holding == 0:
                # Whoever comes after the first who found no room must not be let go: the run is about to end.
                self._over = True
                raise BudgetError(
                    f"the next call may cost {usd:.4f} USD, and {self.spent_usd:.4f} of {self.usd:g} USD are spent; "
                    "raise the budget and run the same again: what was paid is kept"
                )
            settled = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        self._held_usd += usd
        self._holding += 1
        return usd

    def charge(self, usd: float) -> None:
        """Count what was paid, or may have been."""
        self.spent_usd += usd

    def release(self, usd: float) -> None:
        """Give back what `hold` set aside."""
        self._holding -= 1
        # Nothing is left of sums of floats when nobody holds anything.
        self._held_usd = self._held_usd - usd if self._holding else 0.0
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)
