"""Attribution: the speaker of each utterance that no rule could give, chosen by the teacher among those who are there.

Owns the candidates: people the scene knows, less those whom the words address, whose gender does not fit, or who
speak just before or after. One candidate alone needs no teacher. Knows nothing of scenes' cards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from her.errors import TeacherError
from her.synthesis.extraction.scenes import SceneText
from her.synthesis.extraction.speakers import Attributed, alternate, attribute, beside, cast, excerpt
from her.synthesis.people.names import Person, Roster
from her.synthesis.result import Reject
from her.synthesis.teacher import Ask, Choice, Teacher

_MAX_CANDIDATES = 8


async def attribute_all(
    teacher: Teacher, *, text: str, scene: SceneText, roster: Roster
) -> tuple[list[Attributed], list[Reject]]:
    """Every utterance of the scene, with its speaker or with a reject `unattributed`. In reading order, so that each
    answer of the teacher can settle the turns around it."""
    found = attribute(text, scene, roster)
    rejects: list[Reject] = []
    given_up: set[str] = set()
    while (i := next((k for k, a in enumerate(found) if _open(a, given_up)), None)) is not None:
        here = found[i]
        people = candidates(text, scene, roster=roster, found=found, at=i)
        if not people:
            given_up.add(here.utterance.id)
            rejects.append(_unattributed(scene, here, "nobody in the scene fits"))
            continue
        answer = await teacher.ask(_question(text, scene=scene, here=here, people=people))
        if answer.value is None:
            given_up.add(here.utterance.id)
            detail = answer.reject.reason if answer.reject else ""
            rejects.append(_unattributed(scene, here, detail))
            continue
        found[i] = replace(here, speaker=answer.value, how="teacher")
        found = alternate(found, scene)
    return found, rejects


def _open(a: Attributed, given_up: set[str]) -> bool:
    return a.speaker is None and a.utterance.id not in given_up


def _unattributed(scene: SceneText, here: Attributed, detail: str) -> Reject:
    return Reject(stage="speaker", item_id=f"{scene.id}/{here.utterance.id}", reason="unattributed", detail=detail)


def candidates(text: str, scene: SceneText, *, roster: Roster, found: Sequence[Attributed], at: int) -> list[Person]:
    """Who could say these words, those who speak nearby first."""
    here = found[at]
    near = sorted(
        ((abs(k - at), a.speaker) for k, a in enumerate(found) if a.speaker is not None and k != at),
        key=lambda pair: (pair[0], pair[1].name),
    )
    ordered = {p.name: p for p in [*(p for _, p in near), *cast(text, scene, roster)]}
    fitting = [
        p
        for p in ordered.values()
        if p.name not in here.addressed and (here.gender == "unknown" or p.gender in ("unknown", here.gender))
    ]
    near_names = beside(found, at)
    others = [p for p in fitting if p.name not in near_names]
    return (others or fitting)[:_MAX_CANDIDATES]


def _question(text: str, *, scene: SceneText, here: Attributed, people: Sequence[Person]) -> Ask[Person]:
    before, words, after = excerpt(text, scene, here.utterance, words_each_side=60)
    by_name = {p.name: p for p in people}

    def check(answer: Mapping[str, str]) -> Person:
        if answer["speaker"] not in by_name:
            raise TeacherError(answer["speaker"], "unknown_name")
        return by_name[answer["speaker"]]

    return Ask(
        stage="speaker",
        item_id=f"{scene.id}/{here.utterance.id}",
        prompt="speaker",
        values={
            "before": before,
            "here": " ".join(words.split()[:80]),
            "after": " ".join(after.split()[:30]),
            "names": ", ".join(by_name),
        },
        fields={"speaker": Choice(options=tuple(by_name))},
        check=check,
        max_tokens=24,
    )
