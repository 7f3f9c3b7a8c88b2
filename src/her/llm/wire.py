"""What is sent to an OpenAI-compatible endpoint: a `Request` as the body of a chat completion.

Owns the fields of the body and which of them are optional. An endpoint that refuses an optional field is asked again
without it, and the schema is then asked for in words. Same request, same bytes.
"""

import json
import re
from collections.abc import Set
from typing import Any

from her.llm.model import Request
from her.llm.words import ask_in_words
from her.store import canonical

_NAMED = ("stream_options", "max_tokens", "logprobs", "seed")
_ABOUT_SCHEMA = re.compile(r"response_format|schema|grammar|guided|structured|json", re.IGNORECASE)


def build(request: Request, model: str, *, without: Set[str], streaming: bool) -> bytes:
    """The body of a request, without the optional fields in `without`."""
    messages = request.messages
    content: dict[str, Any] = {
        "model": model,
        "max_completion_tokens" if "max_tokens" in without else "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }
    if "seed" not in without:
        content["seed"] = request.sampling_seed()
    if request.stop:
        content["stop"] = list(request.stop)
    if request.top_logprobs and not streaming and "logprobs" not in without:
        content |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    if request.json_schema is not None:
        if in_words(request, without=without):
            messages = ask_in_words(messages, request.json_schema)
        else:
            schema = {"name": "reply", "schema": json.loads(request.json_schema), "strict": True}
            content["response_format"] = {"type": "json_schema", "json_schema": schema}
    if streaming:
        content["stream"] = True
        if "stream_options" not in without:
            content["stream_options"] = {"include_usage": True}
    sent = [{"role": m.role, "content": m.content} for m in messages]
    if request.prefill:
        # Most servers go on from a last message of the assistant; the rest begin anew, and the opening is cut off where
        # it was repeated.
        sent.append({"role": "assistant", "content": request.prefill})
    content["messages"] = sent
    return canonical(content).encode("utf-8", "replace")


def in_words(request: Request, *, without: Set[str]) -> bool:
    """Is the request's schema asked for in words?"""
    return request.json_schema is not None and _schema_field(request) in without


def refused_field(refusal: str, request: Request, *, without: Set[str]) -> str | None:
    """The optional field that a refusal may be about, if the request was sent with it. A schema is a field of its own
    each, for an endpoint may know some and not others."""
    for field in _NAMED:
        if field not in without and re.search(rf"\b{field}\b", refusal):
            return field
    if request.json_schema is not None and not in_words(request, without=without) and _ABOUT_SCHEMA.search(refusal):
        return _schema_field(request)
    return None


def _schema_field(request: Request) -> str:
    return f"response_format {request.json_schema}"
