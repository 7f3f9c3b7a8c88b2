"""Said: what a model wrote in somebody's place, without anything hidden: one message that others may read.

Owns the way from a reply to such a message, for benchmarks in which the examined model speaks as a person rather than
answers a question. Thinking of either layer is left out; a reply that has nothing else is `Unread`.
"""

from her.errors import TagError
from her.evals.benchmarks.answer import Unread, spoken
from her.evals.benchmarks.asked import Lost, Response
from her.renderers.tags import read_lenient
from her.schema import Viewer

_QUOTES = (('"', '"'), ("“", "”"), ("«", "»"))


def said(returned: Response | Lost, *, speaker: str) -> str | Unread:
    """The message in a reply, without the speaker's name before it and quotation marks around it."""
    text = spoken(returned)
    return text if isinstance(text, Unread) else message(text, speaker=speaker)


def message(text: str, *, speaker: str) -> str | Unread:
    """The same for text that is without thinking of the endpoint's own."""
    try:
        turn = read_lenient(text, speaker=speaker, turn_id="said").turn
    except TagError:
        return Unread(reason="empty")
    heard = " ".join(part.text for part in turn.seen_by(Viewer.reader()).parts).strip()
    for opening, closing in _QUOTES:
        inside = heard[1:-1]
        if len(heard) > 1 and heard[0] == opening and heard[-1] == closing and opening not in inside:
            heard = inside.strip()
    return heard or Unread(reason="only_thinking")
