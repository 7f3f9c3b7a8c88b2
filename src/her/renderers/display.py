"""A turn for people: `Mara: [I counted eight.] *sets down the oil can* "Nine."`

Shows what it is given: the caller passes a turn through `Turn.seen_by` first. Nothing reads this text back.
"""

from her.schema import Turn

_QUOTES = ('"', "“", "'", "‘", "«")  # noqa: RUF001 -- typographic quotes are what is looked for
_FORM = {"thought": "[{}]", "action": "*{}*", "speech": "“{}”"}


def render_display(turn: Turn, *, name: bool = True) -> str:
    """One paragraph; system thinking, where the view has it, on a line of its own above."""
    shown = []
    for part in turn.parts:
        quoted = part.kind == "speech" and part.text.startswith(_QUOTES)
        shown.append(part.text if quoted else _FORM[part.kind].format(part.text))
    body = " ".join(shown)
    if name:
        body = f"{turn.speaker}: {body}".rstrip()
    return f"{{{turn.system_thinking}}}\n{body}".rstrip() if turn.system_thinking is not None else body
