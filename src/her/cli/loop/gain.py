"""Stage `gain`: each thought is weighed by how much it helps to expect what the source's character then says."""

import asyncio
import importlib.util
import itertools
from pathlib import Path

from her.cli.loop.loop import Loop
from her.cli.recipe import Recipe
from her.errors import ModelError, ModelNameError
from her.llm import LedgerScorer, fingerprint, open_scorer
from her.schema import Dialogue
from her.stage import Finished, Outcome, Progress
from her.store import Together, stream_jsonl, write_json
from her.synthesis.gain.case import GainConfig, book_of, weighed
from her.synthesis.gain.measure import measure_gains
from her.synthesis.gain.report import GainSummary

ROOMS = ("schema", "renderers", "synthesis", "llm", "cli/loop/gain")


def stage(loop: Loop) -> Finished:
    """Write `dialogues.jsonl` with gains, `unmeasured.jsonl` and `gains.json`."""
    name, run = loop.recipe.gain.scorer, loop.recipe.run
    asked = loop.recipe.gain.model_dump(include=set(GainConfig.model_fields))
    settings = GainConfig.model_validate({**asked, "seed": run.seed, "history_policy": run.history_policy})
    source = loop.run.root / "synth" / "dialogues.jsonl"

    def work(folder: Path, progress: Progress) -> Outcome:
        progress(0, 1, "loading the scorer")
        scorer = LedgerScorer(open_scorer(name), loop.ledger, stage="gain")
        found = GainSummary(scorer=scorer.name, fingerprint=scorer.fingerprint, config=settings)
        total = sum(weighed(d, t) for d in stream_jsonl(source, Dialogue) for t in d.turns)
        done = itertools.count(1)

        def step(note: str) -> None:
            progress(next(done), total, note)

        with Together() as files:
            out, lost = files.open(folder / "dialogues.jsonl"), files.open(folder / "unmeasured.jsonl")
            for _, book in itertools.groupby(
                stream_jsonl(source, Dialogue), key=book_of
            ):  # a shelf is never held whole
                result = asyncio.run(measure_gains(list(book), scorer=scorer, config=settings, step=step))
                found.add(result)
                for dialogue in result.dialogues:
                    out.write(dialogue)
                for unmeasured in result.unmeasured:
                    lost.write(unmeasured)
        report = found.report()
        write_json(folder / "gains.json", report.model_dump(mode="json"))
        return Outcome(
            outputs=("dialogues.jsonl", "gains.json", "unmeasured.jsonl"),
            kept=sum(layer.value.n for layer in report.layers),
            rejected={f"{layer.layer}.{why}": n for layer in report.layers for why, n in layer.unmeasured.items()},
        )

    return loop.do(
        "gain",
        f"{name} weighs the thoughts",
        work,
        inputs={"dialogues": source},
        settings=settings,
        rooms=ROOMS,
        models={"scorer": fingerprint(name)},
    )


def made(loop: Loop) -> Path:
    """The dialogues of a run as they go on: with gains where these are measured."""
    return loop.run.root / ("gain" if loop.recipe.gain.measure else "synth") / "dialogues.jsonl"


def check(recipe: Recipe) -> None:
    """Refuse, before anything is spent, a scorer that cannot be used."""
    name = recipe.gain.scorer
    if not recipe.gain.measure:
        return
    if not name.startswith(("local:", "hf:", "run:")):
        raise ModelNameError(f"{name} cannot score: its weights are not here; name a local:, hf: or run: model")
    if importlib.util.find_spec("torch") is None:
        raise ModelError(
            "weighing thoughts needs torch: pip install 'her[train]', or go without (--no-gain; in a recipe, "
            "gain.measure = false)"
        )
    fingerprint(name)
