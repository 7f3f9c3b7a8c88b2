"""Shown: what a judge of a session is shown, and the one JSON object that it must answer with.

Owns the numbering of lines, the fences that material cannot close, and the strict reading of an answer: exactly one
object, alone or in a code fence, no key twice. What an object means is its benchmark's to say.
"""

import json
import re
from collections.abc import Sequence

from her.evals.benchmarks.answer import spoken
from her.evals.benchmarks.asked import Lost, Response
from her.evals.benchmarks.play import Line, Thoughts
from her.evals.benchmarks.session import SILENCE

_FENCED = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL | re.IGNORECASE)


class _TwiceError(ValueError):
    """A key stands twice in one object: nobody can tell which is meant."""


def numbered(lines: Sequence[Line], thoughts: Thoughts, *, first: int | None = 1) -> str:
    """One line each, `[3] Name: text`, numbered from `first`; without numbers where that is None."""
    said = [f"{line.speaker}: {line.shown(thoughts) or SILENCE}" for line in lines]
    return "\n".join(said if first is None else [f"[{n}] {text}" for n, text in enumerate(said, start=first)])


def fence(text: str) -> str:
    """Material between fences that it cannot close: a run of three brackets inside it is thinned to two."""
    text = re.sub(r"<{3,}", "<<", text)
    return f"<<<\n{re.sub(r'>{3,}', '>>', text)}\n>>>"


def read_object(returned: Response | Lost) -> dict[str, object] | str:
    """The object in a judge's answer, or the reason why there is none: `lost:..`, `empty`, `cut`, `not_json` and the
    like."""
    text = spoken(returned)
    if not isinstance(text, str):
        return text.reason
    found = _FENCED.match(text)
    try:
        value = json.loads(found[1] if found else text, object_pairs_hook=_once, parse_constant=_constant)
    except _TwiceError:
        return "repeated_key"
    except (ValueError, RecursionError):
        cut = isinstance(returned, Response) and returned.finish_reason == "length"
        return "cut" if cut else "not_json"
    return value if isinstance(value, dict) else "not_an_object"


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _TwiceError
    return dict(pairs)


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no number")
