"""A judge's training as stages of a run folder: lessons, supervised training, reinforcement learning.

Owns what each stage depends on and leaves behind. A stage that is done is kept, one that was killed goes on from its
checkpoints, and what a teacher or the judge itself was asked is in the run's ledger.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from her import __version__
from her.cli.loop.board import Board
from her.cli.loop.encoded import encode_all
from her.cli.loop.policies import told
from her.errors import VerdictError
from her.llm import Ledger, TrainedCard, fingerprint, open_model, save_card, weights
from her.renderers.rules import WrittenRule
from her.reward import Pack, parts
from her.reward.brief import Brief
from her.reward.generative import GenerativeJudge
from her.reward.lessons import Lesson, Lessons, balanced, exercises, from_labels, from_teacher, questions
from her.reward.names import save_brief
from her.reward.writer import RuleWriter
from her.schema import Preference, Record, Unparsed
from her.stage import Finished, Outcome, Progress, RunFolder, stage_key
from her.store import read_jsonl, write_jsonl
from her.train.judge_rl import JudgeRLConfig, train_judge_rl
from her.train.sft import SFTConfig, train_sft

_ROOMS = ("schema", "renderers", "reward", "train", "llm", "cli/judge_run")


class JudgeTraining(Record):
    """How a judge is trained (`her reward train --recipe FILE`). The defaults are for a 135M model on two cores."""

    seed: int = 0
    """Of the parts, the choice of lessons and both trainings."""
    brief: Brief = Brief(mode="independent", max_principles=2, max_turns=2, max_words=20, max_findings=2)
    """Its mode, and what it is shown; the same in training and in use."""
    most_pairs: int | None = Field(default=None, gt=0)
    """At most so many labelled pairs, spread over the scenes; None: all but the test part."""
    sft: SFTConfig = SFTConfig(epochs=1.0, row_tokens=1400)
    rl: JudgeRLConfig = JudgeRLConfig()


class _Stage(Record):
    """What a stage depends on beside its inputs."""

    training: JudgeTraining
    pack: str
    teacher: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRun:
    """A judge's training under way."""

    run: RunFolder
    ledger: Ledger
    board: Board
    training: JudgeTraining
    base: str
    """`local:` or `hf:`."""
    pack: Pack
    teacher: str | None
    """A model that finds principles by the pack; None: the labels' own."""

    def lessons(self, pairs: Sequence[Preference], source: Path) -> Finished:
        """Write `lessons.jsonl` and `pairs.jsonl`, the pairs that may be learnt from: none of the test part."""

        def work(folder: Path, progress: Progress) -> Outcome:
            dealt = parts(pairs, seed=self.training.seed)
            mine = spread((*dealt.train, *dealt.choose), self.training.most_pairs)
            found = from_labels(mine, self.pack)
            if self.teacher is not None:
                progress(0, len(mine), "the teacher compares")
                found = asyncio.run(self._taught(mine))
            found = balanced(found, seed=self.training.seed)
            if not found.lessons:
                raise VerdictError(f"none of {len(mine)} pairs can be taught: {found.rejected}; look at pairs and pack")
            write_jsonl(folder / "lessons.jsonl", found.lessons)
            write_jsonl(folder / "pairs.jsonl", mine)
            outputs = ("lessons.jsonl", "pairs.jsonl")
            return Outcome(outputs=outputs, kept=len(found.lessons), rejected=found.rejected)

        models = {} if self.teacher is None else {"teacher": fingerprint(self.teacher)}
        return self._do("lessons", "lessons are built backwards from labels", work, {"pairs": source}, models)

    def sft(self) -> Finished:
        """Write `model/`: the adapter, its brief and its card."""

        def work(folder: Path, progress: Progress) -> Outcome:
            progress(0, 1, "preparing the weights")
            lessons = read_jsonl(self.run.root / "lessons" / "lessons.jsonl", Lesson)
            config = SFTConfig.model_validate({**self.training.sft.model_dump(), "seed": self.training.seed})
            base = weights(self.base)
            samples = exercises(lessons, self.training.brief, self.pack)
            encoded, long = encode_all(samples, base, max_tokens=config.max_tokens)
            train_sft(config, base=base, train=encoded, valid=[], out=folder / "model", progress=told(progress))
            return self._finish(folder, kept=len(encoded), rejected={"too_long": len(long)})

        inputs = {"lessons": self.run.root / "lessons" / "lessons.jsonl"}
        return self._do("sft", f"{self.base} learns to judge", work, inputs, {"base": fingerprint(self.base)})

    def rl(self) -> Finished:
        """Write `model/`: the adapter, its brief, its card and `rollouts.jsonl`."""
        adapter = self.run.root / "sft" / "model" / "peft"

        def work(folder: Path, progress: Progress) -> Outcome:
            progress(0, 1, "preparing the questions")
            pairs = read_jsonl(self.run.root / "lessons" / "pairs.jsonl", Preference)
            listed, unread = {}, 0
            if self.training.brief.mode == "independent":
                listed = asyncio.run(self._written(pairs))
                unread = len(pairs) - len(listed)
                pairs = [p for p in pairs if p.comparison.id in listed]
            config = JudgeRLConfig.model_validate({**self.training.rl.model_dump(), "seed": self.training.seed})
            result = train_judge_rl(
                config,
                base=weights(self.base),
                adapter=adapter,
                questions=questions(pairs, self.training.brief, self.pack, listed=listed),
                brief=self.training.brief,
                out=folder / "model",
                progress=told(progress),
            )
            if (back := result.rollback) is not None:
                seen = "; ".join(a.text for a in back.collapse.alarms)
                self.board.say(f"collapse at step {back.collapse.step}: {seen}; taken back to step {back.to}")
            rejected = {"rules_unread": unread, "too_long": result.pairs_too_long}
            for step in result.curve:
                for reason, n in step.faults.items():
                    rejected[f"verdict.{reason}"] = rejected.get(f"verdict.{reason}", 0) + n
            return self._finish(folder, kept=sum(s.read for s in result.curve), rejected=rejected)

        inputs = {"adapter": adapter, "pairs": self.run.root / "lessons" / "pairs.jsonl"}
        return self._do("rl", "rewarded where both orders are right", work, inputs, {"base": fingerprint(self.base)})

    async def _taught(self, pairs: Sequence[Preference]) -> Lessons:
        assert self.teacher is not None
        model = open_model(self.teacher, ledger=self.ledger, stage="lessons")
        try:
            judge = GenerativeJudge(model, self.pack, brief=Brief(role_thinking=self.training.brief.role_thinking))
            return await from_teacher(judge, pairs, self.pack, most=self.training.brief.most_written)
        finally:
            await model.close()

    async def _written(self, pairs: Sequence[Preference]) -> dict[str, tuple[WrittenRule, ...]]:
        """The rules that the judge writes for each pair's place after supervised training, where they can be read."""
        name = f"run:{self.run.root / 'sft' / 'model'}"
        model = open_model(name, ledger=self.ledger, stage="rules", reproducible=True)
        try:
            writer = RuleWriter(model, self.training.brief)
            places = [self.training.brief.comparison(p.comparison) for p in pairs]
            await writer.prepare(places, asyncio.Semaphore(4))
        finally:
            await model.close()
        found = [(p.comparison.id, writer.rules(c)) for p, c in zip(pairs, places, strict=True)]
        return {pair: rules for pair, rules in found if not isinstance(rules, Unparsed)}

    def _finish(self, folder: Path, *, kept: int, rejected: Mapping[str, int]) -> Outcome:
        model = folder / "model"
        adapter = "adapter.gguf" if (model / "adapter.gguf").is_file() else None
        card = TrainedCard(
            base=self.base,
            base_fingerprint=fingerprint(self.base),
            adapter=adapter,
            peft="peft",
            history_policy="drop_own_system",
            system_thinking=False,
            stage="judge",
            her_version=__version__,
        )
        save_card(model, card)
        save_brief(model, self.training.brief)
        names = ("adapter.gguf", "brief.json", "her.json", "peft", "rollouts.jsonl")
        return Outcome(
            outputs=tuple(f"model/{name}" for name in names if (model / name).exists()),
            kept=kept,
            rejected={reason: n for reason, n in rejected.items() if n},
        )

    def _do(
        self,
        stage: str,
        what: str,
        work: Callable[[Path, Progress], Outcome],
        inputs: Mapping[str, Path],
        models: Mapping[str, str],
    ) -> Finished:
        # What only later stages read must not undo an earlier one.
        unread = {"lessons": ("sft", "rl"), "sft": ("rl",)}.get(stage, ())
        defaults = JudgeTraining()
        training = self.training.model_copy(update={name: getattr(defaults, name) for name in unread})
        settings = _Stage(training=training, pack=self.pack.hash, teacher=self.teacher)
        key = stage_key(stage, inputs=inputs, settings=settings, rooms=_ROOMS, models=models)
        with self.board.stage(stage, what) as progress:
            done = self.run.run(key, lambda folder: work(folder, progress))
        self.board.finished(done)
        return done


def spread(pairs: Sequence[Preference], most: int | None) -> list[Preference]:
    """At most so many pairs, in even steps, so that every scene has its share."""
    if most is None or most >= len(pairs):
        return list(pairs)
    return [pairs[i * len(pairs) // most] for i in range(most)]
