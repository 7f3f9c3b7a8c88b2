"""Reading a strong teacher's answer: one whole JSON object, or nothing.

Owns what is forgiven around the object: the model's thinking before it, a fence, prose on either side, raw line breaks
inside its strings. Nothing inside it is mended: what was cut off or broken is asked for again, because a shorter text
made of a broken one would be ours and not the teacher's.
"""

import json
import re
from collections.abc import Mapping, Sequence

from her.errors import TeacherError
from her.llm import Reply

_THINK = re.compile(r"<\s*(/?)\s*(?:think|thinking|thinker|thought|reasoning)\s*>", re.IGNORECASE)
"""What endpoints that do not part the two put around a model's thinking. It is no tag of a turn."""
_OPEN = re.compile(r"\{")
_BEGUN = re.compile(r"\{\s*\"")
_DECODER = json.JSONDecoder(strict=False)
_TRIES = 64
"""So many opening braces are tried: more are no answer but an attack on the reader's time."""


def parted(reply: Reply) -> tuple[str | None, str]:
    """What the model thought (None where it did not say) and what it answered.

    Thinking inside the text stands first, between marks; templates that write the opening mark themselves leave only
    the closing one. Thinking that never closes was cut off: then there is no answer.
    """
    text = reply.text
    inner: str | None = None
    first = _THINK.search(text)
    if first is not None:
        last = [m for m in _THINK.finditer(text) if m[1]]
        if not first[1] and not text[: first.start()].strip():
            close = next((m for m in last if m.start() > first.start()), None)
            inner, text = text[first.end() : close.start() if close else None], text[close.end() :] if close else ""
        elif first[1]:
            inner, text = text[: first.start()], text[first.end() :]
    thinking = [t.strip() for t in (reply.reasoning, inner) if t and t.strip()]
    return "\n\n".join(thinking) or None, text.strip()


def read_object(reply: Reply, names: Sequence[str]) -> Mapping[str, object]:
    """The last JSON object of the answer that has all the names. Raises TeacherError `truncated`, `filtered` or
    `not_json`."""
    if reply.finish_reason == "length":
        raise TeacherError(reply.text[-80:], "truncated")
    if reply.finish_reason == "content_filter":
        raise TeacherError(reply.text[:80], "filtered")
    _, text = parted(reply)
    found: Mapping[str, object] | None = None
    at = 0
    for _ in range(_TRIES):
        brace = _OPEN.search(text, at)
        if brace is None:
            break
        at = brace.end()
        try:
            value, at = _DECODER.raw_decode(text, brace.start())
        except (ValueError, RecursionError) as e:
            if _BEGUN.match(text, brace.start()):
                # Not to be mended, and what stands inside it is no answer.
                raise TeacherError(f"a broken object in {text[:80]!r}", "not_json") from e
            continue
        if isinstance(value, dict) and all(name in value for name in names):
            found = value
    if found is None:
        raise TeacherError(f"no object with {', '.join(names)} in {text[:80]!r}", "not_json")
    return found


def read_texts(reply: Reply, names: Sequence[str]) -> dict[str, str]:
    """The named fields as texts. Raises TeacherError, as `read_object`, and `empty` for a field without a word."""
    found = read_object(reply, names)
    fields = {}
    for name in names:
        value = found[name]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TeacherError(f"{name!r} is no text: {str(value)[:60]}", "not_json")
        fields[name] = str(value).strip()
        if not fields[name]:
            raise TeacherError(f"empty {name!r}", "empty")
    return fields
