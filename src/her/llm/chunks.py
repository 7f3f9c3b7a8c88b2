"""What an OpenAI-compatible endpoint sends, read with suspicion: whole answers and pieces of streams.

Owns the shapes. Fields that are missing, null or of the wrong kind are named in the error; unknown fields are ignored;
reasoning is taken from `reasoning_content` or `reasoning`, whichever the server speaks.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from her.errors import ReplyError
from her.llm.model import Delta, FinishReason, Reply, TokenLogprob, Usage

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}


class DeclinedError(ReplyError):
    """The model itself says that it will not answer: asking again is of no use."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Alternative(_Wire):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: tuple[_Alternative, ...] = ()


class _Logprobs(_Wire):
    content: tuple[_Token, ...] | None = None


class _Message(_Wire):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class _Usage(_Wire):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Choice(_Wire):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Answer(_Wire):
    choices: tuple[_Choice, ...]
    usage: _Usage | None = None
    error: Any = None


class _Chunk(_Wire):
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None


def read_answer(body: bytes, *, top_logprobs: int) -> Reply:
    """The reply in a whole answer, or a ReplyError that says why there is none."""
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError:
        # Twice as slow, and tells what is wrong; it also bears half a character written as an escape, which a model
        # that was cut off within an emoji leaves behind.
        answer = _read_slowly(body)
    if answer.error:
        raise ReplyError("the endpoint reports an error")
    choice = answer.choices[0] if answer.choices else None
    if choice is None or choice.message is None:
        raise ReplyError("the answer has no message")
    message, finish = choice.message, _finish(choice.finish_reason)
    reasoning = message.reasoning_content or message.reasoning
    if message.refusal and not message.content:
        raise DeclinedError("the model declined to answer")
    if message.content is None and not reasoning and finish == "stop":
        raise ReplyError("the answer has no text")
    tokens = choice.logprobs.content if choice.logprobs is not None and top_logprobs else None
    return Reply(
        text=message.content or "",
        reasoning=reasoning,
        finish_reason=finish,
        usage=_usage(answer.usage),
        logprobs=None if tokens is None else tuple(_token(t) for t in tokens),
    )


def _read_slowly(body: bytes) -> _Answer:
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise ReplyError(f"the answer is not JSON: {e}") from e
    _no_error(document)
    try:
        return _Answer.model_validate(document)
    except ValidationError as e:
        raise ReplyError(f"the answer is not a chat completion ({_first(e)})") from e


def read_chunk(event: str) -> Delta:
    """One piece of a stream, or a ReplyError that says why it is none."""
    try:
        document = json.loads(event)
    except (ValueError, RecursionError) as e:
        raise ReplyError(f"a piece of the stream is not JSON: {e}") from e
    _no_error(document)
    try:
        chunk = _Chunk.model_validate(document)
    except ValidationError as e:
        raise ReplyError(f"a piece of the stream is not a chat completion ({_first(e)})") from e
    usage = _usage(chunk.usage)
    if not chunk.choices:
        return Delta(usage=usage)
    choice = chunk.choices[0]
    said = choice.delta or _Message()
    return Delta(
        text=said.content or "",
        reasoning=said.reasoning_content or said.reasoning or "",
        finish_reason=None if choice.finish_reason is None else _finish(choice.finish_reason),
        usage=usage,
    )


def _no_error(document: Any) -> None:
    if isinstance(document, dict) and document.get("error"):
        raise ReplyError("the endpoint reports an error")


def _finish(reason: str | None) -> FinishReason:
    if reason is None or reason not in _FINISH:
        raise ReplyError(f"the reply ended for a reason that is not understood ({reason!r})")
    return _FINISH[reason]


def _usage(usage: _Usage | None) -> Usage | None:
    if usage is None:
        return None
    return Usage(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)


def _token(token: _Token) -> TokenLogprob:
    top = tuple((t.token, t.logprob) for t in token.top_logprobs)
    return TokenLogprob(token=token.token, logprob=token.logprob, top=top)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}"
