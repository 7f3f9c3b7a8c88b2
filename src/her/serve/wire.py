"""The OpenAI chat format as clients send it, read into records.

Owns which fields are read, their limits and the request's own extension `her`. Unknown fields are ignored, because
every client sends some. It knows no scene and no model; what the messages mean is `serve/exchange.py`'s to say.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

LayerName = Literal["role_thinking", "system_thinking"]
_LENIENT = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Incoming(BaseModel):
    """One message of a request. Either dress of reasoning is accepted on an assistant's message."""

    model_config = _LENIENT

    role: Literal["system", "developer", "user", "assistant"]
    content: str = ""
    name: str | None = Field(default=None, max_length=128)
    reasoning_content: str | None = None
    reasoning: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _text(cls, content: object) -> object:
        """Text, or a list of text parts, joined by line breaks. Anything else cannot be spoken to a character."""
        if content is None:
            return ""
        if not isinstance(content, list):
            return content
        texts = []
        for part in content:
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
                texts.append(part["text"])
            else:
                raise ValueError("only text parts are understood here")
        return "\n".join(texts)

    @field_validator("content", "name", "reasoning_content", "reasoning")
    @classmethod
    def _encodable(cls, text: str | None) -> str | None:
        if text is not None and any("\ud800" <= c <= "\udfff" for c in text):
            raise ValueError("text with a lone surrogate is not text")
        return text


class StreamOptions(BaseModel):
    """`stream_options`."""

    model_config = _LENIENT

    include_usage: bool = False


class Extension(BaseModel):
    """`her`: what an OpenAI request has no field for."""

    model_config = _LENIENT

    layers: tuple[LayerName, ...] | None = None
    """Hidden layers wanted; None leaves it to the model's alias."""
    character: str | None = Field(default=None, max_length=128)
    """Passthrough only: whom the model plays."""
    user: str | None = Field(default=None, max_length=128)
    """Persona only: who the client is in the scene."""


class ChatRequest(BaseModel):
    """`POST /v1/chat/completions`."""

    model_config = _LENIENT

    model: str | None = Field(default=None, max_length=256)
    messages: tuple[Incoming, ...] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=5)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: tuple[str, ...] = ()
    n: int | None = None
    her: Extension = Extension()

    @field_validator("stop", mode="before")
    @classmethod
    def _stops(cls, stop: Any) -> Any:
        if stop is None:
            return ()
        return (stop,) if isinstance(stop, str) else stop

    @field_validator("stop")
    @classmethod
    def _few(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        if len(stop) > 32 or any(len(s) > 128 for s in stop):
            raise ValueError("at most 32 stop strings of 128 characters")
        return tuple(s for s in stop if s)

    @field_validator("n")
    @classmethod
    def _one(cls, n: int | None) -> int | None:
        if n not in {None, 1}:
            raise ValueError("one reply at a time; ask again for another")
        return n

    @field_validator("her", mode="before")
    @classmethod
    def _extension(cls, her: Any) -> Any:
        return {} if her is None else her
