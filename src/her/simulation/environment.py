"""Environment: the world's own voice in a scene (HER §1.8). Optional; never trained, never scored.

Owns its prompt and the reading of its reply. It sees speech and action only, and nothing it may think is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from her.errors import TagError
from her.llm.model import ChatModel, Request
from her.renderers.tags import read_lenient
from her.schema import ENVIRONMENT, Message, Scene, Turn, Viewer
from her.simulation.transcript import transcript

ENVIRONMENT_PROMPT = files("her.simulation").joinpath("environment.txt").read_text(encoding="utf-8").strip()


@dataclass(frozen=True, slots=True)
class Environment:
    """A model that plays the surroundings."""

    model: ChatModel
    max_tokens: int = field(default=120, kw_only=True)
    temperature: float = field(default=0.7, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    async def speak(self, scene: Scene, history: Sequence[Turn], *, turn_id: str, sample_index: int = 0) -> Turn | None:
        """What happens around the cast; None where the reply cannot be read."""
        request = Request(
            messages=(
                Message(role="system", content=ENVIRONMENT_PROMPT),
                Message(role="user", content=transcript(scene, history)),
            ),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            seed=self.seed,
            sample_index=sample_index,
        )
        reply = await self.model.reply(request)
        try:
            reading = read_lenient(reply.text, speaker=ENVIRONMENT, turn_id=turn_id)
        except TagError:
            return None
        visible = reading.turn.seen_by(Viewer.reader())
        return visible if visible.parts else None
