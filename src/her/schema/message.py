"""Message: one entry of a chat, in the shape every chat template and endpoint knows."""

from typing import Literal

from her.schema.record import Record


class Message(Record):
    """`role` and `content` as in the OpenAI chat format."""

    role: Literal["system", "user", "assistant"]
    content: str
