"""Plays verl: scores the replies of one prompt at once, each by itself, and prints what came back.

drive.py MANAGER.py ROW.json     the row as the exported Parquet holds it, with `texts`: a list of replies
"""

import asyncio
import importlib.util
import json
import sys
from types import SimpleNamespace
from typing import Any

END = 7


class Letters:
    """A tokenizer of characters; END ends a turn."""

    eos_token_id = END

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        assert not skip_special_tokens
        return "".join(chr(i) for i in ids)


class Ids(list):  # type: ignore[type-arg]
    """A row of a tensor."""

    @property
    def shape(self) -> tuple[int]:
        return (len(self),)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return Ids(found) if isinstance(key, slice) else found

    def sum(self) -> int:
        return sum(self)


class Batch(list):  # type: ignore[type-arg]
    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return Batch(found) if isinstance(key, slice) else found


def item(row: dict[str, Any], *, session: int, text: str, ended: bool) -> Batch:
    ids = [ord(c) for c in text] + ([END] if ended else [])
    fields = {"uid": "u1", "session_id": session, "extra_info": row["extra_info"], "reward_model": row["reward_model"]}
    batch = {"responses": Ids([*ids, 0, 0]), "attention_mask": Ids([1, 1, *([1] * len(ids)), 0, 0])}
    return Batch([SimpleNamespace(batch=batch, non_tensor_batch=fields)])


async def main() -> None:
    spec = importlib.util.spec_from_file_location("manager", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with open(sys.argv[2], encoding="utf-8") as file:
        row = json.load(file)
    rollout = SimpleNamespace(n=row["n"], val_kwargs=SimpleNamespace(n=1))
    config = SimpleNamespace(actor_rollout_ref=SimpleNamespace(rollout=rollout))
    manager = module.HerCohortRewardManager(config, Letters(), reward_router_address=None)
    replies = [item(row, session=i, text=t, ended=i != row["cut"]) for i, t in enumerate(row["texts"])]
    print(json.dumps(await asyncio.gather(*(manager.run_single(r) for r in replies))))


asyncio.run(main())
