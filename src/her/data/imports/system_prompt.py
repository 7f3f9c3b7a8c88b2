"""What a role-play system prompt says, read back: who, of which book, profile, background, scene, others, motivation.

Knows the headings of HER's and CoSER's builders (HER §1.7) and of ours. A prompt of no known form is kept whole, as
what the character alone was told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from her.renderers.coser_json import name_of

_WHO = re.compile(
    r"\A\s*(?:You are|You're|Play the role of|You will play|Act as)\s+(?P<name>[^\n.:<]{1,60}?)"
    r"(?:\s+from\s+(?P<book>[^\n]{1,200}?))?\s*[.!]?\s*(?:\n|\Z)"
)
_HEADING = re.compile(r"^\s*===\s*([^=\n]{1,80}?)\s*===\s*$", re.MULTILINE)
_SECTIONS = (
    ("profile", re.compile(r"profile$", re.IGNORECASE)),
    ("background", re.compile(r"background$", re.IGNORECASE)),
    ("scenario", re.compile(r"(?:scenario|scene)$", re.IGNORECASE)),
    ("others", re.compile(r"^(?:information about (?:the )?other characters|others present)$", re.IGNORECASE)),
    ("motivation", re.compile(r"^your (?:inner thoughts|motivation)$", re.IGNORECASE)),
    ("requirements", re.compile(r"requirements?$|format$", re.IGNORECASE)),
)
_OTHER = re.compile(r"^(\*\*)?([^\W\d_][^:*<>\n]{0,59}?)(?:\*\*)?(?::[ \t]*(.*))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The fields of a system prompt; None where it has none."""

    name: str | None = None
    book: str | None = None
    profile: str | None = None
    background: str | None = None
    scenario: str | None = None
    others: str | None = None
    motivation: str | None = None


def read_prompt(text: str) -> Prompt:
    """The fields of `text`."""
    who = _WHO.match(text)
    name, book = (name_of(who["name"]), who["book"]) if who else (None, None)
    heads = list(_HEADING.finditer(text))
    found: dict[str, str] = {}
    for i, head in enumerate(heads):
        body = text[head.end() : heads[i + 1].start() if i + 1 < len(heads) else len(text)].strip()
        field = next((f for f, pattern in _SECTIONS if pattern.search(head[1])), None)
        if field is not None and body:
            found.setdefault(field, body)
    if not found:
        return Prompt(name=name, book=book, background=text.strip() or None)
    return Prompt(
        name=name,
        book=book,
        profile=_without(found.get("profile"), "description: "),
        background=found.get("background"),
        scenario=found.get("scenario"),
        others=found.get("others"),
        motivation=found.get("motivation"),
    )


def read_others(text: str | None, speakers: Sequence[str]) -> dict[str, str | None]:
    """Name to public profile. A line opens a new person where its name is in bold or belongs to a speaker; any other
    line goes on with the person before it, as profiles have lines like `Age: 40`."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in (text or "").split("\n"):
        match = _OTHER.match(line.strip())
        name = name_of(match[2]) if match else None
        if match and name and (match[1] or name in speakers) and name not in found:
            current = found.setdefault(name, [])
            current.append(match[3] or "")
        elif current is not None:
            current.append(line)
    return {name: "\n".join(told).strip() or None for name, told in found.items()}


def _without(text: str | None, lead: str) -> str | None:
    return text.removeprefix(lead) or None if text else None
