"""GroupTrainer: TRL's GRPO trainer with whole groups, shared prompts and our reward.

Owns how TRL's flat batches stay groups of replies to one prompt (`reward_bridge.py` rewards them). TRL keeps the
algorithm: advantages, clipping, loss. Three of its steps are replaced because a group shares its prompt: sampling reads
it once (`rollout.py`), scoring packs it once (`packing.py`), and a micro-batch is exactly one group, so nothing is
padded. With vLLM, sampling is TRL's. Several processes share out a step's groups. Imported only by `her.train.policy`,
after the engine was prepared.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from peft import LoraConfig
from transformers import PrinterCallback, Trainer, TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from her.errors import TrainError
from her.train.checkpoint import mark_whole
from her.train.clock import StepClock
from her.train.engine import Placement, arguments, load_policy, sharded
from her.train.guard import alarms, sick
from her.train.label_trainer import tensors_of
from her.train.packing import pack
from her.train.policy import GroupReward, PolicyConfig, PolicyStep
from her.train.processes import processes
from her.train.progress import Progress
from her.train.reward_bridge import RewardBridge, Usable, step_of
from her.train.rollout import group_seed, merged, sample_group
from her.train.samplers import vllm_settings
from her.train.way_back import keep


class GroupTrainer(GRPOTrainer):
    """GRPO over whole groups."""

    config: PolicyConfig
    usable: Sequence[Usable]
    waiting: Sequence[dict[str, Any]] = ()
    """This step's groups, scored."""
    drawn: Sequence[int] = ()
    """Numbers of the prompts that are about to be sampled, each once for every reply."""

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        self.drawn = [int(p) for p in prompts]
        return [list(self.usable[number][1]) for number in self.drawn], None, {}

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *args: Any, **kwargs: Any
    ) -> tuple[list[list[int]], Any]:
        if self.use_vllm:
            parent: Any = super()
            completions, logprobs = parent._generate_single_turn(prompt_ids, *args, **kwargs)
            return completions, logprobs
        size = self.config.group_size
        completions = []
        with merged(self.accelerator.unwrap_model(self.model_wrapped)) as model:
            for i in range(0, len(prompt_ids), size):
                completions += sample_group(
                    model,
                    prompt_ids[i],
                    n=size,
                    max_tokens=self.config.max_completion_tokens,
                    temperature=self.config.temperature,
                    end_ids=self.eos_token_ids,
                    seed=group_seed(self.config.seed, self.drawn[i]),
                    in_step=sharded(self),
                )
        return completions, None

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        # As TRL's, without its shuffle: a micro-batch stays one group and shares one prompt.
        settings: Any = self.args
        groups: int = settings.steps_per_generation
        if self._step % groups == 0 or not self.waiting:
            self.waiting = split_tensor_dict(self._generate_and_score_completions(generation_batch), groups)
        return self.waiting[self._step % groups]

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **unused: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        size = self.config.group_size
        if len(input_ids) > size:  # of a whole step's groups, each by itself: they share no prompt
            parts = [
                self._get_per_token_logps_and_entropies(
                    model,
                    input_ids[i : i + size],
                    attention_mask[i : i + size],
                    logits_to_keep,
                    compute_entropy=compute_entropy,
                )
                for i in range(0, len(input_ids), size)
            ]
            entropies = torch.cat([p[1] for p in parts if p[1] is not None]) if compute_entropy else None
            return torch.cat([p[0] for p in parts]), entropies, None
        prompt_T = attention_mask[:, :-logits_to_keep].sum(1).tolist()
        rows = [ids[mask.bool()].tolist() for ids, mask in zip(input_ids, attention_mask, strict=True)]
        sequences = [(row, start) for row, start in zip(rows, prompt_T, strict=True) if len(row) > start]
        # Where every reply was cut off and is masked, the model is read all the same: other processes wait for it.
        packed = pack(sequences or [(rows[0], len(rows[0]) - 1)])
        inputs = {k: v.to(input_ids.device) for k, v in tensors_of(packed).items()}
        with self.accelerator.autocast():
            logits_K_V = model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                position_ids=inputs["position_ids"],
                logits_to_keep=inputs["score_at"],
                use_cache=False,
            ).logits[0]
        logprobs_K_V = (logits_K_V.float() / self.temperature).log_softmax(-1)
        chosen_K = logprobs_K_V.gather(1, inputs["labels"][0, :, None])[:, 0]
        scored = attention_mask[:, -logits_to_keep:].bool()  # the packed order is row by row, as a mask's
        zeros = chosen_K.new_zeros(scored.shape)
        if not sequences:
            zeros = zeros + 0.0 * chosen_K.sum()
            return zeros, zeros.detach() if compute_entropy else None, None
        entropy = None
        if compute_entropy:
            with torch.no_grad():
                entropy = zeros.masked_scatter(scored, -(logprobs_K_V.exp() * logprobs_K_V).sum(-1))
        return zeros.masked_scatter(scored, chosen_K), entropy, None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # TRL's own override writes a model card into every checkpoint.
        Trainer._save_checkpoint(self, model, trial)


class _Watch(TrainerCallback):
    """One PolicyStep per step into the state (so that a resumed run has them all), and a marker on each checkpoint."""

    def __init__(self, bridge: RewardBridge, progress: Progress, run: str, healthy: Path) -> None:
        self.bridge, self.run, self.healthy = bridge, run, healthy
        self.clock = StepClock("policy", progress)
        self.since = time.monotonic()
        self.curve: list[PolicyStep] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.start()
        self.since = time.monotonic()
        self.curve = curve_of(state)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise TrainError(f"the loss became {logs['loss']} at step {state.global_step}; lower `learning_rate`")
        # The first process alone has seen the replies; every one keeps the curve, and reads the same verdict off it.
        told = processes().tell(self._step_of(state.global_step, logs).model_dump_json() if self.bridge.seen else "")
        if not told:
            return
        step = PolicyStep.model_validate_json(told)
        state.log_history.append({"step": state.global_step, "her_policy_step": step.model_dump(mode="json")})
        figures = {
            "loss": step.loss,
            "unknown": float(step.unknown),
            "gated": step.gated / step.replies,
            "flat_groups": float(step.flat_groups),
            "completion_tokens": step.completion_tokens,
        }
        known = {"reward": step.reward, "layout_bits": step.layouts.entropy_bits, "top_layout": step.layouts.top_share}
        known |= {"opening": step.variety.opening_share, "self_bleu": step.variety.self_bleu}
        figures |= {name: value for name, value in known.items() if value is not None}
        self.curve.append(step)
        guard = self.bridge.config.guard
        figures["alarms"] = float(len(alarms(self.curve, guard)))
        if guard.on_collapse == "roll_back" and sick(self.curve, guard):
            control.should_training_stop = True
        self.clock.tell(state.global_step, state.max_steps, figures)

    def _step_of(self, number: int, logs: dict[str, Any]) -> PolicyStep:
        now = time.monotonic()
        step = step_of(self.bridge, number, logs["loss"], entropy=logs.get("entropy"), seconds=now - self.since)
        self.since = now
        self.bridge.seen.clear()
        self.bridge.agreed = self.bridge.compared = 0
        return step

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        here = processes()
        here.wait()  # each writes a part
        if not here.first:
            return
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        mark_whole(checkpoint, self.run)
        if not alarms(self.curve, self.bridge.config.guard):
            keep(checkpoint, self.healthy, step=state.global_step)


def curve_of(state: Any) -> list[PolicyStep]:
    """Every step's figures, those before a resume included."""
    return [PolicyStep.model_validate(e["her_policy_step"]) for e in state.log_history if "her_policy_step" in e]


def build_trainer(
    config: PolicyConfig,
    *,
    base: Path,
    adapter: Path | None,
    tokenizer: Any,
    ordered: Sequence[Usable],
    reward: GroupReward | None,
    witness: GroupReward | None,
    rollouts: Path,
    checkpoints: Path,
    run: str,
    progress: Progress,
    place: Placement,
    targets: Sequence[str],
) -> GroupTrainer:
    """A trainer over `ordered`: `prompts_per_step` prompts for each step, in the order in which they are used."""
    bridge = RewardBridge(reward, ordered, tokenizer, config=config, rollouts=rollouts, witness=witness)
    trainer = assemble(
        config,
        base=base,
        adapter=adapter,
        tokenizer=tokenizer,
        ordered=ordered,
        bridge=bridge,
        watch=_Watch(bridge, progress, run, checkpoints.with_name("healthy")),
        checkpoints=checkpoints,
        place=place,
        targets=targets,
    )
    if sharded(trainer) and config.guard.on_collapse == "roll_back":
        raise TrainError("weights that are sharded cannot be rolled back; set policy.guard.on_collapse = 'watch'")
    return trainer


def assemble(
    config: PolicyConfig,
    *,
    base: Path,
    adapter: Path | None,
    tokenizer: Any,
    ordered: Sequence[Any],
    bridge: Any,
    watch: TrainerCallback,
    checkpoints: Path,
    place: Placement,
    targets: Sequence[str],
) -> GroupTrainer:
    """What every training in groups is put together from. `bridge` is TRL's reward function; of `ordered`, which is its
    and in the order of use, the trainer itself knows the prompts' ids alone."""
    torch.manual_seed(config.seed)
    lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=list(targets), task_type="CAUSAL_LM")
    model = load_policy(base, adapter=adapter, lora=lora, place=place)
    groups = processes().share(config.prompts_per_step, "prompts_per_step")
    settings = GRPOConfig(
        **arguments(
            checkpoints=checkpoints,
            place=place,
            seed=config.seed,
            save_every=config.save_every,
            max_grad_norm=config.max_grad_norm,
        ),
        max_steps=config.steps,
        per_device_train_batch_size=config.group_size,
        gradient_accumulation_steps=groups,
        steps_per_generation=groups,
        num_generations=config.group_size,
        num_iterations=1,
        shuffle_dataset=False,
        max_completion_length=config.max_completion_tokens,
        temperature=config.temperature,
        beta=0.0,
        loss_type=config.loss_type,
        epsilon=config.epsilon,
        epsilon_high=config.epsilon_high,
        scale_rewards=config.scale_rewards,
        mask_truncated_completions=config.mask_truncated,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant",
        log_completions=False,
        dataloader_pin_memory=False,
        **vllm_settings(config.sampler, tokens=config.max_prompt_tokens + config.max_completion_tokens),
    )
    trainer = GroupTrainer(
        model=model,
        reward_funcs=bridge,
        args=settings,
        train_dataset=Dataset.from_list([{"prompt": str(i), "number": i} for i in range(len(ordered))]),
        processing_class=tokenizer,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.config, trainer.usable = config, ordered
    return trainer
