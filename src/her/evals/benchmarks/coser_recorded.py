"""A recorded judgement file of CoSER's, scored again from its flaws and its texts: no model is asked.

Owns what `her eval coser --recorded` prints. Profile `coser` repeats the published arithmetic; how far it is from the
scores in the file is printed beside them.
"""

from collections import Counter
from pathlib import Path

from pydantic import ConfigDict, Field

from her.errors import InputError
from her.evals.benchmarks.coser_judging import DIMENSIONS, JUDGINGS, score, severities, sound
from her.evals.benchmarks.coser_overlap import overlaps
from her.evals.benchmarks.coser_scene import without_thoughts
from her.evals.benchmarks.data import parse, read_records
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.upstream.coser import CoserCase, CoserCritique, CoserJudgement, CoserLine, CoserScene
from her.schema import ENVIRONMENT, Record
from her.store import read_json

_CALLER = "NSP"


class RecordedScores(Record):
    """What a file comes to. A value is None where nothing has it; `unscored` says how often and why."""

    model_config = ConfigDict(serialize_by_alias=True)

    storyline_consistency: float | None = Field(serialization_alias="Storyline Consistency")
    anthropomorphism: float | None = Field(serialization_alias="Anthropomorphism")
    character_fidelity: float | None = Field(serialization_alias="Character Fidelity")
    storyline_quality: float | None = Field(serialization_alias="Storyline Quality")
    avg: float | None
    """Mean of the four."""
    bleu: float | None
    rouge_l: float | None
    """0 to 1; both None without a test set."""
    profile: str
    cases: int
    turns: float
    """Mean N: what is forgiven grows with it."""
    unscored: dict[str, int]
    recorded: dict[str, float]
    """The file's own scores."""
    largest_difference: float
    """Between the file's own score of a case (its dimensions, BLEU and ROUGE-L) and the one above, on 0 to 100."""


def score_recorded(path: Path, test_set: Path | None, settings: Settings) -> RecordedScores:
    """Read and score. An InputError names the file and field that is missing or wrong."""
    judged = parse(read_json(path), CoserJudgement, where=path.name)
    if not judged.cases:
        raise InputError(f"{path.name} holds no case; check that it is a judgement file of CoSER's evaluator")
    references = {} if test_set is None else _references(test_set)
    if test_set is not None and not judged.cases.keys() & references.keys():
        raise InputError(f"no case of {path.name} is in {test_set.name}; give the test set that was played")
    values: dict[str, list[float]] = {name: [] for name in (*DIMENSIONS, "bleu", "rouge_l")}
    unscored: Counter[str] = Counter()
    turns, apart = [], [0.0]
    for name, case in judged.cases.items():
        n = _turns(case, settings)
        turns.append(n)
        for dimension in DIMENSIONS:
            critique = case.critique.get(dimension)
            if not isinstance(critique, CoserCritique):
                unscored[f"{dimension}: not judged"] += 1
                continue
            found = _dimension(critique, n, settings)
            if isinstance(found, str):
                unscored[f"{dimension}: {found}"] += 1
                continue
            values[dimension].append(found)
            if critique.score is not None:
                apart.append(abs(found - critique.score))
        if name not in references:
            unscored["overlap: no --test-set" if test_set is None else "overlap: not in the test set"] += 1
            continue
        for metric, overlap in _overlap(case, references[name], settings).items():
            if overlap is None:
                unscored[f"{metric}: an empty side"] += 1
                continue
            values[metric].append(overlap)
            if isinstance(own := case.critique.get(metric), float):
                apart.append(100 * abs(overlap - own))
    means = {metric: sum(v) / len(v) if v else None for metric, v in values.items()}
    four = [m for d in DIMENSIONS if (m := means[d]) is not None]
    storyline, human, fidelity, quality = (means[d] for d in DIMENSIONS)
    return RecordedScores(
        storyline_consistency=storyline,
        anthropomorphism=human,
        character_fidelity=fidelity,
        storyline_quality=quality,
        avg=sum(four) / len(four) if len(four) == len(DIMENSIONS) else None,
        bleu=means["bleu"],
        rouge_l=means["rouge_l"],
        profile=settings.profile,
        cases=len(judged.cases),
        turns=sum(turns) / len(turns),
        unscored=dict(sorted(unscored.items())),
        recorded=judged.scores,
        largest_difference=max(apart),
    )


def _references(test_set: Path) -> dict[str, tuple[CoserLine, ...]]:
    return {f"{s.book}-{s.i_p}-{s.i_c}": s.dialogues for _, s in read_records(test_set, CoserScene)}


def _messages(case: CoserCase) -> list[tuple[str, str]]:
    """Speaker and words, without the calls of next speakers and without thoughts."""
    return [
        (m.role, m.content if m.role == ENVIRONMENT else without_thoughts(m.content))
        for m in case.simulation
        if m.role != _CALLER
    ]


def _turns(case: CoserCase, settings: Settings) -> int:
    empty = settings.profile != "fixed"
    return sum(role != ENVIRONMENT and bool(text or empty) for role, text in _messages(case))


def _dimension(critique: CoserCritique, n: int, settings: Settings) -> float | str:
    if JUDGINGS[settings.profile].strict and not all(sound(flaw) for flaw in critique.flaws):
        return "a severity is no whole number from 1 to 5"
    return score(severities(critique.flaws, settings.profile), n)


def _overlap(case: CoserCase, reference: tuple[CoserLine, ...], settings: Settings) -> dict[str, float | None]:
    simulated = _messages(case)
    book = [(r.character, r.message if r.character == ENVIRONMENT else without_thoughts(r.message)) for r in reference]
    return overlaps(simulated, book, settings.profile)
