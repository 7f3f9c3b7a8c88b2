"""Pairs out: as TRL, RewardBench and verl want them.

The first two know a better and a worse side and nothing between, so ties stay behind and are counted. System thinking
is in none of them: no judge sees it, and a policy is not to learn to please by it. HER's judge data also carry the
whole pair as JSON text in `extra_info`, by which it comes back exactly.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from her.data.exports.parquet import arrow, schema_of, struct_of, write_rows
from her.errors import InputError, TagError
from her.renderers import chat, judge_messages, render_turn
from her.schema import Preference, Record, Turn
from her.store import Growing, Together, canonical

PairExport = Literal["trl", "rewardbench", "her-rm"]
EXPORTS: tuple[PairExport, ...] = get_args(PairExport)


class ExportedPairs(Record):
    """What was written, and what has no place in the format."""

    rows: int
    left: dict[str, int]


def export_pairs(pairs: Iterable[Preference], *, format: PairExport, out: Path) -> ExportedPairs:
    """Write `out`: JSON Lines, or Parquet for `her-rm`. Raises InputError, and writes nothing, where no pair fits."""
    wanted = ".parquet" if format == "her-rm" else ".jsonl"
    if out.suffix != wanted:
        raise InputError(f"--out {out} must be a {wanted} file in the format {format!r}")
    left: Counter[str] = Counter()
    with Together() as files:
        file = files.open(out)
        rows = _rows(pairs, format=format, left=left)
        count = _write_parquet(rows, into=file) if format == "her-rm" else _write_lines(rows, into=file)
        if not count:
            reasons = ", ".join(f"{n} {reason}" for reason, n in left.items()) or "it has none"
            raise InputError(f"no pair can be written as {format!r} ({reasons})")
    return ExportedPairs(rows=count, left=dict(sorted(left.items())))


def _rows(pairs: Iterable[Preference], *, format: PairExport, left: Counter[str]) -> Iterator[dict[str, Any]]:
    index = 0
    for pair in pairs:
        if format != "her-rm" and pair.winner == "tie":
            left["tie"] += 1
            continue
        try:
            row = _her_rm(pair, index=index) if format == "her-rm" else _chosen_rejected(pair, format=format)
        except TagError:
            left["unwritable"] += 1
            continue
        index += 1
        yield row


def _chosen_rejected(pair: Preference, *, format: PairExport) -> dict[str, Any]:
    asked = pair.comparison
    chosen, rejected = (asked.cand_1, asked.cand_2) if pair.winner == "cand_1" else (asked.cand_2, asked.cand_1)
    prompt = chat(asked.scene, asked.history, asked.character, history_policy="drop_own_system", system_thinking=False)
    about = {"id": asked.id, "conversation": asked.scene.id}
    if format == "rewardbench":
        text = "\n\n".join(m.content for m in prompt)
        sides = {"prompt": text, "chosen": _text(chosen), "rejected": _text(rejected)}
        return {**about, **sides, "subset": pair.principle, "chosen_model": "her", "rejected_model": "her"}
    return {
        **about,
        "prompt": [{"role": m.role, "content": m.content} for m in prompt],
        "chosen": [{"role": "assistant", "content": _text(chosen)}],
        "rejected": [{"role": "assistant", "content": _text(rejected)}],
        "principle": pair.principle,
        "reason": pair.reason,
    }


def _her_rm(pair: Preference, *, index: int) -> dict[str, Any]:
    asked = judge_messages(pair.comparison, (), role_thinking=True)
    return {
        "data_source": "her_judge",
        "prompt": [{"role": m.role, "content": m.content} for m in asked],
        "ability": "roleplay",
        "reward_model": {
            "style": "rule",
            "ground_truth": pair.winner,
            "answer": pair.winner,
            "solution": pair.winner,
            "problem": "",
        },
        "extra_info": {
            "index": index,
            "trace_id": pair.comparison.id,
            "better_response": pair.winner,
            "preference": canonical(pair.model_dump(mode="json")),
        },
    }


def _text(turn: Turn) -> str:
    return render_turn(turn, system_thinking=False)


def _write_lines(rows: Iterator[dict[str, Any]], *, into: Growing) -> int:
    for row in rows:
        into.write_json(row)
    return into.count


def _write_parquet(rows: Iterator[dict[str, Any]], *, into: Growing) -> int:
    pa, _ = arrow()
    return write_rows(rows, _schema(pa), into=into)


def _schema(pa: Any) -> Any:
    text = pa.string()
    columns = {
        "data_source": text,
        "prompt": pa.list_(pa.field("element", struct_of(pa, role=text, content=text), False)),
        "ability": text,
        "reward_model": struct_of(pa, style=text, ground_truth=text, answer=text, solution=text, problem=text),
        "extra_info": struct_of(pa, index=pa.int64(), trace_id=text, better_response=text, preference=text),
    }
    return schema_of(pa, columns)
