"""ChatML: messages to the exact prompt text that the models of our catalog were trained on.

Written out rather than asked of an engine, so that a prefill stands where the template ends, token for token, and so
that the same text can be checked against the Hugging Face template in a test.
"""

import re
from collections.abc import Sequence

from her.schema import Message

END_OF_TURN = "<|im_end|>"
_CONTROL = re.compile(r"<\|(im_start|im_end|endoftext)\|>")


def render_chatml(messages: Sequence[Message], *, default_system: str, prefill: str = "") -> str:
    """The prompt up to the point where the assistant speaks, and the prefill after it.

    Control tokens inside a message are defused: a story or a reader who types `<|im_end|>` must not end a turn.
    """
    lines = []
    if not messages or messages[0].role != "system":
        lines.append(f"<|im_start|>system\n{default_system}{END_OF_TURN}\n")
    lines += [f"<|im_start|>{m.role}\n{defuse(m.content)}{END_OF_TURN}\n" for m in messages]
    return "".join(lines) + "<|im_start|>assistant\n" + defuse(prefill)


def defuse(text: str) -> str:
    """The text with control tokens spelt so that no tokenizer reads them as control tokens."""
    return _CONTROL.sub(r"<\1>", text)
