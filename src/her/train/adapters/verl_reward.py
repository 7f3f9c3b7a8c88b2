"""HerCohortRewardManager: verl asks for one reward at a time; this one asks the scoring service by cohort.

`her export verl` copies this file beside the data; verl (0.9, its V1 trainer) loads it by its path. It needs verl and
aiohttp (which Ray brings), and nothing of `her`: the two live in environments that exclude each other.

verl samples all n replies of a prompt at once and scores each by itself. Each is sent as a member of the cohort named
by the prompt's uid, and waits at the service for its siblings, at most until the deadline: a sibling whose sampling
failed never comes. A reply whose reward is unknown gets the mean of its group's known ones, which is no advantage when
the advantage is the distance from the group's mean (set `algorithm.norm_adv_by_std_in_grpo=False`); a group in which
nothing is known gets zeros, all alike, and `algorithm.filter_groups` drops it. Both are counted in `her_unknown`.

Environment: HER_REWARD_URL, HER_REWARD_KEY (where the service has a key), HER_REWARD_DEADLINE_S.
"""

import asyncio
import json
import os
from typing import Any

import aiohttp
from verl.experimental.reward_loop.reward_manager.base import (  # type: ignore[import-not-found, unused-ignore]
    RewardManagerBase,
)

ATTEMPTS = 5
"""Of a request that the service, or the judge behind it, could not take. Cohorts and paid verdicts survive these."""


class HerCohortRewardManager(RewardManagerBase):  # type: ignore[misc, unused-ignore]
    """verl's reward manager. One object in each reward worker."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **_: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.url = os.environ.get("HER_REWARD_URL", "http://127.0.0.1:8100").rstrip("/")
        self.deadline_s = float(os.environ.get("HER_REWARD_DEADLINE_S", "120"))
        rollout = config.actor_rollout_ref.rollout
        self.sizes = {"train": int(rollout.n), "valid": int(rollout.val_kwargs.n)}
        self.ends = {int(tokenizer.eos_token_id)}

    async def run_single(self, data: Any) -> dict[str, Any]:
        """The reward of one reply, and what verl logs with it."""
        item = data[-1:][0]
        fields = item.non_tensor_batch
        extra = fields["extra_info"]
        text, finish_reason = self._text(item)
        member = {
            "cohort": f"{fields['uid']}",
            "size": self.sizes["train" if extra["split"] == "train" else "valid"],
            "index": int(fields["session_id"]),
            "prompt": json.loads(extra["place"]),
            "reply": {"text": text, "finish_reason": finish_reason},
            "deadline_s": self.deadline_s,
        }
        status, answer = await self._send(member)
        baseline = answer["baseline"] if answer["baseline"] is not None else 0.0
        if status == 409 and answer["error"]["code"] == "late_member":
            return {"reward_score": baseline, "reward_extra_info": _logged(None, absent=0)}
        if status != 200:
            raise RuntimeError(f"the scoring service refused a reply ({status}): {answer['error']['message']}")
        reply = answer["reply"]
        reward = reply["reward"] if reply["reward"] is not None else baseline
        return {"reward_score": reward, "reward_extra_info": _logged(reply, absent=len(answer["absent"]))}

    def _text(self, item: Any) -> tuple[str, str]:
        """The reply as it was written. Special tokens stay: a tag may be one. Only the end of turn is taken off."""
        response = item.batch["responses"]
        length = int(item.batch["attention_mask"][-response.shape[-1] :].sum())
        ids = [int(t) for t in response[:length]]
        ended = bool(ids) and ids[-1] in self.ends
        text = self.tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False)
        return str(text), "stop" if ended else "length"

    async def _send(self, member: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer. Tries again where the service is not there, is full, or cannot reach its judge."""
        key = os.environ.get("HER_REWARD_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Longer than the deadline by what a judge may need for the games of a group.
        timeout = aiohttp.ClientTimeout(total=self.deadline_s + 1800)
        trouble = ""
        for attempt in range(ATTEMPTS):
            try:
                async with (
                    aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                    session.post(f"{self.url}/v1/members", json=member) as response,
                ):
                    if response.status < 500 and response.status != 429:
                        answer = await response.json()
                        answer.setdefault("baseline", None)
                        return response.status, answer
                    trouble = f"status {response.status}"
            except (aiohttp.ClientError, TimeoutError) as e:
                trouble = type(e).__name__
            await asyncio.sleep(2**attempt)
        raise RuntimeError(
            f"the scoring service at {self.url} did not answer ({trouble}); is `her reward serve` running?"
        )


def _logged(reply: dict[str, Any] | None, *, absent: int) -> dict[str, float]:
    """Numbers only, and the same keys for every reply: verl makes columns of them."""
    passed = {} if reply is None else reply["objectives"]
    names = ("form", "speaker", "leak", "language", "length", "repetition", "facts")
    return {
        "her_unknown": float(reply is None or reply["reward"] is None),
        "her_gated": float(reply is not None and reply["gated"] is not None),
        "her_games": float(0 if reply is None else reply["games"]),
        "her_unread": float(0 if reply is None else reply["unread"]),
        "her_absent": float(absent),
        **{f"her_{name}": float(passed.get(name, True)) for name in names},
    }
