"""Who speaks next, when a model decides (HER §6.2).

Owns the question and the reading of the answer. The released evaluator searches the answer for anything like a name, so
"Ann" is found in "Joanne" and the first name mentioned wins; here the answer is exactly one allowed name or it is
not an answer, and a seeded draw decides, counted.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from random import Random
from typing import Literal

from her.llm.model import ChatModel, Request
from her.schema import Message, Record, Scene, Turn
from her.simulation.transcript import transcript

END_CHAT = "<END CHAT>"
NEXT_SPEAKER_PROMPT = files("her.simulation").joinpath("next_speaker.txt").read_text(encoding="utf-8").strip()


class Call(Record):
    """Who was called, and how."""

    name: str
    """A speaker of the scene, or `<END CHAT>`."""
    by: Literal["order", "draw", "model", "draw_after_unread"]
    """`draw_after_unread`: the model named nobody who may speak, so a seeded draw decided."""


@dataclass(frozen=True, slots=True)
class NextSpeaker:
    """A model that calls the next speaker."""

    model: ChatModel
    seed: int = field(default=0, kw_only=True)
    max_tokens: int = field(default=60, kw_only=True)

    async def call(
        self, scene: Scene, history: Sequence[Turn], *, allowed: Sequence[str], may_end: bool, draw: Random
    ) -> Call:
        """One of `allowed`, or the end where `may_end`."""
        options = [*allowed, END_CHAT] if may_end else list(allowed)
        schema = {
            "type": "object",
            "properties": {"next_speaker": {"enum": options}},
            "required": ["next_speaker"],
            "additionalProperties": False,
        }
        question = f"{transcript(scene, history)}\n\nAllowed names: {json.dumps(options, ensure_ascii=False)}"
        if may_end:
            question += f"\n{END_CHAT} ends the scene, if it has come to its end."
        request = Request(
            messages=(
                Message(role="system", content=NEXT_SPEAKER_PROMPT),
                Message(role="user", content=question),
            ),
            max_tokens=self.max_tokens,
            temperature=0.0,
            seed=self.seed,
            json_schema=json.dumps(schema, ensure_ascii=False),
        )
        reply = await self.model.reply(request)
        name = read_name(reply.text)
        if name in options:
            return Call(name=name, by="model")
        return Call(name=draw.choice(list(allowed)), by="draw_after_unread")


def read_name(text: str) -> str:
    """The name an answer gives: the JSON asked for, or the bare text. Whether it is allowed is the caller's to say."""
    try:
        answer = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return text.strip()
    if isinstance(answer, dict) and isinstance(answer.get("next_speaker"), str):
        return str(answer["next_speaker"])
    return answer if isinstance(answer, str) else ""
