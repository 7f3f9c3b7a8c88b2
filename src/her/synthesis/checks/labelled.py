"""Labelled cases: dialogues that commit one fault, each with a twin that does not, and what a checker makes of them.

Owns the cases' form and the arithmetic of a bench. The cases are our own writing (CC0, `cases/LICENSE`), in three
parts. `dev` was read while the rules were made. `test` was set aside, but whoever wrote it wrote the rules after it.
`unseen` was written when the rules stood, and no rule was changed for it: it is the part to believe.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Literal, get_args

from pydantic import model_validator

from her.schema import Character, Dialogue, Part, PartKind, Record, Scene, Turn
from her.stats import Estimate, share
from her.synthesis.checks.checker import Finding

Kind = Literal[
    "impossible_knowledge",
    "mind_reading",
    "says_user",
    "speaks_for_others",
    "third_person_thought",
    "thought_in_speech",
]
Split = Literal["dev", "test", "unseen"]


class SketchTurn(Record):
    """A turn in short."""

    id: str
    speaker: str
    plan: str | None = None
    parts: tuple[tuple[PartKind, str], ...]


class Sketch(Record):
    """A dialogue in short."""

    scenario: str
    characters: tuple[Character, ...]
    turns: tuple[SketchTurn, ...]

    def dialogue(self, case_id: str) -> Dialogue:
        """The dialogue that it stands for."""
        scene = Scene(
            id=case_id, book_id=None, chapter=None, scenario=self.scenario, topic=None, characters=self.characters
        )
        turns = tuple(
            Turn(
                id=t.id,
                speaker=t.speaker,
                system_thinking=t.plan,
                parts=tuple(Part(kind=kind, text=text) for kind, text in t.parts),
            )
            for t in self.turns
        )
        return Dialogue(id=case_id, scene=scene, turns=turns, provenance="gold")


class Case(Record):
    """One labelled dialogue. `ID` ends in `x` for the fault and in `o` for its clean twin."""

    id: str
    kind: Kind
    label: Literal["violating", "clean"]
    split: Split
    difficulty: Literal["easy", "subtle", "adversarial"]
    setting: str
    language: Literal["en", "zh"]
    also: tuple[Kind, ...]
    """Kinds that the fault is an instance of as well."""
    turn_id: str | None
    """Where; None: on the scene's card."""
    why: str
    dialogue: Sketch

    @model_validator(mode="after")
    def _sound(self) -> "Case":
        if self.id[-1] != ("x" if self.label == "violating" else "o") or (self.label == "clean" and self.also):
            raise ValueError(f"case {self.id!r}: its label does not agree with its id or with `also`")
        if self.turn_id is not None and self.turn_id not in {t.id for t in self.dialogue.turns}:
            raise ValueError(f"case {self.id!r}: no turn {self.turn_id!r}")
        return self

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind that is present."""
        return frozenset({self.kind, *self.also}) if self.label == "violating" else frozenset()

    def record(self) -> Dialogue:
        """The dialogue as a record."""
        return self.dialogue.dialogue(self.id)


class KindScore(Record):
    """How well one kind is found in one part. All shares count cases, not flags."""

    kind: str
    split: Split
    recall: Estimate
    """Of the cases that have the fault, how many are flagged, at the right turn."""
    precision: Estimate
    """Of the cases flagged with the kind, in the part's whole set, how many have the fault."""
    twins: Estimate
    """Of the kind's own clean twins, how many are flagged with it all the same."""
    clean: Estimate
    """Of all clean cases of the part, how many are flagged with it."""


def load_cases() -> list[Case]:
    """Every case, by kind and id."""
    folder = resources.files("her.synthesis.checks") / "cases"
    lines = [
        line
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return [Case.model_validate_json(line) for line in lines]


def measure(cases: Sequence[Case], found: Mapping[str, Sequence[Finding]]) -> list[KindScore]:
    """Scores by kind and part. `found`: case id to the findings in its dialogue."""
    scores = []
    for kind in sorted({c.kind for c in cases}):
        turns = {c.id: {f.turn_id for f in found[c.id] if f.flag.kind == kind} for c in cases}
        for split in get_args(Split):
            part = [c for c in cases if c.split == split]
            faulty = {c.id for c in part if kind in c.kinds}
            hit = {c.id for c in part if c.id in faulty and c.turn_id in turns[c.id]}
            alarmed = {c.id for c in part if turns[c.id]}
            twins = {c.id for c in part if c.kind == kind and c.label == "clean"}
            clean = {c.id for c in part if c.label == "clean"}
            scores.append(
                KindScore(
                    kind=kind,
                    split=split,
                    recall=share(len(hit), len(faulty)),
                    precision=share(len(hit), len(hit | (alarmed - faulty))),
                    twins=share(len(alarmed & twins), len(twins)),
                    clean=share(len(alarmed & clean), len(clean)),
                )
            )
    return scores
