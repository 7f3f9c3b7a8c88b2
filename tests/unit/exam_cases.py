"""Models of known behaviour for the exams, and items sat without an engine. Shared by the tests of every benchmark."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from her.evals.benchmarks import Benchmark, Cast, Exam, ItemScore, Settings, Summary, summarise
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.sitting import sit
from her.llm import ChatModel, Reply, Request, ScriptedModel, Usage


class Answering(ScriptedModel):
    """A model whose reply is a function of the request."""

    def __init__(self, answer: Callable[[Request], str]) -> None:
        super().__init__(["-"])
        self._answer = answer

    async def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        text = self._answer(request)
        return Reply(text=text, finish_reason="stop", usage=Usage(prompt_tokens=1, completion_tokens=len(text.split())))


def settled(bench: Benchmark[Any], **changes: Any) -> Settings:
    """Settings with every option filled in."""
    return bench.card.settle(Settings.model_validate(changes))


def mini(bench: Benchmark[Any], settings: Settings | None = None) -> Exam[Any]:
    """The benchmark's own mini-set."""
    return bench.load(mini_set(bench.card), settings or settled(bench))


def examined(
    bench: Benchmark[Any],
    player: ChatModel,
    *,
    exam: Exam[Any] | None = None,
    judges: Sequence[ChatModel] = (),
    settings: Settings | None = None,
    **parts: ChatModel,
) -> tuple[tuple[ItemScore, ...], Summary]:
    """All items of an exam (by default the mini-set), one after the other, and their summary."""
    settings = settings or settled(bench)
    exam = exam or mini(bench, settings)
    scores = asyncio.run(sit(bench, exam, Cast(player=player, **parts), settings, judges))
    names = [j.name for j in judges]
    summary = summarise(bench, scores, settings, model=player.name, judges=names, data=exam.data, refused=exam.refused)
    return scores, summary


def asked_item(request: Request, by_text: dict[str, Any]) -> Any:
    """The item whose text (a key of `by_text`) stands in the last message of a request."""
    last = request.messages[-1].content
    found = [item for text, item in by_text.items() if text in last]
    assert len(found) == 1, f"{len(found)} items fit the request"
    return found[0]


def shared(folder: Path, name: str) -> Path:
    """A file of the real data that tests may read."""
    return folder / "benchmarks" / name
