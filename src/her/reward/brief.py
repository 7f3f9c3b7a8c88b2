"""Brief: how much of a comparison a judge is shown.

A judge of 135 million parameters reads 450 tokens, not a chapter. What is left out, and which principles are listed,
is decided here and nowhere else, from the pack and the place alone, so that the prompt a judge was trained on is the
prompt it is asked with. Knows nothing of prompt text (`renderers.judging`) or of models.
"""

from typing import Literal

from pydantic import Field, model_validator

from her.reward.pack import Pack
from her.schema import Character, Comparison, Preference, Principle, Record, Scene

VerdictStyle = Literal["json", "label"]
Mode = Literal["pack", "coupled", "independent"]
"""Where principles come from. pack: a fixed list. coupled: the judge writes them inside its verdict, after seeing both
replies (HER's way). independent: it writes them from the place alone, once for all replies there. Written after the
replies, principles follow the replies: a reply that praises its own virtue suggests the rule by which it wins."""
WRITTEN = 5
"""Most rules that a judge writes where the brief does not say: HER asks for 3 to 5."""


class Brief(Record):
    """Limits on a judge's prompt. None: no limit. Stored beside a trained judge as `brief.json`."""

    mode: Mode = "pack"
    role_thinking: bool = True
    """Is the candidates' role thinking shown?"""
    max_principles: int | None = Field(default=None, ge=0)
    """Most principles listed in the prompt; of those that a judge writes beforehand, most that it writes."""
    max_turns: int | None = Field(default=None, ge=0)
    """Latest turns of the history."""
    max_words: int | None = Field(default=None, gt=0)
    """Words of each scene and character field, from its beginning."""
    max_findings: int | None = Field(default=None, gt=0)
    """json: most findings a verdict may list; where the judge writes its principles there, most that it writes."""
    verdict_style: VerdictStyle = "json"
    """json: a finding and the winner. label: no findings; the winner is read from next-token probabilities where the
    engine gives them."""

    @model_validator(mode="after")
    def _possible(self) -> "Brief":
        if self.mode == "coupled" and self.verdict_style == "label":
            raise ValueError("a coupled judge writes its principles in its verdict; it cannot be asked for a label")
        if self.mode == "independent" and self.max_principles == 0:
            raise ValueError("an independent judge writes principles first; max_principles is at least 1")
        return self

    @property
    def most_written(self) -> int:
        """Most rules that a judge writes, beforehand or in its verdict."""
        bound = self.max_findings if self.mode == "coupled" else self.max_principles
        return bound or WRITTEN

    def principles(self, pack: Pack) -> tuple[Principle, ...]:
        """The pack's principles listed in the prompt; none that needs a history where none is shown. All of the pack
        may be named in a verdict."""
        return pack.subset(self.max_principles, sessions=self.max_turns != 0)

    def comparison(self, whole: Comparison) -> Comparison:
        """The same question within the limits. The candidates are never cut."""
        history = whole.history if self.max_turns is None else whole.history[len(whole.history) - self.max_turns :]
        if self.max_turns is not None and self.max_turns >= len(whole.history):
            history = whole.history
        return Comparison(
            id=whole.id,
            scene=self._scene(whole.scene),
            history=history,
            character=whole.character,
            cand_1=whole.cand_1,
            cand_2=whole.cand_2,
        )

    def preference(self, whole: Preference) -> Preference:
        """A labelled comparison within the limits: what a judge is trained on."""
        return Preference(
            comparison=self.comparison(whole.comparison),
            winner=whole.winner,
            principle=whole.principle,
            reason=whole.reason,
            labeller=whole.labeller,
        )

    def _scene(self, scene: Scene) -> Scene:
        if self.max_words is None:
            return scene
        return Scene(
            id=scene.id,
            book_id=scene.book_id,
            chapter=scene.chapter,
            scenario=self._cut(scene.scenario) or "",
            topic=self._cut(scene.topic),
            characters=tuple(
                Character(
                    name=c.name,
                    aliases=c.aliases,
                    profile=self._cut(c.profile),
                    background=self._cut(c.background),
                    motivation=self._cut(c.motivation),
                )
                for c in scene.characters
            ),
            span=scene.span,
        )

    def _cut(self, text: str | None) -> str | None:
        if text is None or self.max_words is None:
            return text
        parts = text.split()
        return text if len(parts) <= self.max_words else " ".join(parts[: self.max_words]) + " …"


FULL = Brief()
"""For a judge with room to read that is given a pack."""
OWN = Brief(mode="independent")
"""For a judge with room to read that is given none."""
SMALL = Brief(max_principles=0, max_turns=2, max_words=20, max_findings=1)
"""For a judge of a few hundred million parameters: about 560 tokens on the shipped story. No list of principles: one
that is the same in every prompt tells a trained judge nothing, and an untrained one of this size cannot use it. Their
names are in the schema, and in the answers it is trained on."""
