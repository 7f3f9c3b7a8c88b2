"""Gatherings: conversations that people leave and rejoin, and what follows from who was there for which line.

Owns our own FANToM mini-set: the talk is written by hand (`mini/theory_of_mind/gatherings.toml`, CC0), its marks say
who leaves and comes and which line tells the news, and every answer is computed from them. What a chain of people
believes is the last version of the news that all of them were there to hear: A says that B believes something only from
what A knows B to have heard.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError
from her.evals.benchmarks.upstream.fantom import Accessibility, FantomBinary, FantomList, FantomQA, FantomSet
from her.schema import Record
from her.store import read_text

_MARK = re.compile(r"\* (?P<name>\w+) (?P<what>leaves|arrives|returns)")
_LINE = re.compile(r"(?P<name>\w+): (?P<said>.*?)(?: \[(?P<version>\d)\])?")
_SHORT = "~"
"""Stands alone on the line before which the short context begins."""


class Gathering(Record):
    """A conversation as it is written."""

    id: str
    about: str
    """Whose news it is."""
    away: str
    """Who misses it."""
    third: str | None = None
    """Somebody else who may think something of what `away` believes."""
    asks: str
    """The fact question."""
    topic: str
    """The same as a clause: `when the bus leaves`."""
    versions: tuple[str, ...]
    """Clauses that were true one after the other: `the bus leaves at seven`. The last one still is."""
    talk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One line and who was there."""

    text: str
    """`Name: what was said`."""
    present: frozenset[str]
    version: int | None
    """Which version of the news it tells, from 1."""
    in_short: bool


def read_gatherings(path: Path) -> tuple[Gathering, ...]:
    """The written conversations of a file."""
    return tuple(Gathering.model_validate(g) for g in tomllib.loads(read_text(path))["gathering"])


def heard(gathering: Gathering) -> tuple[Heard, ...]:
    """Every line with whoever was there, from the marks. An InputError names a line that cannot be."""
    rows = [row.strip() for row in gathering.talk.strip().splitlines() if row.strip()]
    marks = [m for row in rows if (m := _MARK.fullmatch(row))]
    first = {m["name"]: m["what"] for m in reversed(marks)}
    speakers = {m["name"] for row in rows if (m := _LINE.fullmatch(row))}
    present = {name for name in speakers if first.get(name, "leaves") == "leaves"}
    in_short = _SHORT not in rows
    found = []
    for row in rows:
        if row == _SHORT:
            in_short = True
        elif mark := _MARK.fullmatch(row):
            if (mark["name"] in present) != (mark["what"] == "leaves"):
                raise InputError(f"{gathering.id}: {row!r} cannot be: look at who is there")
            present ^= {mark["name"]}
        elif (line := _LINE.fullmatch(row)) and line["name"] in present:
            version = None if line["version"] is None else int(line["version"])
            text = f"{line['name']}: {line['said']}"
            found.append(Heard(text=text, present=frozenset(present), version=version, in_short=in_short))
        else:
            raise InputError(f"{gathering.id}: {row!r} is no line of somebody who is there")
    return tuple(found)


def believed(lines: Sequence[Heard], chain: Sequence[str]) -> int | None:
    """Which version the first of `chain` thinks that the second thinks ... is true; None: nothing is known."""
    told = [line.version for line in lines if line.version is not None and set(chain) <= line.present]
    return told[-1] if told else None


def set_of(gathering: Gathering, number: int) -> FantomSet:
    """The set of questions about a gathering, in FANToM's schema."""
    lines = heard(gathering)
    names = list(dict.fromkeys(line.text.partition(":")[0] for line in lines))
    current = len(gathering.versions)
    aware = tuple(n for n in names if believed(lines, (n,)) == current)
    unaware = tuple(n for n in names if n not in aware)
    away = gathering.away
    access: Accessibility = "accessible" if away in aware else "inaccessible"
    near = frozenset().union(*(line.present for line in lines if line.in_short))
    missed = _missed(lines, away, current)
    chains = [(away,), (gathering.about, away), *([] if gathering.third is None else [(gathering.third, away)])]

    def listed(kind: str, question: str) -> FantomList:
        return FantomList(
            question=question,
            question_type=f"tom:{kind}:list",
            correct_answer=aware,
            wrong_answer=unaware,
            missed_info_accessibility=access,
        )

    def binaries(kind: str, question: str) -> tuple[FantomBinary, ...]:
        return tuple(
            FantomBinary(
                question=question.format(name=name),
                question_type=f"tom:{kind}:binary",
                correct_answer="yes" if name in aware else "no" if name in near else "no:long",
                missed_info_accessibility=access,
            )
            for name in names
        )

    return FantomSet(
        set_id=f"{number}-0-0",
        part_id=f"{number}-0",
        conv_id=str(number),
        short_context="\n".join(line.text for line in lines if line.in_short),
        full_context="\n".join(line.text for line in lines),
        missed_info="\n".join(line.text for line in missed),
        joining_speaker=away,
        factQA=FantomQA(
            question=gathering.asks,
            question_type="fact",
            correct_answer=_sentence(gathering.versions[-1]),
            wrong_answer="Nobody says so.",
        ),
        beliefQAs=tuple(_belief(gathering, lines, chain, access) for chain in chains),
        answerabilityQA_list=listed("answerability", "Who can answer this question correctly? List everybody who can."),
        answerabilityQAs_binary=binaries("answerability", "Can {name} answer this question correctly?"),
        infoAccessibilityQA_list=listed("info_accessibility", "Who has this information? List everybody who has it."),
        infoAccessibilityQAs_binary=binaries("info_accessibility", "Does {name} have this information?"),
    )


def sets_of(gatherings: Sequence[Gathering]) -> tuple[FantomSet, ...]:
    """All sets, numbered in order."""
    return tuple(set_of(g, number) for number, g in enumerate(gatherings))


def _missed(lines: Sequence[Heard], away: str, current: int) -> list[Heard]:
    """The stretch of lines around the news for which somebody was away."""
    telling = next((i for i, line in enumerate(lines) if line.version == current and away not in line.present), None)
    if telling is None:
        raise InputError(f"{away} was there whenever the news was told; nothing is missed")
    start, end = telling, telling
    while start > 0 and away not in lines[start - 1].present:
        start -= 1
    while end + 1 < len(lines) and away not in lines[end + 1].present:
        end += 1
    return list(lines[start : end + 1])


def _belief(g: Gathering, lines: Sequence[Heard], chain: tuple[str, ...], access: Accessibility) -> FantomQA:
    """A belief question. The wrong answer is the news, or what came before it where the news is right."""
    version, current = believed(lines, chain), len(g.versions)
    other = current if version != current else (current - 1 or None)
    thinker = "" if len(chain) == 1 else chain[0]
    asked = f"does {g.away} believe" if not thinker else f"does {thinker} think that {g.away} believes"
    circle = "cyclic" if thinker == g.about else "acyclic"
    return FantomQA(
        question=f"What {asked} about {g.topic}?",
        question_type=f"tom:belief:{access}",
        tom_type=f"second-order:{circle}" if thinker else "first-order",
        correct_answer=_holds(g, thinker, version),
        wrong_answer=_holds(g, thinker, other),
        missed_info_accessibility=access,
    )


def _holds(g: Gathering, thinker: str, version: int | None) -> str:
    """That `away` believes a version, or knows nothing of it, as a sentence; in the eyes of `thinker` where there is
    one."""
    if version is None:
        held = f"{g.away} does not know {g.topic}, not having been there to hear it"
    else:
        held = f"{g.away} believes that {g.versions[version - 1]}"
    return f"{thinker} thinks that {held}." if thinker else f"{held}."


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
