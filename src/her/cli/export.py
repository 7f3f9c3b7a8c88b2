"""`her export`: what another engine needs to train on our data with our rewards."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Hand data and rewards to another training engine.")

MANAGER = "her_verl_reward.py"
LAUNCH = "launch.sh"


@app.callback()
def top() -> None:
    """Hand data and rewards to another training engine."""


@app.command()
def verl(
    samples: Annotated[Path, typer.Argument(help="Places where a policy speaks next: a build's rl.jsonl.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    policy: Annotated[str, typer.Option(help="Folder or hub id of the model to train.")] = "Qwen/Qwen3-8B",
    judge: Annotated[
        str, typer.Option(help="Who judges, in the launch command.")
    ] = "openai:MODEL@http://127.0.0.1:8000/v1",
    group: Annotated[int, typer.Option(min=2, max=256, help="Replies to a prompt.")] = 8,
    gpus: Annotated[int, typer.Option(min=1, help="GPUs of a node.")] = 8,
) -> None:
    """Write Parquet, a reward manager and a launch command for verl 0.9; they meet `her reward serve` over HTTP."""
    from her.data.exports.verl import write_verl

    manager = (resources.files("her.train") / "adapters" / "verl_reward.py").read_text(encoding="utf-8")
    command = launch(out, policy=policy, judge=judge, group=group, gpus=gpus)
    written = write_verl(samples, out=out, texts={MANAGER: manager, LAUNCH: command})
    for name, rows in written.rows.items():
        typer.echo(f"{rows:>9} {name}")
    typer.echo(f"then, where verl is installed: bash {out / LAUNCH}")


def launch(out: Path, *, policy: str, judge: str, group: int, gpus: int) -> str:
    """The shell script: what to start, with every setting that departs from verl's own."""
    from shlex import quote

    return f"""#!/usr/bin/env bash
# 1. In her's environment, and left running; a crash is answered by starting it again, nothing is paid twice:
#
#      her reward serve --judge {quote(judge)} --schedule circulant:2 --deadline 120
#
# 2. In verl's environment (verl 0.9, aiohttp):  bash launch.sh
set -euo pipefail
HERE="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
export HER_REWARD_URL="${{HER_REWARD_URL:-http://127.0.0.1:8100}}" HER_REWARD_DEADLINE_S=120
VALID="$HERE/valid.parquet"; [ -f "$VALID" ] || VALID="$HERE/train.parquet"

# Advantages are distances from the group's mean and are not divided by the group's own deviation, which would blow
# noise up to full size. Groups whose rewards do not differ are dropped. clip_ratio_high is DAPO's clip-higher.
exec python3 -m verl.trainer.main_ppo \\
  algorithm.adv_estimator=grpo \\
  algorithm.norm_adv_by_std_in_grpo=False \\
  algorithm.filter_groups.enable=True \\
  algorithm.filter_groups.metric=reward \\
  data.train_files="$HERE/train.parquet" \\
  data.val_files="$VALID" \\
  data.max_prompt_length=4096 \\
  data.max_response_length=1536 \\
  data.filter_overlong_prompts=True \\
  data.train_batch_size=128 \\
  actor_rollout_ref.model.path={quote(policy)} \\
  actor_rollout_ref.rollout.name=vllm \\
  actor_rollout_ref.rollout.n={group} \\
  actor_rollout_ref.rollout.temperature=1.0 \\
  actor_rollout_ref.actor.optim.lr=1e-6 \\
  actor_rollout_ref.actor.clip_ratio_low=0.2 \\
  actor_rollout_ref.actor.clip_ratio_high=0.28 \\
  actor_rollout_ref.actor.loss_agg_mode=token-mean \\
  actor_rollout_ref.actor.use_kl_loss=True \\
  actor_rollout_ref.actor.kl_loss_coef=0.001 \\
  reward.reward_manager.source=importlib \\
  reward.reward_manager.name=HerCohortRewardManager \\
  reward.reward_manager.module.path="$HERE/{MANAGER}" \\
  trainer.n_gpus_per_node={gpus} \\
  trainer.resume_mode=auto \\
  trainer.save_freq=20 \\
  trainer.logger='["console"]' \\
  "$@"
"""
