"""InspectModel: a model of Inspect's as one of our `ChatModel`s, so that benchmarks know one protocol.

Owns the way back: request to messages, output to reply. A model that is ours underneath is handed the request whole.
"""

import json
from collections.abc import AsyncIterator

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
)
from inspect_ai.util import JSONSchema

from her.errors import ReplyError
from her.evals.inspect.provider import REQUEST, HerAPI
from her.llm import Delta, FinishReason, Reply, Request, Usage

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}


class InspectModel:
    """A `ChatModel` over a model that Inspect manages."""

    def __init__(self, model: Model) -> None:
        self._model = model
        if str(model).startswith("mockllm/"):
            # Inspect's mock counts tokens with a tokenizer that it downloads; a dry run needs no network.
            setattr(model.api, "count_text_tokens", _count_words)  # noqa: B010 -- a method, as the API has it
        self._ours = model.api.model if isinstance(model.api, HerAPI) else None
        self.name = str(model) if self._ours is None else self._ours.name
        self.fingerprint = f"inspect:{model}" if self._ours is None else self._ours.fingerprint

    async def reply(self, request: Request) -> Reply:
        """One reply, through Inspect: its transcript has the call."""
        config = GenerateConfig(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.sampling_seed(),
            stop_seqs=list(request.stop) or None,
        )
        if self._ours is not None:
            config.extra_body = {REQUEST: request.model_dump(mode="json")}
        elif request.json_schema is not None:
            schema = JSONSchema.model_validate(json.loads(request.json_schema))
            config.response_schema = ResponseSchema(name="reply", json_schema=schema)
        output = await self._model.generate(_messages(request), config=config)
        return _reply(output, self.name)

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The whole reply in one piece: exams read whole replies."""
        reply = await self.reply(request)
        yield Delta(text=reply.text, reasoning=reply.reasoning or "")
        yield Delta(finish_reason=reply.finish_reason, usage=reply.usage)

    async def close(self) -> None:
        """Nothing: Inspect closes its models, and whoever opened ours closes it."""


async def _count_words(text: str) -> int:
    return len(text.split())


def _messages(request: Request) -> list[ChatMessage]:
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    sent: list[ChatMessage] = [kinds[m.role](content=m.content) for m in request.messages]
    if request.prefill:
        sent.append(ChatMessageAssistant(content=request.prefill))
    return sent


def _reply(output: ModelOutput, name: str) -> Reply:
    if output.error or not output.choices:
        raise ReplyError(f"{name} gave no reply: {output.error or 'no choice'}; see the log of the run")
    message = output.choices[0].message
    parts = [] if isinstance(message.content, str) else message.content
    reasoning = "\n".join(p.reasoning for p in parts if isinstance(p, ContentReasoning))
    usage = output.usage
    return Reply(
        text=message.text,
        reasoning=reasoning or None,
        finish_reason=_FINISH.get(output.stop_reason, "stop"),
        usage=None if usage is None else Usage(prompt_tokens=usage.input_tokens, completion_tokens=usage.output_tokens),
    )
