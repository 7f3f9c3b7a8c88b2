"""ChatSession: one person and one character in a scene. Pure: what was said, and how it is taken back or changed.

Owns the history, retry, edit and what is saved. It reads no input, calls no model and shows nothing. Everything the
person types is speech or action of the person: no markup in it can become someone's thought.
"""

from dataclasses import dataclass, field

from her.errors import InputError
from her.schema import Character, Dialogue, Scene, Turn
from her.serve.said import read_said


@dataclass(slots=True, kw_only=True)
class ChatSession:
    """The one mutable thing of a chat. A failed reply changes nothing: only `say`, `keep` and `edit` do."""

    scene: Scene
    character: str
    user: str
    turns: list[Turn] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        self.scene = join_scene(self.scene, self.character, self.user)

    def say(self, text: str) -> Turn:
        """The person's own turn."""
        turn = read_said(text, speaker=self.user, turn_id=self._next_id())
        self.turns.append(turn)
        self._made += 1
        return turn

    @property
    def reply_id(self) -> str:
        """The id the character's next turn gets."""
        return self._next_id()

    def before_reply(self, *, retry: bool = False) -> tuple[Turn, ...]:
        """What the character is shown. For a retry its last turn is left out, but stays until another is kept."""
        if not retry:
            return tuple(self.turns)
        if not self.turns:
            return ()
        return tuple(self.turns[:-1]) if self.turns[-1].speaker == self.character else tuple(self.turns)

    def keep(self, turn: Turn, *, retry: bool = False) -> None:
        """Take the character's reply into the history, in place of its last turn on a retry."""
        if turn.speaker != self.character:
            raise ValueError(f"{turn.speaker!r} is not {self.character!r}")
        self.turns = [*self.before_reply(retry=retry), turn]
        self._made += 1

    def edit(self, text: str, *, number: int | None = None) -> Turn:
        """Rewrite turn `number` (from 1), or the character's last. Its hidden layers go: they planned other words."""
        if number is None:
            places = [i for i, t in enumerate(self.turns) if t.speaker == self.character]
            if not places:
                raise InputError(f"{self.character} has not spoken yet; there is nothing to edit")
            place = places[-1]
        else:
            if not 1 <= number <= len(self.turns):
                raise InputError(f"there is no turn {number}; the turns are 1 to {len(self.turns)}")
            place = number - 1
        old = self.turns[place]
        self.turns[place] = read_said(text, speaker=old.speaker, turn_id=old.id)
        return self.turns[place]

    def switch(self, scene: Scene) -> None:
        """Begin another scene with the same two people; what was said before is left behind."""
        self.scene = join_scene(scene, self.character, self.user)
        self.turns = []

    def dialogue(self, dialogue_id: str) -> Dialogue:
        """The chat as a record. Provenance `policy` says who made the hidden layers; the person's turns have none."""
        return Dialogue(id=dialogue_id, scene=self.scene, turns=tuple(self.turns), provenance="policy")

    def _next_id(self) -> str:
        return f"t{self._made + 1}"


def join_scene(scene: Scene, character: str, user: str) -> Scene:
    """The scene with the person in it: as one of the cast, or as a visitor of whom nothing is known."""
    if character not in scene.names():
        raise InputError(f"{character!r} is not in scene {scene.id!r}; choose one of: {', '.join(scene.names())}")
    if user == character:
        raise InputError(f"you cannot be {character} and talk to {character}; choose another name")
    if user in scene.names():
        return scene
    try:
        visitor = Character(name=user)
    except ValueError as e:
        raise InputError(f"{user!r} cannot be a name: no line breaks, ':' or '<', no space at its edges") from e
    return Scene.model_validate({**scene.model_dump(), "characters": (*scene.characters, visitor)})


def companion(scene: Scene, character: str) -> str:
    """Whom a person plays who does not say: the first of the cast that is not the character, else a stranger."""
    return next((name for name in scene.names() if name != character), "Stranger")
