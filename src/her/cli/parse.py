"""`her parse`: what one viewer sees of a turn, and what had to be forgiven to read it."""

import json
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Eye(StrEnum):
    """Who looks: the character itself, someone else in the scene, the person outside."""

    self_ = "self"
    other = "other"
    reader = "reader"


def parse(
    file: Annotated[str, typer.Argument(help="A file with one turn, or - for standard input.")] = "-",
    viewer: Annotated[Eye, typer.Option(help="Who looks.")] = Eye.reader,
    speaker: Annotated[str | None, typer.Option(help="Who speaks. Default: the name before the first ': '.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse whatever is not exactly well formed.")] = False,
    chunk: Annotated[int | None, typer.Option(min=1, help="Read in pieces of N characters, as a stream would.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    role: Annotated[bool, typer.Option("--role", help="Reader: show role thinking.")] = False,
    think: Annotated[bool, typer.Option("--think", help="Reader: show system thinking.")] = False,
    prefill: Annotated[str, typer.Option(help="What the prompt had already put in the speaker's mouth.")] = "",
) -> None:
    """Print what a viewer sees of a turn written in HER tags, however badly it was written."""
    from her.errors import InputError
    from her.renderers import Piece, StreamReader, read_strict
    from her.schema import Character, Viewer

    if (role or think) and viewer is not Eye.reader:
        raise InputError(f"--role and --think are the reader's; {viewer.value!r} sees by law: leave them out")
    text = _input(file)
    name = speaker or _guess(prefill + text)
    try:
        Character(name=name)
    except ValueError as e:
        raise InputError(f"--speaker {name!r} is not a name: no ':' or '<', no line breaks, not empty") from e
    eye = {
        Eye.self_: Viewer.character(name),
        Eye.other: Viewer.character(f"not {name}"),
        Eye.reader: Viewer.reader(role_thinking=role, system_thinking=think),
    }[viewer]
    if strict:
        read_strict(prefill + text, speaker=name, turn_id=Path(file).stem or "t")
    reader = StreamReader(eye, speaker=name, prefill=prefill)
    size = chunk or len(text)
    pieces = [p for at in range(0, len(text), size) for p in reader.feed(text[at : at + size])] + reader.close()
    parts: list[Piece] = []
    for piece in pieces:
        last = next((i for i in reversed(range(len(parts))) if parts[i].kind == piece.kind), None)
        if piece.opens or last is None:
            parts.append(piece)
        else:
            parts[last] = Piece(kind=piece.kind, text=parts[last].text + piece.text)
    if as_json:
        shown = {
            "speaker": name,
            "viewer": viewer.value,
            "parts": [{"kind": p.kind, "text": p.text} for p in parts],
            "repairs": [r.model_dump() for r in reader.repairs],
        }
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    for part in parts:
        typer.echo(f"{part.kind}: {part.text}")
    for repair in reader.repairs:
        typer.echo(f"repaired: {repair.kind} at character {repair.position}", err=True)


def _input(file: str) -> str:
    from her.errors import InputError
    from her.store import read_text

    if file != "-":
        return read_text(Path(file))
    data = sys.stdin.buffer.read()
    if not data.strip():
        raise InputError("standard input is empty; give it one turn, or name a file")
    if b"\0" in data:
        raise InputError("standard input is binary, not text; give it UTF-8 text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"standard input is not UTF-8 (byte {e.start}); convert it first") from e


def _guess(text: str) -> str:
    """The name before the first ': ' that follows a tag, a line break or nothing."""
    found = re.search(r"(?:\A|>|\n)\s*([^\W\d_][^:<>\n]{0,59}?)\s*:(?:\s|<)", text)
    return found.group(1).strip() if found else "Speaker"
