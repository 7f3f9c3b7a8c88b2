"""Cast: which model has which part in a play."""

from dataclasses import dataclass
from typing import Literal

from her.errors import InputError
from her.llm.model import ChatModel

Part = Literal["player", "user", "environment", "next_speaker"]
PARTS: tuple[Part, ...] = ("player", "user", "environment", "next_speaker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The examined model and whoever plays along."""

    player: ChatModel
    user: ChatModel | None = None
    environment: ChatModel | None = None
    next_speaker: ChatModel | None = None

    def of(self, part: Part) -> ChatModel:
        """The model that has a part. An InputError says which option names it."""
        model: ChatModel | None = getattr(self, part)
        if model is None:
            raise InputError(f"this benchmark needs a model as {part}; name one with --user or --part {part}=MODEL")
        return model
