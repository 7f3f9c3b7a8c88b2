"""The card of an exported model (README.md, with a hub's front matter): what it is, what was measured, what it is not.

Every number is copied from the run's own report with its n and interval. What was not measured is said not to be.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from her.errors import StoreError
from her.evals.run_report import RunReport
from her.llm import Trained
from her.stats import Estimate
from her.store import read_json

_STAGES = {"sft": "fine-tuned", "policy": "fine-tuned, then reinforced", "judge": "fine-tuned as a judge"}


def card_text(trained: Trained, *, licence: str, gguf: bool) -> str:
    """The whole card. `licence` is the base's."""
    report = _report(trained.folder)
    return "\n".join(
        [*_front(trained, licence), *_about(trained, licence), *_numbers(trained, report), *_use(gguf), ""]
    )


def _report(folder: Path) -> RunReport | None:
    """The report of the run that a model's folder is in; None where it did not come so far."""
    found = folder.parents[1] / "report.json" if len(folder.parents) > 1 else folder / "report.json"
    try:
        return RunReport.model_validate(read_json(found)) if found.is_file() else None
    except ValidationError as e:
        raise StoreError(f"{found} is of another version of her; run the same recipe again: it writes a new one") from e


def _front(trained: Trained, licence: str) -> Iterator[str]:
    base = trained.card.base
    yield "---"
    yield f"license: {licence.lower() if ' ' not in licence else 'other'}"
    if base.startswith("hf:") and not Path(base.removeprefix("hf:")).is_absolute():
        yield f"base_model: {base.removeprefix('hf:')}"
    yield "library_name: transformers"
    yield "pipeline_tag: text-generation"
    yield "tags: [role-play, her]"
    yield "---"


def _about(trained: Trained, licence: str) -> Iterator[str]:
    card = trained.card
    # A local path is nobody's business.
    base = Path(card.base.partition(":")[2]).name if card.base.startswith("hf:/") else card.base
    yield ""
    yield f"# A character model, {_STAGES[card.stage]} from {base}"
    yield ""
    yield (
        f"Made with HER {card.her_version}. The base's licence ({licence}) goes on to hold; "
        "that of the training texts is theirs. A LoRA adapter was merged into the weights."
    )
    yield ""
    plan = "a plan between `<system_thinking>` tags, then " if card.system_thinking else ""
    yield (
        f"A reply is {plan}the character's name and its thoughts (`<role_thinking>`), actions (`<role_action>`) and "
        "speech. Plan and thoughts are not for the others in the scene: read replies with a parser that hides them."
    )
    if card.history_policy == "drop_own_system":
        yield "Its own earlier plans are left out of the prompt, as in training."
    else:
        yield "Its own earlier plans stay in the prompt, as in training."


def _numbers(trained: Trained, report: RunReport | None) -> Iterator[str]:
    yield ""
    yield "## Measured"
    yield ""
    name = trained.card.stage
    if report is None or (report.eval is None and report.sft is None):
        yield "Nothing: the run that made this model did not come to its exam."
        return
    yield "| figure | value, 95% interval, n |"
    yield "|---|---|"
    if (sft := report.sft) is not None:
        yield _row("held-out loss before training, nats a token", sft.heldout_before)
        yield _row("held-out loss after fine-tuning", sft.heldout_after)
    if (exam := report.eval) is not None:
        if (found := exam.metrics(name)) is not None:
            yield _row("well-formed replies to held-out prompts", found.well_formed)
        for rate in exam.win_rates:
            if rate.policy == name:
                unread = f"{rate.unread} of {rate.pairs} pairs unread"
                yield _row(f"win rate against {rate.against}, judged by {exam.judge}; {unread}", rate.rate)
    yield ""
    yield (
        f"Seed {report.about.seed}. Intervals resample scenes or are Wilson's; an interval that holds .5 shows no "
        "difference between two policies. A judge of the size of this model is itself uncertain: see the run's report."
    )


def _row(what: str, value: Estimate | None) -> str:
    return f"| {what} | {'not measured' if value is None else value} |"


def _use(gguf: bool) -> Iterator[str]:
    yield ""
    yield "## Use"
    yield ""
    yield "Prompts have one form, that of training: build them with `her serve`, `her chat` or `her.renderers.chat`."
    yield ""
    yield "```sh"
    yield "vllm serve . --reasoning-parser her --reasoning-parser-plugin her_reasoning.py   # her beside vLLM"
    if gguf:
        yield "llama-server -m model.gguf --jinja   # shows plan and thoughts as text; put `her serve` before it"
    yield "```"
    yield ""
    yield "## Limits"
    yield ""
    yield (
        "Characters say what a character would, which can be false, hurtful or mature. Hidden layers are hidden by the "
        "reader of a reply, not by the model: nothing that must never be told belongs in a prompt. Knowledge and "
        "failings of the base remain."
    )
