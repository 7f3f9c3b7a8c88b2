"""HerAPI: our models as an Inspect provider, `--model her/local:smollm2-135m`.

Owns the translation of a request and a reply. Retries, the ledger and admission are our model's own: Inspect is told
not to retry and not to hold calls back, for two rules of retrying would multiply."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspect_ai.model import ChatCompletionChoice as Choice
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    Content,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from her.errors import InputError
from her.llm import ChatModel, Ledger, Reply, Request, open_model
from her.schema import Message

REQUEST = "her_request"
"""Under this key of `extra_body` a request of ours travels whole: Inspect's own settings have no prefill or sample."""
CONNECTIONS = 64
"""Inspect's own gate, above what any of our models lets through at once."""
_STOPS = {"stop": "stop", "length": "max_tokens", "content_filter": "content_filter"}


class HerAPI(ModelAPI):
    """A `ChatModel` of ours, given (`model`) or opened by name; `-M ledger=FILE` puts it behind a ledger."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 -- the signature that Inspect calls
        model: ChatModel | None = None,
        ledger: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self.model = model or open_model(model_name, ledger=None if ledger is None else Ledger(Path(ledger)))

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One reply. Errors of ours rise as they are."""
        if tools:
            raise InputError(f"{self.model_name} is asked with tools, which models of `her` do not call")
        sent = (config.extra_body or {}).get(REQUEST)
        request = Request.model_validate(sent) if sent is not None else as_request(input, config)
        return as_output(await self.model.reply(request), self.model_name)

    async def aclose(self) -> None:
        await self.model.close()

    def should_retry(self, ex: Exception) -> bool:
        return False

    def max_connections(self) -> int:
        return CONNECTIONS

    def connection_key(self) -> str:
        return self.model.name


@modelapi(name="her")
def her() -> type[ModelAPI]:
    """The provider, as Inspect finds it."""
    return HerAPI


def open_api(model: ChatModel) -> ModelAPI:
    """A model of ours that is open already, as the registered provider."""
    registered: Callable[..., ModelAPI] = her
    return registered(model.name, model=model)


def as_request(input: list[ChatMessage], config: GenerateConfig) -> Request:
    """What a task that is not ours asks, as a request. A last message of the assistant is a prefill."""
    prefill = input[-1].text if input and isinstance(input[-1], ChatMessageAssistant) else ""
    said = input[:-1] if prefill else input
    if foreign := next((m.role for m in said if m.role not in ("system", "user", "assistant")), None):
        raise InputError(f"a message of role {foreign!r} cannot be sent to a model of `her`")
    schema = config.response_schema
    return Request(
        messages=tuple(Message.model_validate({"role": m.role, "content": m.text}) for m in said),
        max_tokens=config.max_tokens or 1024,
        temperature=0.0 if config.temperature is None else config.temperature,
        top_p=1.0 if config.top_p is None else config.top_p,
        stop=tuple(config.stop_seqs or ()),
        seed=config.seed or 0,
        prefill=prefill,
        json_schema=None if schema is None else schema.json_schema.model_dump_json(exclude_none=True),
    )


def as_output(reply: Reply, model: str) -> ModelOutput:
    """A reply of ours, its reasoning apart from its text."""
    content: list[Content] = [ContentText(text=reply.text)]
    if reply.reasoning is not None:
        content.insert(0, ContentReasoning(reasoning=reply.reasoning))
    usage = reply.usage
    return ModelOutput(
        model=model,
        choices=[
            Choice.model_validate(
                {
                    "message": ChatMessageAssistant(content=content, source="generate", model=model),
                    "stop_reason": _STOPS[reply.finish_reason],
                }
            )
        ],
        usage=None
        if usage is None
        else ModelUsage(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
        ),
    )
