"""A reasoning parser of vLLM's shape over HER's two layers: plan and thoughts are reasoning, action and speech content.

Owns the fit between vLLM's calls (text so far, new text, token ids) and `renderers.stream`, which decides what is
hidden; how it looks is `shown`'s. Imports nothing of vLLM: `vllm_plugin.py` brings its classes. vLLM's own tag parser
cannot read these layers: its tags must be single tokens, and text after an opening tag in the prompt goes out as
content.

It fails closed. A hidden block that never ends is never content; what stands before an orphan closing tag is reasoning.
A stream lets visible text go once the speaker has named itself or has closed a hidden block, and at the end of the
turn; a reply that is cut off before either shows nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import ConfigDict, ValidationError

from her.errors import ConfigError
from her.renderers.stream import StreamReader
from her.schema import Record, Viewer
from her.serve.shown import Shower

Layer = Literal["system_thinking", "role_thinking"]
_NOBODY = "\uffff"
"""A noncharacter: a name that no reply opens with."""


class Asked(Record):
    """What of a request's `chat_template_kwargs` is ours. The chat template's own are not looked at."""

    model_config = ConfigDict(extra="ignore")

    character: str = _NOBODY
    """Who speaks: its name before the reply is taken off. Without it, the name stays."""
    prefill: str = ""
    """What the prompt already opened the reply with, `<system_thinking>` say."""
    layers: tuple[Layer, ...] = get_args(Layer)
    """Hidden layers that go into `reasoning`; the others go nowhere."""


class _Reading:
    """One reply, as it comes."""

    def __init__(self, asked: Asked, *, eager: bool) -> None:
        viewer = Viewer.reader(
            role_thinking="role_thinking" in asked.layers, system_thinking="system_thinking" in asked.layers
        )
        self._reader = StreamReader(viewer, speaker=asked.character, prefill=asked.prefill, eager=eager)
        self._shower = Shower(asked.character)
        self.text = ""
        """What was fed."""
        self.closed = False

    def feed(self, text: str) -> tuple[str, str]:
        """More reasoning, more content."""
        self.text += text
        return self._shown(self._reader.feed(text), ends=False)

    def close(self) -> tuple[str, str]:
        self.closed = True
        return self._shown(self._reader.close(), ends=True)

    def _shown(self, pieces: Iterable[Any], *, ends: bool) -> tuple[str, str]:
        out = {"reasoning": "", "content": ""}
        for piece in pieces:
            for channel, text in self._shower.feed(piece):
                out[channel] += text
        if ends:
            out["content"] += self._shower.close()
        return out["reasoning"], out["content"]


def read_kwargs(kwargs: Mapping[str, Any]) -> Asked:
    """What a parser was made with."""
    try:
        return Asked.model_validate(kwargs.get("chat_template_kwargs") or {})
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise ConfigError(f"chat_template_kwargs.{where}: {first['msg']}; see her's docs/training.md") from e


def parser_class(base: type[Any], delta: Callable[..., Any]) -> type[Any]:
    """A parser derived from vLLM's `ReasoningParser`, giving its `DeltaMessage`."""

    class HerReasoningParser(base):  # type: ignore[misc]
        """Both layers of HER, streaming and not."""

        def __init__(self, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(tokenizer, *args, **kwargs)
            self._asked = read_kwargs(kwargs)
            self._end_id = tokenizer.eos_token_id
            self._reading: _Reading | None = None

        def is_reasoning_end(self, input_ids: Sequence[int]) -> bool:
            """Never: a thought may follow speech. Were it ever true, vLLM would pass on what follows unread."""
            return False

        def is_reasoning_end_streaming(self, input_ids: Sequence[int], delta_ids: Iterable[int]) -> bool:
            return False

        def extract_content_ids(self, input_ids: list[int]) -> list[int]:
            """None: a token may hold the end of a thought and the beginning of speech."""
            return []

        def extract_reasoning(self, model_output: str, request: Any = None) -> tuple[str | None, str | None]:
            """Reasoning and content of a whole reply; None for what is empty."""
            reading = _Reading(self._asked, eager=False)
            more, rest = reading.feed(model_output), reading.close()
            return more[0] + rest[0] or None, more[1] + rest[1] or None

        extract_reasoning_content = extract_reasoning  # its name until vLLM 0.11

        def extract_reasoning_streaming(
            self,
            previous_text: str,
            current_text: str,
            delta_text: str,
            previous_token_ids: Sequence[int],
            current_token_ids: Sequence[int],
            delta_token_ids: Sequence[int],
        ) -> Any:
            """What the new text lets out; None for nothing."""
            reading = self._reading
            if reading is None or reading.closed or reading.text != previous_text:
                # Another reply: a parser may serve several of a request, by turns.
                reading = _Reading(self._asked, eager=True)
                reading.feed(previous_text)
            self._reading = reading
            reasoning, content = reading.feed(delta_text)
            if self._end_id in delta_token_ids:
                last = reading.close()
                reasoning, content = reasoning + last[0], content + last[1]
            if not reasoning and not content:
                return None
            return delta(reasoning=reasoning or None, content=content or None)

        extract_reasoning_content_streaming = extract_reasoning_streaming

    return HerReasoningParser
