"""A sample as token ids with the loss mask, through the model's own chat template.

Owns which tokens carry loss: the target and the end-of-turn token behind it, nothing else (HER §2.5: last round only).
Long histories lose their oldest messages; the system prompt stays and the target is never cut. Imports no tokenizer
library: anything that fits the protocol will do.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from her.errors import ConfigError
from her.renderers.roleplay import CONVERSATION_START
from her.schema import Message, Record

IGNORED = -100
"""The label that torch's cross-entropy skips."""
_PROBE = "\u241e"


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that is used here."""

    def encode(self, text: str, add_special_tokens: bool = ...) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...


class Target(Protocol):
    """What can be trained on: an SFTSample or a JudgeSample."""

    @property
    def id(self) -> str: ...

    @property
    def messages(self) -> tuple[Message, ...]: ...

    @property
    def target(self) -> str: ...


class Encoded(Record):
    """One sample, ready for a trainer: `input_ids` and `labels` have the same length."""

    sample_id: str
    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    """-100 where there is no loss."""
    dropped_messages: int
    """Messages of the history left out for length."""


class TooLong(Record):
    """A sample whose system prompt, last message and target alone exceed the limit."""

    sample_id: str
    tokens: int


def prompt_ids(messages: Sequence[Message], tokenizer: Tokenizer) -> tuple[int, ...]:
    """The token ids of a prompt, up to where the assistant begins to write."""
    text = tokenizer.apply_chat_template(_plain(messages), tokenize=False, add_generation_prompt=True)
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def encode(sample: Target, tokenizer: Tokenizer, *, max_tokens: int) -> Encoded | TooLong:
    """Token ids and labels of a sample, within `max_tokens`."""
    target_ids = _target_ids(sample.target, tokenizer)
    messages = sample.messages
    while True:
        prefix = prompt_ids(messages, tokenizer)
        tokens = len(prefix) + len(target_ids)
        if tokens <= max_tokens:
            return Encoded(
                sample_id=sample.id,
                input_ids=prefix + target_ids,
                labels=(IGNORED,) * len(prefix) + target_ids,
                dropped_messages=len(sample.messages) - len(messages),
            )
        shorter = _shorten(messages)
        if shorter is None:
            return TooLong(sample_id=sample.id, tokens=tokens)
        messages = shorter


def count(sample: Target, tokenizer: Tokenizer) -> int:
    """Tokens of a sample as `encode` would write it, nothing left out."""
    return len(prompt_ids(sample.messages, tokenizer)) + len(_target_ids(sample.target, tokenizer))


def _target_ids(target: str, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids on which loss falls: the target, and the token that ends the turn."""
    ids = tokenizer.encode(target, add_special_tokens=False)
    return (*ids, *tokenizer.encode(_end_of_turn(tokenizer), add_special_tokens=False))


def _shorten(messages: tuple[Message, ...]) -> tuple[Message, ...] | None:
    """Without the oldest user message and its answer; the marker moves to the new first message."""
    head = 1 if messages and messages[0].role == "system" else 0
    if len(messages) - head < 3:
        return None
    first, *rest = messages[head + 2 :]
    if messages[head].content.startswith(CONVERSATION_START):
        first = Message(role=first.role, content=f"{CONVERSATION_START}\n\n{first.content}")
    return (*messages[:head], first, *rest)


def _end_of_turn(tokenizer: Tokenizer) -> str:
    """What the template writes behind an assistant's text, up to and including its end-of-turn token."""
    talk = [Message(role="user", content="."), Message(role="assistant", content=_PROBE)]
    text = tokenizer.apply_chat_template(_plain(talk), tokenize=False, add_generation_prompt=False)
    if text.count(_PROBE) != 1:
        raise ConfigError(
            "the tokenizer's chat template does not write an assistant's text as it is; use another model"
        )
    end = text.rpartition(_PROBE)[2].strip()
    if not end:
        raise ConfigError("the tokenizer's chat template has no end-of-turn token; use an instruct model's tokenizer")
    return str(end)


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]
