"""Standpoint: one turn, what its speaker could have learned by then, and what is hidden from it.

The information barrier of all checks. What was seen of the turns before goes through `Turn.seen_by`; of the scene's
card a character knows the scenario, everybody's profile and its own background and motivation (as its prompt shows
them). Everything else that the record holds is hidden, with its source. Nothing here looks at positions in a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from her.schema import ENVIRONMENT, Dialogue, Flag, Part, Turn
from her.synthesis import view
from her.synthesis.checks.people import Figure, figures

_DETAIL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A text that the speaker has not seen."""

    text: str
    owner: str
    """Whose it is."""
    source: str
    """`NAME.background`, `NAME.motivation`, `TURN thought`, `TURN system_thinking` or `TURN speech`."""
    later: Turn | None = None
    """For speech: its turn, which comes after this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standpoint:
    """Where the speaker of `turn` stands."""

    dialogue: Dialogue
    turn: Turn
    before: tuple[Turn, ...]
    after: tuple[Turn, ...]
    me: Figure
    others: tuple[Figure, ...]
    told: str
    """The card as the speaker knows it."""
    seen: str
    """The turns before, as it saw them."""
    heard: str
    """Of these, what others did and said."""
    hidden: tuple[Hidden, ...]

    @property
    def known(self) -> str:
        """Everything that the speaker could know."""
        return f"{self.told}\n{self.seen}"

    def parts(self, *kinds: str) -> Iterator[Part]:
        """The turn's parts of these kinds."""
        return (p for p in self.turn.parts if p.kind in kinds)

    def inner(self) -> Iterator[tuple[str, str]]:
        """The hidden layers as `(where, text)`: the plan and each thought."""
        if self.turn.system_thinking is not None:
            yield "system_thinking", self.turn.system_thinking
        yield from (("thought", p.text) for p in self.parts("thought"))


def flag(kind: str, where: str, why: str, evidence: str) -> Flag:
    """A flag whose detail is the rule and the words it rests on, cut short."""
    return Flag(kind=kind, where=where, detail=f"{why}: {' '.join(evidence.split())}"[:_DETAIL])


def standpoint(dialogue: Dialogue, turn: Turn) -> Standpoint:
    """The standpoint of one turn of the dialogue."""
    name, scene = turn.speaker, dialogue.scene
    before = dialogue.before(turn.id)
    after = dialogue.turns[len(before) + 1 :]
    cast = figures((*scene.characters, *((view.knows(scene, name),) if name not in scene.names() else ())))
    me = next(f for f in cast if f.name == name)
    own = view.knows(scene, name)
    told = [scene.scenario, scene.topic, own.background, own.motivation]
    for c in scene.characters:
        told += [c.name, *c.aliases, c.profile]
    seen = view.heard(before, name=name)
    return Standpoint(
        dialogue=dialogue,
        turn=turn,
        before=before,
        after=after,
        me=me,
        others=tuple(f for f in cast if f.name != name),
        told="\n".join(t for t in told if t),
        seen="\n".join(p.text for t in seen for p in t.parts),
        heard="\n".join(p.text for t in seen if t.speaker != name for p in t.parts),
        hidden=tuple(_hidden(dialogue, name, before=before, after=after)),
    )


def _hidden(dialogue: Dialogue, name: str, *, before: tuple[Turn, ...], after: tuple[Turn, ...]) -> Iterator[Hidden]:
    """Others' cards, others' hidden layers so far, and what others will say. Later hidden layers are no source: where
    two agree, it is the later one that read the earlier."""
    for c in dialogue.scene.characters:
        if c.name != name:
            for field, text in (("background", c.background), ("motivation", c.motivation)):
                if text:
                    yield Hidden(text=text, owner=c.name, source=f"{c.name}.{field}")
    for t in before:
        if t.speaker == name:
            continue
        for p in t.parts:
            if p.kind == "thought":
                yield Hidden(text=p.text, owner=t.speaker, source=f"{t.id} thought")
        if t.system_thinking is not None:
            yield Hidden(text=t.system_thinking, owner=t.speaker, source=f"{t.id} system_thinking")
    for t in after:
        if t.speaker not in (name, ENVIRONMENT) and t.speech():
            yield Hidden(text=t.speech(), owner=t.speaker, source=f"{t.id} speech", later=t)
