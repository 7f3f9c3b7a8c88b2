"""View: what one character knows at one moment, in the words a teacher is shown.

The information barrier of synthesis. Everything that reaches a request about a turn comes through here: the scene as
this character knows it, and the turns before, each through `Turn.seen_by`. Later turns, others' thoughts, others'
motives and all system thinking cannot be passed, because nothing here accepts them. The one request that is about no
turn but a whole conversation shows its author everybody's notes (`cast`); what comes of it is searched for crossings.
"""

from collections.abc import Sequence

from her.renderers import chat, render_turn
from her.schema import Character, Message, Scene, Turn, Viewer
from her.synthesis.text.wording import clip, sentences

OWN_CHARS, OTHERS_CHARS = 1500, 500
"""Characters of a field of one's own card and of another's profile that a request shows (HER's figures)."""


def line(turn: Turn, *, max_words: int) -> str:
    """One turn on one line, as far as it was already cut to a viewer: `Name: (action) speech`."""
    pieces = []
    for part in turn.parts:
        if part.kind == "speech":
            spoken = [part.text[a:b] for a, b in sentences(part.text)]
            # The end of a long speech is what the next speaker answers.
            kept = clip(reversed(spoken), limit_words=max_words) if len(part.text.split()) > max_words else part.text
            pieces.append(kept if len(part.text.split()) <= max_words else f"... {_in_order(kept, part.text)}")
        else:
            pieces.append(f"({part.text})")
    return f"{turn.speaker}: {' '.join(pieces)}" if pieces else ""


def _in_order(kept: str, whole: str) -> str:
    """The tail of `whole` that has as many words as `kept`."""
    return " ".join(whole.split()[-len(kept.split()) :])


def history(before: Sequence[Turn], *, name: str, turns: int, max_words: int = 40) -> str:
    """The last turns as `name` saw them, oldest first. System thinking is left out: the teacher's plan for a turn must
    not lean on earlier plans."""
    seen = [t.seen_by(Viewer.character(name)) for t in before[-turns:]]
    lines = [text for t in seen if (text := line(t, max_words=max_words))]
    return "\n".join(lines) if lines else "(Nobody has spoken yet.)"


def heard(before: Sequence[Turn], *, name: str) -> list[Turn]:
    """All earlier turns as `name` saw them."""
    return [t.seen_by(Viewer.character(name)) for t in before]


def own_thoughts(before: Sequence[Turn], name: str) -> list[str]:
    """What `name` thought earlier in the scene."""
    return [p.text for t in heard(before, name=name) if t.speaker == name for p in t.parts if p.kind == "thought"]


def script(turn: Turn) -> str:
    """One turn in tags and on one line, without its plan; "" where nothing of it can be seen."""
    return " ".join(render_turn(turn, system_thinking=False).split()) if turn.parts else ""


def transcript(before: Sequence[Turn], *, name: str, turns: int) -> str:
    """The last turns in tags as `name` saw them, oldest first, its own thoughts included and no plan."""
    lines = [text for t in heard(before[-turns:] if turns else (), name=name) if (text := script(t))]
    return "\n".join(lines) if lines else "(Nobody has spoken yet.)"


def stage(scene: Scene, before: Sequence[Turn], *, name: str, turns: int) -> tuple[Message, ...]:
    """The prompt from which a trained model would play `name` now, plan first."""
    shown = before[-turns:]
    return chat(scene, shown, name, history_policy="drop_own_system", system_thinking=True)


def notes(scene: Scene, name: str) -> str:
    """What `name` knows of itself: profile, background, motivation."""
    me = knows(scene, name)
    return " ".join(_cut(field, OWN_CHARS) for field in (me.profile, me.background, me.motivation) if field)


def met(scene: Scene, *, name: str) -> str:
    """The others, as everybody knows them, one a line."""
    return (
        "\n".join(f"{c.name}: {c.profile}" if c.profile else c.name for c in scene.characters if c.name != name)
        or "(Nobody else.)"
    )


def cast(scene: Scene) -> str:
    """Everybody with public and private notes, for the author of a whole conversation."""
    lines = []
    for c in scene.characters:
        private = " ".join(_cut(field, OWN_CHARS) for field in (c.background, c.motivation) if field)
        public = f" Known to all: {_cut(c.profile, OTHERS_CHARS)}" if c.profile else ""
        lines.append(f"- {c.name}.{public}{f' Known to {c.name} alone: {private}' if private else ''}")
    return "\n".join(lines)


def minds(scene: Scene, turns: Sequence[Turn], *, name: str) -> tuple[str, ...]:
    """What `name` cannot know: others' thoughts and private notes. For checks alone, never for a request."""
    thoughts = [p.text for t in turns if t.speaker != name for p in t.parts if p.kind == "thought"]
    private = [field for c in scene.characters if c.name != name for field in (c.background, c.motivation) if field]
    return (*thoughts, *private)


def known(scene: Scene, before: Sequence[Turn], *, name: str) -> str:
    """Everything that `name` may have its words from. For checks alone."""
    seen = " ".join(p.text for t in heard(before, name=name) for p in t.parts)
    return " ".join((scene.scenario, notes(scene, name), met(scene, name=name), " ".join(scene.names()), seen))


def knows(scene: Scene, name: str) -> Character:
    """`name` as it knows itself, or a bare character for one who has no card (the scene's crowd)."""
    return scene.character(name) if name in scene.names() else Character(name=name)


def short(text: str, *, limit_words: int) -> str:
    """The first whole sentences of a field that fit."""
    return clip((text[a:b] for a, b in sentences(text)), limit_words=limit_words)


def _cut(text: str, chars: int) -> str:
    """The whole sentences of a field that fit, or what fits of its first one."""
    if len(text) <= chars:
        return text
    ends = [end for _, end in sentences(text) if end <= chars]
    return text[: ends[-1]] if ends else text[:chars]
