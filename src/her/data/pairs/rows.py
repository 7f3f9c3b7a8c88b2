"""Rows of preference files as raw pairs: TRL's, RewardBench's and HER's.

TRL: `prompt`, `chosen`, `rejected` as texts or as lists of messages, with or without an explicit prompt. RewardBench:
the same with texts; its second version lists one chosen and three rejected texts, and each rejected one is a pair.
HER's judge data (HER §4.10) keep the label in `reward_model` and the two sides in `extra_info`; rows that this project
wrote carry the whole pair there and come back as they were.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

from her.data.imports.chats import messages_of
from her.data.imports.rows import row_id
from her.data.pairs.raw import RawPair, conversation_of
from her.renderers.coser_json import Unread
from her.schema import Preference, Winner

UNNAMED = "(not named)"
"""The principle of a pair whose source names none."""
_WINNERS: dict[object, Winner] = {"cand_1": "cand_1", "cand_2": "cand_2", "tie": "tie"}


def chosen_rejected(row: dict[str, object]) -> Iterator[RawPair | Unread]:
    """The pairs of a row of TRL's or RewardBench's shape; the first side is the chosen one."""
    ident = row_id(row, "id", "pair_id", "uuid")
    sides = {side: _side(row.get(side)) for side in ("chosen", "rejected")}
    prompt: object = row.get("prompt")
    if prompt is None and all(isinstance(row.get(side), list) for side in sides):
        prompt, row = _implicit(row)
        sides = {side: _side(row.get(side)) for side in ("chosen", "rejected")}
    if missing := next((side for side, found in sides.items() if not found), None):
        yield Unread(item=ident, field=missing, reason="missing_side")
        return
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    if not isinstance(asked, list) or not asked:
        yield Unread(item=ident, field="prompt", reason="no_prompt")
        return
    chat, wrong = messages_of({"messages": asked}, item=ident)
    if wrong is not None:
        yield wrong
        return
    named = row.get("conversation") or row.get("conversation_id")
    conversation = row_id({"id": named}, "id") if isinstance(named, str | int) else conversation_of(chat)
    several = len(sides["chosen"]) * len(sides["rejected"]) > 1
    for i, chosen in enumerate(sides["chosen"]):
        for j, rejected in enumerate(sides["rejected"]):
            yield RawPair(
                id=f"{ident}.{i}.{j}" if several else ident,
                conversation=conversation,
                chat=chat,
                first=chosen,
                second=rejected,
                winner="cand_1",
                principle=_text(row.get("principle")) or _text(row.get("subset")) or UNNAMED,
                reason=_text(row.get("reason")) or "preferred in the source",
                labeller="imported",
            )


def her_rm(row: dict[str, object]) -> Iterator[RawPair | Preference | Unread]:
    """The pair of a row of HER's judge data."""
    extra = row.get("extra_info")
    extra = extra if isinstance(extra, dict) else {}
    ident = row_id({**extra, **row}, "id", "trace_id")
    if isinstance(extra.get("preference"), str):
        try:
            yield Preference.model_validate_json(extra["preference"])
        except ValidationError as e:
            yield Unread(item=ident, field="extra_info.preference", reason="unsound", detail=str(e)[:200])
        return
    told = row.get("reward_model")
    label = _WINNERS.get(next((told[k] for k in ("ground_truth", "answer", "solution") if told.get(k)), None)
                         if isinstance(told, dict) else extra.get("better_response"))  # fmt: skip
    if label is None:
        yield Unread(item=ident, field="reward_model", reason="no_label")
        return
    item = extra["raw_record"] if isinstance(extra.get("raw_record"), dict) else extra
    sides = item["candidates"] if isinstance(item.get("candidates"), dict) else item
    first, second = (_text(sides.get(f"cand_{n}")) or _text(sides.get(f"candidate_{n}")) for n in (1, 2))
    if first is None or second is None:
        yield Unread(item=ident, field="extra_info", reason="missing_side")
        return
    chat, wrong = messages_of(item, item=ident)
    if wrong is not None:
        yield Unread(item=ident, field="extra_info.messages", reason="no_prompt", detail=wrong.reason)
        return
    if chat and chat[-1].role == "assistant":
        chat = chat[:-1]  # the source's own reply, which HER's context leaves out as well
    yield RawPair(
        id=ident,
        conversation=conversation_of(chat),
        chat=chat,
        first=first,
        second=second,
        winner=label,
        principle=UNNAMED,
        reason="labelled in the source",
        labeller="imported",
    )


def _side(value: object) -> list[str]:
    """The texts of a side: a text, a list of texts, or a list of messages of which the last is the reply."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if not isinstance(value, list) or not value:
        return []
    if all(isinstance(v, str) for v in value):
        return [v for v in value if v.strip()]
    said, wrong = messages_of({"messages": value}, item="")
    last = said[-1] if said and wrong is None else None
    return [last.text] if last is not None and last.role == "assistant" and last.text.strip() else []


def _implicit(row: dict[str, Any]) -> tuple[list[object], dict[str, object]]:
    """The prompt that both conversations begin with, and the row of what follows it."""
    chosen, rejected = row["chosen"], row["rejected"]
    shared = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(chosen, rejected, strict=False)))
    return chosen[:shared], {**row, "chosen": chosen[shared:], "rejected": rejected[shared:]}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
