"""Fine-tuning of a policy and of a judge, and reinforcement, each of which can be told to die: a child's work.

The judge of the reinforcement is a scripted model behind a ledger. It writes down every call that reaches it, so a call
that two processes paid for stands there twice.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from policy_cases import prompts, rewarded
from test_train_sft import _samples
from tiny_policy import make_policy

from her.llm import Delta, Ledger, LedgerModel, Reply, Request, ScriptedModel
from her.reward.group import RewardedReply
from her.schema import Message, RLPrompt
from her.store import canonical, sha256_text
from her.train import PolicyConfig, SFTConfig, TrainStep, engine, train_policy, train_sft

engine.prepare()  # before a fork server is started, which reads the trainers for its children

SFT = SFTConfig(rank=4, alpha=8, learning_rate=5e-3, max_steps=4, batch=2, grad_accum=2, save_every=2, seed=3)
FINE_TUNED = {"sft": SFT, "judge": SFT.model_copy(update={"seed": 4, "save_every": 1})}
POLICY = PolicyConfig(
    steps=4,
    prompts_per_step=2,
    group_size=3,
    max_completion_tokens=6,
    learning_rate=1e-3,
    rank=4,
    alpha=8,
    save_every=2,
    mask_truncated=False,
)
CALLS_A_STEP = 6
"""Two groups of three, each reply against the next."""


class Written:
    """A `ChatModel` that writes down what reaches it, and dies where it is told to."""

    def __init__(self, path: Path, *, last: int | None) -> None:
        self._model = ScriptedModel(["1", "2", "tie"])
        self.name, self.fingerprint = self._model.name, self._model.fingerprint
        self._path, self._last, self._calls = path, last, 0

    async def reply(self, request: Request) -> Reply:
        self._calls += 1
        if self._calls == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        with self._path.open("a") as file:
            file.write(sha256_text(canonical(request.model_dump(mode="json"))) + "\n")
        return await self._model.reply(request)

    def stream(self, request: Request) -> AsyncIterator[Delta]:
        return self._model.stream(request)

    async def close(self) -> None:
        await self._model.close()


class Judged:
    """Each reply plays against the next. One call at a time: what was answered is in the ledger before the next."""

    def __init__(self, judge: LedgerModel) -> None:
        self._judge, self._turn = judge, asyncio.Lock()

    async def __call__(self, prompt: RLPrompt, texts: list[str], reasons: list[str]) -> list[RewardedReply]:
        wins = [0.0] * len(texts)
        for i, text in enumerate(texts):
            other = (i + 1) % len(texts)
            asked = Message(role="user", content=f"{prompt.id}\n1: {text}\n2: {texts[other]}")
            async with self._turn:
                said = (await self._judge.reply(Request(messages=(asked,), max_tokens=4, temperature=0))).text
            wins[i] += said == "1"
            wins[other] += said == "2"
        return [rewarded(w + len(t) / 100, prompt.reference) for w, t in zip(wins, texts, strict=True)]


def base_in(folder: Path) -> Path:
    """The model that is trained."""
    return make_policy(folder / "base")


def work(stage: str, base: Path, out: Path, dies_at: int | None) -> None:
    """Go on from whatever is below `out`, up to the end or to death.

    Fine-tuning dies after a step, reinforcement before a call of its judge is sent.
    """

    def tell(step: TrainStep) -> None:
        if step.step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    if stage != "policy":
        samples, config = _samples(), FINE_TUNED[stage]
        train_sft(config, base=base, train=samples[:8], valid=samples[8:], out=out, progress=tell)
        return
    with Ledger(out / "ledger.sqlite") as ledger:
        judge = LedgerModel(Written(out / "calls.txt", last=dies_at), ledger, stage="policy")
        train_policy(POLICY, base=base, adapter=None, prompts=prompts(), reward=Judged(judge), out=out)
