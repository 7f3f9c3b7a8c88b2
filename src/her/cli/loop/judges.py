"""Stage `judge`: judges are trained, measured side by side on labelled pairs, and two of them are chosen.

The one that rewards is the best on the pairs set aside for choosing. The one that examines is the best of another
family: an exam set by the pupil's own teacher proves nothing. Accuracy is reported on pairs that neither fitting nor
choosing has seen.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from her.cli.loop.encoded import encode_all
from her.cli.loop.loop import Loop
from her.cli.loop.policies import finish, told
from her.cli.recipe import JudgeSettings
from her.data import Splitter, judge_samples
from her.errors import InputError
from her.llm import LedgerScorer, fingerprint, open_model, open_scorer, weights
from her.reward import Judge, JudgeReport, Pack, Parts, load_pack, measure, parts, select
from her.reward.blend import BlendJudge, fit_blend, load_blend, save_blend
from her.reward.generative import GenerativeJudge
from her.reward.measure import LengthJudge
from her.reward.names import save_brief
from her.reward.pmi import PMIJudge
from her.reward.scored import ScoredJudge
from her.schema import Preference, Record
from her.stage import Finished, Outcome, Progress
from her.store import read_json, read_jsonl, write_json
from her.story import load_pairs, story_path
from her.train.sft import SFTConfig, train_sft

ROOMS = ("schema", "renderers", "reward", "train", "data", "story", "llm", "cli/loop/judges")
CONTROL = "longer reply"
FAMILIES = {
    "pmi": "likelihood",
    "blend": "likelihood",
    "untrained": "verdict",
    "trained": "verdict",
    "asked": "verdict",
}
"""A blend contains the likelihoods that PMI is made of: one may not examine what the other rewarded."""


class Measured(Record):
    """One judge on both parts of the pairs."""

    kind: str
    choose: JudgeReport
    test: JudgeReport


class Chosen(Record):
    """What the stage found."""

    measured: tuple[Measured, ...]
    rewards: str
    """Kind of the judge that gives the reward."""
    examines: str
    """Kind of the judge that decides the exam's games."""
    trained_on: int
    """Labelled pairs that the blend was fitted on."""
    tuned_on: int
    """Of these, pairs that the trained judge was fine-tuned on."""


class JudgeStage(Record):
    """What the stage depends on."""

    judge: JudgeSettings
    splits: Splitter
    pack: str
    """Hash of the principle pack."""
    seed: int


def trainable(loop: Loop) -> bool:
    """Are the judge's weights here? An endpoint is asked as it is."""
    return loop.recipe.models.judge.startswith(("local:", "hf:"))


def stage(loop: Loop) -> Finished:
    """Write `model/` (the trained judge), `blend.json` and `chosen.json`."""
    name = loop.recipe.models.judge
    settings = JudgeStage(
        judge=loop.recipe.judge, splits=loop.recipe.splits, pack=pack(loop).hash, seed=loop.recipe.run.seed
    )

    def work(folder: Path, progress: Progress) -> Outcome:
        dealt = deal(loop)
        outputs = ["blend.json", "chosen.json"]
        tuned, long = 0, 0
        if trainable(loop):
            progress(0, 1, "preparing the weights")
            tuned, long = train_judge(loop, dealt, folder=folder, progress=progress)
            outputs += finish(loop, folder, name, stage="judge")
        progress(0, 1, "fitting the blend")
        asyncio.run(_fit(loop, dealt, folder))
        kinds = ("pmi", "blend", "untrained", "trained") if trainable(loop) else ("asked", "blend")
        measured = []
        for done, kind in enumerate((*kinds, CONTROL)):
            progress(done, len(kinds) + 1, f"measuring {kind}")
            judge = open_kind(loop, kind, folder=folder)
            measured.append(asyncio.run(_measure(kind, judge, dealt, seed=settings.seed)))
        chosen = choose(measured, trained_on=len(dealt.train), tuned_on=tuned)
        write_json(folder / "chosen.json", chosen.model_dump(mode="json"))
        rejected = {"too_long": long}
        for m in measured:
            unread = m.choose.pairs - m.choose.accuracy.n + m.test.pairs - m.test.accuracy.n
            rejected["unread_verdicts"] = rejected.get("unread_verdicts", 0) + unread
        return Outcome(
            outputs=tuple(outputs),
            kept=len(dealt.train) + len(dealt.choose) + len(dealt.test),
            rejected={reason: n for reason, n in rejected.items() if n},
        )

    return loop.do(
        "judge",
        "judges are trained, measured and chosen",
        work,
        inputs={"pairs": story_path().parent if loop.recipe.pairs == "shipped" else Path(loop.recipe.pairs)},
        settings=settings,
        rooms=ROOMS,
        models={"judge": fingerprint(name)},
    )


def deal(loop: Loop) -> Parts:
    """The labelled pairs in three parts, whole scenes each.

    Pairs of scenes that the policies are examined on are the test part: no judge learns from them or is chosen by them.
    Where no pair is of such a scene (another story), the parts are dealt by seed.
    """
    recipe = loop.recipe
    pairs: Sequence[Preference]
    pairs = load_pairs() if recipe.pairs == "shipped" else read_jsonl(Path(recipe.pairs), Preference)
    if not pairs:
        raise InputError(f"{recipe.pairs} holds no labelled pairs; give some, or leave `pairs` out")
    pairs = _spread(pairs, recipe.judge.most_pairs or len(pairs))
    held_out = [p for p in pairs if recipe.splits.split(p.comparison.scene, p.comparison.scene.id) == "test"]
    if not held_out or len(held_out) == len(pairs):
        return parts(pairs, seed=recipe.run.seed, choose=recipe.judge.choose, test=recipe.judge.test)
    rest = parts([p for p in pairs if p not in held_out], seed=recipe.run.seed, choose=recipe.judge.choose, test=0.1)
    return Parts(train=(*rest.train, *rest.test), choose=rest.choose, test=tuple(held_out))


def train_judge(loop: Loop, dealt: Parts, *, folder: Path, progress: Progress) -> tuple[int, int]:
    """SFT on part of the labelled pairs, swapped both ways (the paper's first phase).

    Returns how many pairs it was asked to learn, and how many samples of them were too long.
    """
    settings, name = loop.recipe.judge, loop.recipe.models.judge
    config = SFTConfig.model_validate({**settings.sft.model_dump(), "seed": loop.recipe.run.seed})
    pairs = _spread(dealt.train, settings.train_pairs)
    samples = judge_samples(
        [settings.brief.preference(p) for p in pairs],
        settings.brief.principles(pack(loop)),
        role_thinking=settings.brief.role_thinking,
        findings=False,
        splits=Splitter(seed=0, valid=0.0, test=0.0),
    )
    base = weights(name)
    encoded, long = encode_all(samples, base, max_tokens=config.max_tokens)
    train_sft(config, base=base, train=encoded, valid=[], out=folder / "model", progress=told(progress))
    save_brief(folder / "model", settings.brief)
    return len(pairs), len(long)


def choose(measured: Sequence[Measured], *, trained_on: int, tuned_on: int) -> Chosen:
    """The best on the choosing pairs rewards; the best of another family examines. Controls do neither."""
    best = _best([m for m in measured if m.kind in FAMILIES])
    others = [m for m in measured if m.kind in FAMILIES and FAMILIES[m.kind] != FAMILIES[best.kind]]
    return Chosen(
        measured=tuple(measured),
        rewards=best.kind,
        examines=_best(others).kind,
        trained_on=trained_on,
        tuned_on=tuned_on,
    )


def read_chosen(loop: Loop) -> Chosen:
    return Chosen.model_validate(read_json(loop.run.root / "judge" / "chosen.json"))


def open_kind(loop: Loop, kind: str, *, folder: Path, stage: str = "judge") -> Judge:
    """Open one of the stage's judges; what it asks of a model goes through the ledger."""
    name, brief = loop.recipe.models.judge, loop.recipe.judge.brief
    if kind == CONTROL:
        return LengthJudge("reply")
    if kind == "asked":
        asked = open_model(name, ledger=loop.ledger, stage=stage)
        return GenerativeJudge(asked, pack(loop), brief=loop.recipe.judge.own)
    scorer = _scorer(loop, f"run:{folder / 'model'}" if kind == "trained" else name, stage=stage)
    if kind == "blend":
        return BlendJudge(load_blend(folder / "blend.json"), scorer=scorer)
    assert scorer is not None  # the other kinds are measured only where the weights are
    if kind == "pmi":
        return PMIJudge(scorer, brief=brief)
    return ScoredJudge(scorer, pack(loop), brief=brief)


def pack(loop: Loop) -> Pack:
    """The recipe's principle pack."""
    path = loop.recipe.judge.pack
    return load_pack(None if path is None else Path(path))


def _scorer(loop: Loop, name: str, *, stage: str) -> LedgerScorer | None:
    if not trainable(loop):
        return None
    scorer = LedgerScorer(open_scorer(name), loop.ledger, stage=stage)
    # A model of this run is named by its place in it: where the run lies must not change what it writes.
    scorer.name = name.replace(f"run:{loop.run.root}/", "run:")
    return scorer


def _spread(pairs: Sequence[Preference], most: int) -> list[Preference]:
    """At most so many pairs, spread over the scenes."""
    step = max(1, len(pairs) // most)
    return list(pairs[::step][:most])


def _best(judges: Sequence[Measured]) -> Measured:
    report = select([m.choose for m in judges])
    return next(m for m in judges if m.choose is report)


async def _fit(loop: Loop, dealt: Parts, folder: Path) -> None:
    scorer = _scorer(loop, loop.recipe.models.judge, stage="judge")
    model = await fit_blend(dealt.train, scorer=scorer, brief=loop.recipe.judge.brief, seed=loop.recipe.run.seed)
    save_blend(folder / "blend.json", model)


async def _measure(kind: str, judge: Judge, dealt: Parts, *, seed: int) -> Measured:
    return Measured(
        kind=kind,
        choose=await measure(judge, dealt.choose, seed=seed),
        test=await measure(judge, dealt.test, seed=seed),
    )
