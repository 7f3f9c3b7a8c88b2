"""Players, users and judges of known behaviour for sessions, and errors on demand."""

import json
import re
from collections.abc import Callable

from exam_cases import Answering

from her.errors import DeadLetterError
from her.evals.benchmarks.minimax_card import DIMENSIONS
from her.llm import Reply, Request, ScriptedModel

PLAN = "<system_thinking>She should keep the plan to herself.</system_thinking>"
THOUGHT = "<role_thinking>I must not say what I hid.</role_thinking>"
USER = ScriptedModel(["And then?", "Go on.", "I see. Why?"])
"""A user who keeps the talk alive."""


def good() -> ScriptedModel:
    return ScriptedModel([f"{PLAN}{THOUGHT}<role_action>looks up</role_action>What would you have done?"])


class Dying(ScriptedModel):
    """Gives its first requests up for good."""

    def __init__(self, deaths: int, *, after: int = 0) -> None:
        super().__init__(["Well enough."])
        self._deaths, self._after = deaths, after

    async def reply(self, request: Request) -> Reply:
        if len(self.requests) >= self._after and self._deaths:
            self._deaths -= 1
            self.requests.append(request)
            raise DeadLetterError("given up", reason="spent", attempts=6)
        return await super().reply(request)


def own_lines(request: Request) -> list[tuple[int, str]]:
    """(number, text) of the lines that a judge of MiniMax's bench is asked about."""
    text = request.messages[-1].content
    asked = {int(n) for n in re.findall(r"\d+", text.rpartition("Their numbers:")[2])}
    lines = re.findall(r"^\[(\d+)\] [^:]+: (.*)$", text, re.MULTILINE)
    return [(int(n), said) for n, said in lines if int(n) in asked]


def fault_judge(faults: Callable[[int, str], list[str]], *, name: str = "scripted:faults") -> Answering:
    """A judge that finds the dimensions that `faults` gives for (place among the character's lines, text)."""

    def answer(request: Request) -> str:
        found = [
            {"dimension": dimension, "lines": [number], "fault": "does not fit"}
            for place, (number, text) in enumerate(own_lines(request))
            for dimension in faults(place, text)
        ]
        return json.dumps({"faults": found})

    judge = Answering(answer)
    judge.name = name
    return judge


def strict(place: int, text: str) -> list[str]:
    """WRONG is a fault of every dimension; one word gives nothing to answer."""
    return list(DIMENSIONS) if "WRONG" in text else ["interaction"] if len(text.split()) == 1 else []
