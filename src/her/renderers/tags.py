"""HER's tags: a turn as text, and text as a turn.

    turn := [<system_thinking>S</system_thinking>] NAME ": " body
    body := (<role_thinking>..</role_thinking> | <role_action>..</role_action> | speech)+

Owns what is canonical. How a reader forgives is in `machine`, how a tag may be misspelt in `marks`. The format is the
paper's (HER §1.2); the law that text is refused rather than escaped is ours: an escape would itself be text that some
model sees and copies.
"""

from her.errors import TagError
from her.renderers.canonical import CanonicalReader
from her.renderers.machine import Machine, Piece, Repair
from her.renderers.marks import CANONICAL, OPENERS, Mark, More, Plain, match
from her.schema import Part, Record, Turn, merge_parts
from her.schema.turn import PartKind

_EXPECTED = {
    "alias": "one of <system_thinking>, <role_thinking>, <role_action>",
    "spelling": "the tag spelt exactly, in lower case and without spaces or attributes",
    "dropped_tag": "speech without tags",
    "control_token": "no chat-template token",
    "unclosed_tag": "'>' at the end of the tag",
    "truncated_tag": "a whole tag",
    "dangling_bracket": "no '<' directly before a tag",
    "mis_closed": "the closing tag of the block that is open",
    "orphan_close": "an opening tag before this closing tag",
    "unclosed": "a closing tag for the block that opens here",
    "repeated_open": "the block opened once",
    "nested": "no tag inside another",
    "empty": "text inside the tag",
    "late_system": "system thinking once and first",
    "late_name": "the speaker's name before the body",
    "name_style": "the name as 'NAME: '",
}


class Reading(Record):
    """A turn that was read with forgiveness, and what was forgiven."""

    turn: Turn
    repairs: tuple[Repair, ...]


def render_turn(turn: Turn, *, name_prefix: bool = True, system_thinking: bool = True) -> str:
    """The turn in HER tags. Raises TagError for a turn that would be read back as a different one."""
    if not turn.parts:
        raise TagError(f"turn {turn.id!r} has nothing to render; leave it out of the text", 0)
    pieces = []
    if turn.system_thinking is not None and system_thinking:
        pieces.append(_block("system", turn.system_thinking))
    if name_prefix:
        pieces.append(f"{turn.speaker}: ")
    for i, part in enumerate(turn.parts):
        if part.kind == "speech":
            _refuse_marks(part.text, ends_turn=i == len(turn.parts) - 1)
            pieces.append(part.text)
        else:
            pieces.append(_block(part.kind, part.text))
    if not name_prefix:
        _refuse_name(turn)
    return "".join(pieces)


def read_strict(text: str, *, speaker: str, turn_id: str) -> Turn:
    """The turn that `text` is, exactly. Whitespace between segments is dropped; the name prefix may be missing."""
    pieces, repairs = _pieces(text, speaker=speaker)
    if repairs:
        first = min(repairs, key=lambda r: r.position)
        near = text[first.position : first.position + 24]
        message = f"turn {turn_id!r}: expected {_EXPECTED[first.kind]} at character {first.position}, near {near!r}"
        raise TagError(f"{message} ({first.kind}); read it leniently, or repair the text", first.position)
    turn = build_turn(pieces, speaker=speaker, turn_id=turn_id)
    if not turn.parts:
        raise TagError(f"turn {turn_id!r}: expected a body at character {len(text)}, found none", len(text))
    return turn


def read_lenient(text: str, *, speaker: str, turn_id: str, prefill: str = "") -> Reading:
    """The turn in `text`, however badly written; hidden where in doubt. Raises TagError only when nothing is left."""
    pieces, repairs = _pieces(text, speaker=speaker, prefill=prefill)
    turn = build_turn(pieces, speaker=speaker, turn_id=turn_id)
    if not turn.parts and turn.system_thinking is None:
        raise TagError(f"turn {turn_id!r} is empty: no speech, action or thinking in {len(text)} characters", 0)
    return Reading(turn=turn, repairs=repairs)


def _pieces(text: str, *, speaker: str, prefill: str = "") -> tuple[list[Piece], tuple[Repair, ...]]:
    pieces = None if prefill else CanonicalReader(speaker).read(text)
    if pieces is not None:
        return pieces, ()
    machine = Machine(speaker=speaker, prefill=prefill)
    return machine.opening() + machine.feed(text) + machine.close(), tuple(machine.repairs)


def build_turn(pieces: list[Piece], *, speaker: str, turn_id: str) -> Turn:
    """The turn that a machine's pieces tell."""
    plans: list[str] = []
    parts: list[tuple[PartKind, str]] = []
    for kind, text, opens in pieces:
        if kind == "system_thinking":
            if opens or not plans:
                plans.append(text)
            else:
                plans[-1] += text
        elif opens or not parts:
            parts.append((kind, text))
        else:
            parts[-1] = (kind, parts[-1][1] + text)
    return Turn(
        id=turn_id,
        speaker=speaker,
        system_thinking="\n\n".join(plans) or None,
        parts=merge_parts(tuple(Part(kind=kind, text=text) for kind, text in parts)),
    )


def _block(kind: str, text: str) -> str:
    _refuse_marks(text, ends_turn=False)
    return f"<{CANONICAL[kind]}>{text}</{CANONICAL[kind]}>"


def _refuse_marks(text: str, *, ends_turn: bool) -> None:
    """Raise TagError where `text` holds, or would with its neighbours become, something that reads as a tag."""
    for opener in OPENERS.finditer(text):
        found = match(text if ends_turn else text + "<", opener.start(), final=False)
        whole = found if not isinstance(found, More) else match(text, opener.start(), final=True)
        cut = isinstance(found, Plain) and not ends_turn and found.cut == len(text) - opener.start()
        if isinstance(whole, Mark) or cut or (isinstance(found, More) and found.likely):
            near = text[opener.start() : opener.start() + 24]
            raise TagError(
                f"text holds what would be read as a tag at character {opener.start()}, near {near!r}; reword it",
                opener.start(),
            )


def _refuse_name(turn: Turn) -> None:
    first = next((p.text for p in turn.parts if p.kind == "speech"), None)
    if first is None:
        return
    machine = Machine(speaker=turn.speaker)
    pieces = machine.feed(first) + machine.close()
    if "".join(p.text for p in pieces) != first:
        raise TagError(f"speech that opens with {turn.speaker!r} and ':' needs the name prefix; render with it", 0)
