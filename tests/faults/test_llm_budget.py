"""A budget is a hard cap: never passed, counted from what was spent before, and refused where a price is not known."""

import asyncio
from pathlib import Path

import pytest
from fast_clock import FastClock
from faulty_upstream import FaultyUpstream, First, Sound
from small_pipeline import items, work

from her.errors import BudgetError, ConfigError, HerError
from her.llm import Budget, Ledger, LedgerModel, Request, Usage, open_model
from her.llm.budget import dearest
from her.llm.http import EndpointModel
from her.llm.prices import FREE, Price, cost_usd, price
from her.schema import Message

REQUEST = Request(messages=(Message(role="user", content="Say it."),), max_tokens=64, temperature=0)


@pytest.fixture(autouse=True)
def own_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "prices.toml"
    table.write_text(
        'as_of = "2026-11-24"\n[[price]]\nhost = "127.0.0.1"\nmodels = ["m*"]\ninput = 10.0\noutput = 100.0\n'
    )
    monkeypatch.setenv("HER_PRICES", str(table))


def test_prices_are_dated_exact_by_host_and_unknown_where_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert price("openai:gpt-4.1@https://api.openai.com/v1") == Price(input_usd=2, output_usd=8, as_of="2026-11-24")
    assert price("openai:gpt-4.1-2025-04-14@https://api.openai.com/v1") is not None
    assert price("openai:gpt-4.1-nano@https://api.openai.com/v1") is None
    assert price("openai:gpt-4.1@https://api.openai.com.evil.example/v1") is None
    assert price("openai:m1@http://127.0.0.1:1/v1,http://127.0.0.1:2/v1") is not None
    assert price("openai:m1@http://127.0.0.1:1/v1,http://10.0.0.1:2/v1") is None
    assert price("local:smollm2-135m") == price("gguf:123") == price("scripted:x") == FREE
    known = price("openai:m1@http://127.0.0.1:1/v1")
    assert known is not None
    assert cost_usd(known, Usage(prompt_tokens=1000, completion_tokens=100)) == pytest.approx(0.02)
    monkeypatch.setenv("HER_PRICES", "/nowhere.toml")
    with pytest.raises(ConfigError, match="HER_PRICES"):
        price("openai:m1@http://127.0.0.1:1/v1")


def test_an_estimate_is_above_what_text_takes() -> None:
    english = Request(messages=(Message(role="user", content="word " * 300),), max_tokens=50, temperature=0)
    chinese = Request(messages=(Message(role="user", content="灯" * 300),), max_tokens=50, temperature=0)
    assert dearest(english).prompt_tokens >= 300
    assert dearest(chinese).prompt_tokens >= 300
    assert dearest(english).completion_tokens == 50


def test_a_budget_is_never_passed_and_the_run_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    # A call costs 20 tokens in and 10 out: 0.0012 USD; at its dearest, about 0.0068.
    async def run(url: str, usd: float) -> tuple[str, float, int]:
        with Ledger(tmp_path / "ledger") as ledger:
            budget = Budget(usd)
            budget.count(ledger)
            model = EndpointModel("m1", url, budget=budget, clock=FastClock())
            try:
                await work(items(20), LedgerModel(model, ledger, stage="s"), concurrency=8)
                end = "done"
            except BudgetError as e:
                end = "stopped" if "raise the budget" in str(e) else str(e)
            await model.close()
        with Ledger(tmp_path / "ledger") as ledger:  # what was being stored when the run ended is stored
            tally = ledger.tally("s")
        assert tally.cost_usd is not None
        assert tally.cost_usd <= usd
        return end, tally.cost_usd, tally.calls

    with FaultyUpstream(Sound(), delay_s=0.01) as up:
        assert asyncio.run(run(up.url, 0.01))[0] == "stopped"
        end, cost, calls = asyncio.run(run(up.url, 0.03))
        assert end == "stopped"
        assert cost > 0.02  # waiting calls were let go as others turned out cheap
        assert calls == sum(s.whole for s in up.served.values())  # what was under way at the end is not lost
        assert asyncio.run(run(up.url, 0.03))[0] == "stopped"
        assert asyncio.run(run(up.url, 1.0)) == ("done", pytest.approx(40 * 0.0012), 40)
        assert up.paid_twice() == 0


def test_attempts_that_may_have_been_charged_are_counted_and_refused_ones_are_not() -> None:
    async def spent(fault: str) -> float:
        with FaultyUpstream(First(name=fault)) as up:
            budget = Budget(1.0)
            model = EndpointModel("m1", up.url, budget=budget, clock=FastClock())
            await model.reply(REQUEST)
            await model.close()
            return budget.spent_usd

    assert asyncio.run(spent("server_error")) == pytest.approx(0.0012)
    assert asyncio.run(spent("truncated_json")) > 0.006
    assert asyncio.run(spent("no_usage")) > 0.006


def test_an_unknown_price_or_a_budget_of_nothing_is_an_error_before_anything_is_spent(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="HER_PRICES"):
        open_model("openai:who@http://127.0.0.1:1/v1", budget=Budget(1.0))
    for usd in (0.0, -1.0, float("nan")):
        with pytest.raises(BudgetError):
            Budget(usd)
    assert BudgetError("x").exit_code == 3
    assert isinstance(BudgetError("x"), HerError)


def test_tallies_know_that_they_do_not_know(tmp_path: Path) -> None:
    async def run(model: str, url: str) -> None:
        served = EndpointModel(model, url)
        await LedgerModel(served, ledger, stage=model).reply(REQUEST)
        await served.close()

    with FaultyUpstream(Sound()) as up, Ledger(tmp_path / "l") as ledger:
        asyncio.run(run("m1", up.url))
        assert ledger.cost_usd() == pytest.approx(0.0012)
        asyncio.run(run("other", up.url))
        assert ledger.tally("other").cost_usd is None
        assert ledger.cost_usd() is None
        with pytest.raises(BudgetError, match="price is not known"):
            Budget(1.0).count(ledger)
