"""ChatModel: the one protocol through which everything here speaks to a model, and the values it exchanges.

Knows nothing of scenes, tags or prompts. Engines are under `llm/engines/`; names are resolved in `llm/names.py`.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol, runtime_checkable

from pydantic import Field

from her.schema import Message, Record

FinishReason = Literal["stop", "length", "content_filter"]


class Request(Record):
    """One call. Two requests that are equal are the same call, and the ledger pays for it once."""

    messages: tuple[Message, ...]
    max_tokens: int = Field(gt=0)
    temperature: float = Field(ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    stop: tuple[str, ...] = ()
    seed: int = 0
    prefill: str = ""
    """The reply must go on from here. `Reply.text` does not repeat it."""
    json_schema: str | None = None
    """A JSON Schema as JSON text: the reply is constrained to it where the engine can, else asked for it in words."""
    top_logprobs: int = 0
    """How many alternatives per token to report, where the engine can; 0 asks for none."""
    sample_index: int = 0
    """Tells the k-th sample of one prompt from the j-th."""

    def sampling_seed(self) -> int:
        """The seed an engine is given: `seed`, moved for each further sample of the same prompt."""
        return (self.seed + self.sample_index * 0x9E3779B1) % 0xFFFFFFFF


class Usage(Record):
    """Tokens read and written, as the engine counted them."""

    prompt_tokens: int
    completion_tokens: int


class TokenLogprob(Record):
    """One written token with its alternatives, in nats."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Reply(Record):
    """What a model answered."""

    text: str
    reasoning: str | None = None
    """Thinking that the endpoint returned apart from the text; None where it returns none."""
    finish_reason: FinishReason
    usage: Usage | None = None
    """None: the endpoint did not say."""
    logprobs: tuple[TokenLogprob, ...] | None = None


class Delta(Record):
    """A piece of a streamed reply. The last one, and only the last one, carries `finish_reason`."""

    text: str = ""
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class ScoreItem(Record):
    """One question to a scorer: how likely is `text` here?"""

    messages: tuple[Message, ...]
    """The chat up to where the assistant speaks."""
    text: str
    """What the assistant goes on to say, to the end of its turn."""
    prefill: str = ""
    """What its turn begins with: read and not scored."""
    against: str | None = None
    """Another text that could stand here. Then the first token in which `text` differs from it is scored, and no
    other: which of the two is said."""


class Score(Record):
    """Log-probability of a given text as a model's reply: `logprob` in nats, summed over `tokens` tokens, the one that
    ends the turn included; of one token for a text against another."""

    logprob: float
    tokens: int


@runtime_checkable
class ChatModel(Protocol):
    """A model that answers. Raises `ModelError` subclasses; never returns an empty reply in place of a failure."""

    name: str
    """As the user wrote it: `local:smollm2-135m`, `openai:gpt-4o@https://...`."""
    fingerprint: str
    """What answers: a hash of the weights, or model and endpoint. Part of every ledger key and manifest; no secrets."""

    async def reply(self, request: Request) -> Reply: ...

    def stream(self, request: Request) -> AsyncIterator[Delta]: ...

    async def close(self) -> None: ...


@runtime_checkable
class Scorer(Protocol):
    """A model that can say how likely a given reply is. A score is a function of its item alone, to the last bit: what
    is scored beside it must not matter, or a run that was killed would end with other numbers."""

    name: str
    fingerprint: str

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        """One score per item, in order. Items with the same `messages` are cheaper together."""
        ...
