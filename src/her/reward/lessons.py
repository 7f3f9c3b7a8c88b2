"""Lessons: what a judge is taught, built backwards from pairs whose answer is known (HER §4.1, reverse construction).

A labelled pair knows its winner and the principle that decides it; a teacher who is shown the pack and comes to the
label in both orders knows more of them. The pupil's prompt has no list: it must write in its answer what the teacher
read in the prompt. Coupled: principles, comparison and winner in one answer. Independent: the principles from the place
alone, then a verdict by them. Every pair is taught in both orders, so that no place is a better place. What cannot be
taught is a counted reject. Knows nothing of tokens and gradients.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from her.renderers.judging import Rule, render_verdict
from her.renderers.rules import (
    WrittenRule,
    read_coupled_rules,
    render_coupled,
    render_rules,
    rule_of,
    rules_messages,
)
from her.reward.asking import contradicts, mixed, question
from her.reward.brief import Brief
from her.reward.judge import Judge, both_orders
from her.reward.pack import Pack
from her.schema import Comparison, Decided, Message, Preference, PrincipleFinding, Record, Unparsed, Winner


class Lesson(Record):
    """A pair with everything that its answer is made of."""

    preference: Preference
    rules: tuple[WrittenRule, ...]
    findings: tuple[PrincipleFinding, ...]
    """One for each rule, in the preference's order of candidates."""
    taught_by: str
    """`label`, or the name of the judge whose findings these are."""

    @property
    def decided(self) -> Decided:
        return Decided(winner=self.preference.winner, findings=self.findings)


class Lessons(Record):
    """What can be taught, and how many pairs cannot, by reason."""

    lessons: tuple[Lesson, ...]
    rejected: dict[str, int]


class Exercise(Record):
    """A prompt and the answer to it: what supervised training takes (fits `renderers.tokens.Target`)."""

    id: str
    messages: tuple[Message, ...]
    target: str


class Question(Record):
    """A prompt for a verdict and the winner it should name: what reinforcement learning takes."""

    id: str
    """The pair's id and the order: `ID:12` or `ID:21`."""
    pair: str
    messages: tuple[Message, ...]
    winner: Winner
    nameable: tuple[str, ...]
    """Rules that findings may name; none listed: the answer brings its own."""


def from_labels(preferences: Sequence[Preference], pack: Pack) -> Lessons:
    """One lesson a pair, with the deciding principle alone: a label knows no other. Rejects: unknown_principle,
    unreadable_rule."""
    lessons, rejected = [], Counter[str]()
    known = {p.name: p for p in pack.principles}
    for p in preferences:
        if p.principle not in known:
            rejected["unknown_principle"] += 1
            continue
        finding = PrincipleFinding(principle=p.principle, winner=p.winner)
        lesson = Lesson(preference=p, rules=(rule_of(known[p.principle]),), findings=(finding,), taught_by="label")
        if _readable(lesson):
            lessons.append(lesson)
        else:
            rejected["unreadable_rule"] += 1
    return Lessons(lessons=tuple(lessons), rejected=dict(rejected))


async def from_teacher(teacher: Judge, preferences: Sequence[Preference], pack: Pack, *, most: int) -> Lessons:
    """Lessons out of a teacher's findings, where both orders of its verdict come to the label.

    Rejects: teacher_unread, teacher_inconsistent, teacher_disagrees, no_findings (none that both orders share, of the
    pack), contradictory, unreadable_rule.
    """
    lessons, rejected = [], Counter[str]()
    known = {p.name: p for p in pack.principles}
    for p, joint in zip(preferences, await both_orders(teacher, [p.comparison for p in preferences]), strict=True):
        verdict = joint.verdict
        if isinstance(verdict, Unparsed):
            rejected["teacher_unread"] += 1
            continue
        findings = tuple({f.principle: f for f in verdict.findings if f.principle in known}.values())[:most]
        found = Decided(winner=verdict.winner, findings=findings)
        lesson = Lesson(
            preference=p,
            rules=tuple(rule_of(known[f.principle]) for f in findings),
            findings=findings,
            taught_by=teacher.name,
        )
        if not joint.consistent:
            rejected["teacher_inconsistent"] += 1
        elif verdict.winner != p.winner:
            rejected["teacher_disagrees"] += 1
        elif not findings:
            rejected["no_findings"] += 1
        elif contradicts(found):
            rejected["contradictory"] += 1
        elif not _readable(lesson):
            rejected["unreadable_rule"] += 1
        else:
            lessons.append(lesson)
    return Lessons(lessons=tuple(lessons), rejected=dict(rejected))


def balanced(lessons: Lessons, *, seed: int) -> Lessons:
    """As many lessons whose findings favour one side as such that favour both, at most: taught mostly one-sided ones,
    a judge lets one side win everything (the paper: 50% mixed, 25% one-sided each way; both orders of each pair make
    the two ways equal). Where none is mixed, as with labels alone, all stay."""
    sides = [lesson for lesson in lessons.lessons if not mixed(lesson.decided)]
    room = len(lessons.lessons) - len(sides)
    if not room or len(sides) <= room:
        return lessons
    over = set(random.Random(seed).sample([s.preference.comparison.id for s in sides], len(sides) - room))
    kept = tuple(x for x in lessons.lessons if mixed(x.decided) or x.preference.comparison.id not in over)
    return Lessons(lessons=kept, rejected={**lessons.rejected, "one_sided": len(lessons.lessons) - len(kept)})


def exercises(lessons: Sequence[Lesson], brief: Brief, pack: Pack) -> tuple[Exercise, ...]:
    """What the pupil is trained on: both orders of each lesson next to each other; independent, the rules of each
    place before its first verdict."""
    made: list[Exercise] = []
    places: dict[tuple[Message, ...], dict[str, WrittenRule]] = {}
    for lesson in lessons:
        place = _place(lesson.preference.comparison, brief)
        places.setdefault(place, {}).update({r.name: r for r in lesson.rules})
    written: set[tuple[Message, ...]] = set()
    for lesson in lessons:
        pair = lesson.preference.comparison
        place = _place(pair, brief)
        at_place = list(places[place].values())
        if brief.mode == "independent" and place not in written:
            written.add(place)
            target = render_rules(at_place[: brief.most_written])
            made.append(Exercise(id=f"{pair.id}:rules", messages=place, target=target))
        rules: Sequence[Rule] = brief.principles(pack)
        if brief.mode == "independent":
            rules = _listed(lesson, at_place, most=brief.most_written)
        for order, asked, decided in (
            ("12", pair, lesson.decided),
            ("21", pair.swap(), lesson.decided.swap()),
        ):
            coupled = brief.mode == "coupled"
            made.append(
                Exercise(
                    id=f"{pair.id}:{order}",
                    messages=question(brief.comparison(asked), rules, brief),
                    target=render_coupled(decided, lesson.rules) if coupled else render_verdict(decided),
                )
            )
    return tuple(made)


def questions(
    preferences: Sequence[Preference], brief: Brief, pack: Pack, *, listed: Mapping[str, Sequence[WrittenRule]]
) -> tuple[Question, ...]:
    """Both orders of every pair, next to each other. `listed`: the rules of an independent judge by the pair's id."""
    made = []
    for p in preferences:
        rules: Sequence[Rule] = brief.principles(pack) if brief.mode == "pack" else ()
        nameable = tuple(x.name for x in pack.principles) if brief.mode == "pack" else ()
        if brief.mode == "independent":
            rules = listed[p.comparison.id]
            nameable = tuple(r.name for r in rules)
        for order, asked in (("12", p), ("21", p.swap())):
            made.append(
                Question(
                    id=f"{p.comparison.id}:{order}",
                    pair=p.comparison.id,
                    messages=question(brief.comparison(asked.comparison), rules, brief),
                    winner=asked.winner,
                    nameable=nameable,
                )
            )
    return tuple(made)


def _place(comparison: Comparison, brief: Brief) -> tuple[Message, ...]:
    cut = brief.comparison(comparison)
    return rules_messages(cut, most=brief.most_written, role_thinking=brief.role_thinking)


def _listed(lesson: Lesson, at_place: Sequence[WrittenRule], *, most: int) -> list[WrittenRule]:
    """The rules of the place in its order, the lesson's own among them whatever is left out."""
    own = {r.name for r in lesson.rules}
    others = [r.name for r in at_place if r.name not in own][: max(0, most - len(own))]
    return [r for r in at_place if r.name in own or r.name in others]


def _readable(lesson: Lesson) -> bool:
    """Would the pupil's answer be read as it is taught?"""
    text = render_coupled(lesson.decided, lesson.rules)
    return read_coupled_rules(text, most=len(lesson.rules)) == lesson.rules
