"""An answer that is held to its options: one JSON object with one of the keys, for judges and for small models.

Owns the schema that an engine may hold a reply to, and its reader. An engine that cannot is asked in words alone, so
whatever else can be read as an answer is read too.
"""

import json
from collections.abc import Mapping

from her.evals.benchmarks.answer import Answered, Unread, read_option, spoken
from her.evals.benchmarks.asked import Lost, Response

_FIELD = "answer"


def schema_of(answers: Mapping[str, str]) -> str:
    """The JSON schema of a reply that names one of the values of `answers` (key to what is answered)."""
    return json.dumps(
        {
            "type": "object",
            "properties": {_FIELD: {"type": "string", "enum": list(answers.values())}},
            "required": [_FIELD],
            "additionalProperties": False,
        }
    )


def read_held(returned: Response | Lost, answers: Mapping[str, str], options: Mapping[str, str]) -> Answered | Unread:
    """Which key is answered: as JSON, or in any way in which `read_option` reads `options`."""
    text = spoken(returned)
    if isinstance(text, Unread):
        return text
    found = object_in(text)
    if found is None or _FIELD not in found:
        return read_option(returned, options)
    said = str(found[_FIELD]).strip().casefold()
    keys = [key for key, value in answers.items() if value.casefold() == said]
    return Answered(option=keys[0]) if keys else Unread(reason="not_an_option")


def object_in(text: str) -> dict[str, object] | None:
    """The JSON object in a text, from its first brace to its last; None where there is none. Words round it do not
    matter here: a judge's whole answer is read by `shown.read_object`, which is strict."""
    start, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[start : end + 1]) if 0 <= start < end else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
