"""Does choosing samples by the gain of their thoughts help fine-tuning, at equal size?

    python -m bench.gain runs/quickstart                 # random half | top half by gain | all; prints a table
    python -m bench.gain runs/quickstart --price         # what copying a reply's words into a thought earns

Samples are the shipped gold turns and the teacher's turns of a finished run, split as in its recipe. Every arm has the
same optimiser steps and the same held-out gold turns of chapters nobody trains on. Can be stopped and run again.
"""

import argparse
import asyncio
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from her.cli.loop.encoded import encode_all
from her.cli.recipe import EMBEDDED, Recipe
from her.data import SampleRule
from her.data import places as targets
from her.data import sample as sample_of
from her.data.gains import GainRule, gain_gate
from her.llm import Ledger, LedgerScorer, ScoreItem, Scorer, open_scorer, weights
from her.schema import Dialogue, Gain, SFTSample
from her.stats import Estimate, clustered_mean, clustered_ratio
from her.store import read_json, read_jsonl
from her.story import load_gold
from her.synthesis.gain.case import Case, GainConfig, copied_share, places
from her.synthesis.gain.measure import GainResult, measure_gains
from her.synthesis.gain.report import GainSummary
from her.synthesis.text.wording import content_words
from her.train.sft import HeldOut, SFTConfig, SFTResult, train_sft

COPIES = (
    "another turn's thought",
    "with half of the reply's words put in",
    "with all of them put in",
    "with half of the reply said first",
    "the reply itself",
)


def main() -> None:
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe.model_validate(read_json(args.run / "recipe.json"))
    teacher = read_jsonl(args.run / "synth" / "dialogues.jsonl", Dialogue)
    with Ledger(args.out / "ledger.sqlite") as ledger:
        scorer = LedgerScorer(open_scorer(EMBEDDED), ledger, stage="gain")
        if args.price:
            price_of_copying(scorer, load_gold(), turns=args.turns)
            return
        # Gold and the teacher's turns have thoughts of their own kind as controls.
        measured = [asyncio.run(measure_gains(d, scorer=scorer, config=GainConfig())) for d in (load_gold(), teacher)]
    for name, result in zip(("gold", "teacher"), measured, strict=True):
        summary = GainSummary(scorer=EMBEDDED, fingerprint="", config=GainConfig())
        summary.add(result)
        (layer,) = summary.report().layers
        print(f"{name}: gain {layer.value}, above 0 {layer.positive}, copied {layer.copied}", flush=True)
        print(f"  over nothing {layer.over_without}, over another's {layer.over_shuffled}, {layer.unmeasured}")
    compare(recipe, measured, out=args.out, steps=args.steps, seeds=args.seeds)


def compare(recipe: Recipe, measured: Sequence[GainResult], *, out: Path, steps: int, seeds: Sequence[int]) -> None:
    """Train each arm and print held-out losses, and the top half's difference from each random half."""
    dialogues = [d for result in measured for d in result.dialogues]
    gains = {f"{d.id}:{t.id}": g for d in dialogues for t in d.turns for g in t.gains}
    rule = SampleRule(history_policy=recipe.run.history_policy, system_thinking=recipe.run.system_thinking)
    made = [sample_of(place, rule, split=recipe.splits(d)) for d in dialogues for place in targets(d)]
    samples = [s for s in made if isinstance(s, SFTSample)]
    pool = [s for s in samples if s.split == "train" and s.id in gains]
    held = [s for s in samples if s.split == "test" and s.provenance == "gold"]
    arms = {"all": pool, "top half by gain": top_half(pool, gains)}
    for seed in seeds:
        dice = random.Random(seed)
        arms[f"random half, seed {seed}"] = dice.sample(pool, len(arms["top half by gain"]))
    results = {name: train(recipe, arm, held, steps=steps, out=out / _folder(name)) for name, arm in arms.items()}
    before = results["all"].held_out[0]
    print(f"\nheld out: {len(held)} gold turns; before training {before.estimate(seed=0)} nats a token\n")
    print(f"{'arm':<24} {'samples':>7} {'target tokens':>13}  made by               mean gain  held-out loss")
    for name, arm in arms.items():
        made = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(s.provenance for s in arm).items()))
        mean = sum(gains[s.id].value for s in arm) / len(arm)
        after, tokens = results[name].held_out[-1], results[name].label_tokens_seen
        print(f"{name:<24} {len(arm):>7} {tokens:>13}  {made:<21} {mean:>+9.3f}  {after.estimate(seed=0)}")
    print("\ntop half less random half, per held-out token (below 0: choosing by gain helps):")
    for seed in seeds:
        difference = paired(results["top half by gain"].held_out[-1], results[f"random half, seed {seed}"].held_out[-1])
        print(f"  seed {seed}: {difference}")


def top_half(pool: Sequence[SFTSample], gains: dict[str, Gain]) -> list[SFTSample]:
    """The half with the greater gains, by the rule that `her data build --top-gain 50%` uses."""
    gate = gain_gate(GainRule(top=0.5), ((s.id, gains[s.id]) for s in pool))
    return [s for s in pool if gate.refusal(s.id, gains[s.id]) is None]


def train(recipe: Recipe, arm: Sequence[SFTSample], held: Sequence[SFTSample], *, steps: int, out: Path) -> SFTResult:
    """One arm, from the base model; taken from the disk where it was trained before."""
    done = out / "training.json"
    if done.exists():
        return SFTResult.model_validate(read_json(done))
    config = SFTConfig.model_validate({**recipe.sft.model_dump(), "max_steps": steps, "seed": recipe.run.seed})
    base = weights(EMBEDDED)
    fit, _ = encode_all(arm, base, max_tokens=config.max_tokens)
    valid, _ = encode_all(held, base, max_tokens=config.max_tokens)
    result = train_sft(config, base=base, train=fit, valid=valid, out=out)
    print(f"  {out.name}: {result.seconds:.0f} s, {result.steps} steps", flush=True)
    return result


def paired(a: HeldOut, b: HeldOut) -> Estimate:
    """Mean difference of loss per token on the same samples, resampling samples."""
    losses = [x.loss_sum - y.loss_sum for x, y in zip(a.samples, b.samples, strict=True)]
    return clustered_ratio(losses, [s.labels for s in a.samples], [str(i) for i in range(len(losses))], seed=0)


def price_of_copying(scorer: Scorer, dialogues: Sequence[Dialogue], *, turns: int) -> None:
    """Let another turn's thought say part of the reply beforehand: what does that earn, per token?"""
    cases = [c for p in places(dialogues, GainConfig(controls=1)) for c in p.cases if isinstance(c, Case)]
    cases = random.Random(0).sample(cases, min(turns, len(cases)))
    rows = [asyncio.run(_copied(scorer, case, seed=i)) for i, case in enumerate(cases)]
    where = [str(i) for i in range(len(rows))]
    for at, name in enumerate(COPIES[1:], start=1):
        copied = clustered_mean([row[at][0] for row in rows], where, seed=0)
        earned = clustered_mean([row[at][1] - row[0][1] for row in rows], where, seed=0)
        price = (copied.value or 0) * GainConfig().copy_weight
        print(f"{name:<36} earns {earned} nats a token, loses {price:.3f} (copied {copied})")


async def _copied(scorer: Scorer, case: Case, *, seed: int) -> list[tuple[float, float]]:
    """(copied, log-likelihood per token) for each of COPIES."""
    opening, _, rest = case.controls[0].partition("<role_thinking>")
    thought, _, ending = rest.partition("</role_thinking>")
    spoken = re.sub(r"<[^>]*>", " ", case.text).split()
    own = sorted(content_words(" ".join(spoken)))
    texts = [
        thought,
        _with_words(thought, own, share=0.5, seed=seed),
        _with_words(thought, own, share=1.0, seed=seed),
        f"{' '.join(spoken[: len(spoken) // 2])} {thought}".strip(),
        " ".join(spoken),
    ]
    items = [
        ScoreItem(
            messages=case.messages, text=case.text, prefill=f"{opening}<role_thinking>{t}</role_thinking>{ending}"
        )
        for t in texts
    ]
    scores = await scorer.score(items)
    return [(copied_share(" ".join(spoken), t), s.logprob / s.tokens) for t, s in zip(texts, scores, strict=True)]


def _with_words(thought: str, own: Sequence[str], *, share: float, seed: int) -> str:
    """A thought in which a share of the given words takes the place of others, its length kept."""
    dice = random.Random(seed)
    put = dice.sample(own, round(share * len(own)))
    changed = thought.split()
    changed += ["and"] * max(0, len(put) - len(changed))
    for at, word in zip(sorted(dice.sample(range(len(changed)), len(put))), put, strict=True):
        changed[at] = word
    return " ".join(changed)


def _folder(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run of recipes/quickstart.toml")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-gain"))
    parser.add_argument("--steps", type=int, default=24, help="optimiser steps of every arm")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="seeds of the random halves")
    parser.add_argument("--price", action="store_true", help="measure what copying earns, and stop")
    parser.add_argument("--turns", type=int, default=40, help="with --price: turns to measure on")
    return parser.parse_args()


if __name__ == "__main__":
    main()
