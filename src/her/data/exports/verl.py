"""Places as verl reads them: Parquet with `data_source`, `prompt`, `ability`, `reward_model`, `extra_info`.

Stock verl indexes `reward_model["ground_truth"]`; HER's released builder writes no such field, and its rows stop there
with a KeyError (HER §5.2). Here it is what the source says at this place. The place itself, which a judge needs whole,
travels as JSON text in `extra_info`: nested columns of changing shape made a release's files unreadable. It holds what
others think, so it is for the reward alone; the policy sees `prompt` and nothing else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from her.data.exports.chats import reference_text
from her.data.exports.parquet import arrow, schema_of, struct_of, write_rows
from her.errors import InputError
from her.schema import Record, RLPrompt, Split
from her.store import Growing, Together, canonical, stream_jsonl

FILES: dict[Split, str] = {"train": "train.parquet", "valid": "valid.parquet", "test": "test.parquet"}


class VerlRows(Record):
    """What was written."""

    rows: dict[str, int]
    """By file."""


def write_verl(prompts: Path, *, out: Path, texts: dict[str, str]) -> VerlRows:
    """Write a file for each split that has places, and `texts` (name to content) beside them. All appear together.
    Raises InputError where there is no place, or two have the same id."""
    places: dict[Split, list[RLPrompt]] = {"train": [], "valid": [], "test": []}
    seen: set[str] = set()
    for place in stream_jsonl(prompts, RLPrompt):
        if place.id in seen:
            raise InputError(f"{prompts}: {place.id!r} stands twice; every place needs an id of its own")
        seen.add(place.id)
        places[place.split].append(place)
    if not seen:
        raise InputError(f"{prompts} holds no places; give the rl.jsonl of a build")
    written = {}
    with Together() as files:
        for split, found in places.items():
            if found:
                _write(sorted(found, key=lambda p: p.id), into=files.open(out / FILES[split]))
                written[FILES[split]] = len(found)
        for name, text in texts.items():
            files.open(out / name).write_text(text)
    return VerlRows(rows=written)


def verl_row(place: RLPrompt, *, index: int) -> dict[str, object]:
    """One row."""
    return {
        "data_source": "her_roleplay",
        "prompt": [{"role": m.role, "content": m.content} for m in place.messages],
        "ability": "roleplay",
        "reward_model": {"style": "rule", "ground_truth": reference_text(place)},
        "extra_info": {
            "index": index,
            "id": place.id,
            "split": place.split,
            "character": place.character,
            "place": canonical(place.model_dump(mode="json")),
        },
    }


def _write(places: Sequence[RLPrompt], *, into: Growing) -> None:
    pa, _ = arrow()
    write_rows((verl_row(p, index=i) for i, p in enumerate(places)), _schema(pa), into=into)


def _schema(pa: Any) -> Any:
    text = pa.string()
    columns = {
        "data_source": text,
        "prompt": pa.list_(pa.field("element", struct_of(pa, role=text, content=text), False)),
        "ability": text,
        "reward_model": struct_of(pa, style=text, ground_truth=text),
        "extra_info": struct_of(pa, index=pa.int64(), id=text, split=text, character=text, place=text),
    }
    return schema_of(pa, columns)
