"""Stage `policy`: reinforcement learning. Gates, games between the replies to one prompt, ratings, GRPO."""

import random
from pathlib import Path

from her.cli.loop import data, judges
from her.cli.loop.loop import Loop
from her.cli.loop.policies import finish, told
from her.llm import fingerprint, weights
from her.reward import GateConfig, GroupConfig, GroupReward
from her.reward.novelty import NovelReward, NoveltyConfig
from her.schema import Record, RLPrompt
from her.stage import Finished, Outcome, Progress
from her.train.policy import PolicyConfig, train_policy

ROOMS = ("schema", "renderers", "reward", "train", "llm", "cli/loop/policy")
OUTPUTS = ("adapter.gguf", "her.json", "peft", "rollouts.jsonl", "training.json")


class PolicyStage(Record):
    """What the stage depends on."""

    policy: PolicyConfig
    group: GroupConfig
    novelty: NoveltyConfig
    gates: GateConfig
    prompts: int
    judge: str
    """Kind of the rewarding judge."""
    witness: str
    """Kind of the judge that the guard hears beside it: the exam's, which the training never does."""


def stage(loop: Loop) -> Finished:
    """Write `model/`: the adapter, its card, `training.json` and `rollouts.jsonl`."""
    recipe, root = loop.recipe, loop.run.root
    name = recipe.models.policy
    chosen = judges.read_chosen(loop)
    settings = PolicyStage(
        policy=PolicyConfig.model_validate({**recipe.policy.model_dump(), "seed": recipe.run.seed}),
        group=recipe.group,
        novelty=recipe.novelty,
        gates=GateConfig.model_validate({**recipe.gates.model_dump(), "system_thinking": recipe.run.system_thinking}),
        prompts=recipe.rl_prompts,
        judge=chosen.rewards,
        witness=chosen.examines,
    )

    def work(folder: Path, progress: Progress) -> Outcome:
        progress(0, 1, "opening the judges")
        judge, witness = (
            judges.open_kind(loop, kind, folder=root / "judge", stage="policy")
            for kind in (settings.judge, settings.witness)
        )
        prompts = drawn(data.read_prompts(loop), settings.prompts, seed=recipe.run.seed)
        result = train_policy(
            settings.policy,
            base=weights(name),
            adapter=root / "sft" / "model" / "peft",
            prompts=prompts,
            reward=NovelReward(GroupReward(judge, gates=settings.gates, config=settings.group), settings.novelty),
            witness=GroupReward(witness, gates=settings.gates, config=settings.group),
            out=folder / "model",
            progress=told(progress),
        )
        rejected = {
            "gated": sum(s.gated for s in result.curve),
            "no_reward": sum(s.unknown for s in result.curve),
            "prompt_too_long": result.prompts_too_long,
        }
        return Outcome(
            outputs=finish(loop, folder, name, stage="policy"),
            kept=sum(s.replies - s.gated - s.unknown for s in result.curve),
            rejected={reason: n for reason, n in rejected.items() if n},
        )

    return loop.do(
        "policy",
        f"{name} learns from the {chosen.rewards} judge",
        work,
        inputs={
            "adapter": root / "sft" / "model" / "peft",
            "judge": root / "judge" / "chosen.json",
            "prompts": root / "data" / "rl.jsonl",
        },
        settings=settings,
        rooms=ROOMS,
        models={"base": fingerprint(name)},
    )


def drawn(prompts: list[RLPrompt], most: int, *, seed: int) -> list[RLPrompt]:
    """Training prompts in a seeded order, at most `most`."""
    order = sorted((p for p in prompts if p.split == "train"), key=lambda p: p.id)
    random.Random(seed).shuffle(order)
    return order[:most]
