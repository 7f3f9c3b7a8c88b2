"""Cost: what a synthesis asked for, at list prices, by stage.

Worked out from a report's tokens whenever it is read, and no part of the report: prices change, and what was made does
not. Calls found in the ledger count like paid ones; what was paid today is the ledger's to say.
"""

from her.llm import Usage
from her.llm.prices import FREE, cost_usd, price
from her.synthesis.result import SynthReport


def stage_costs(report: SynthReport) -> dict[str, float | None]:
    """USD by stage. None where nobody knows the teacher's price, or the endpoint did not say a call's size."""
    listed = price(report.teacher)
    costs: dict[str, float | None] = {}
    for stage in report.calls:
        if listed is None or (report.unmetered.get(stage) and listed != FREE):
            costs[stage] = None
            continue
        read, written = report.prompt_tokens.get(stage, 0), report.completion_tokens.get(stage, 0)
        costs[stage] = cost_usd(listed, Usage(prompt_tokens=read, completion_tokens=written))
    return costs
