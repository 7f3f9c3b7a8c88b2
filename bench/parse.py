"""`python -m bench.parse`: how fast replies are read, as a share of the speed of a regular expression.

Owns the measurement. The peer is `bench.regex_pass`, the text `bench.turns`. All readers take turns in every round, the
ratio is taken within a round, and processor time is counted, so that a busy machine slows both sides alike. A stream's
peer gets the same chunks, collects them and runs once at the end: it shows nothing before, ours does. Ends with exit
code 1 where a target is missed.
"""

import gc
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.regex_pass import by_blocks, by_tags
from bench.turns import SPEAKER, damaged, well_formed
from her.errors import TagError
from her.renderers import StreamReader, read_lenient, read_strict
from her.schema import Turn, Viewer

TURNS = 300
ROUNDS = 9
SEED = 11
CHUNKS = (4, 16, 64, 256)
"""Characters. 16 is the headline: three or four tokens, as a server under load sends them."""
HEADLINE = 16
TARGET = 0.5
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "malformed.jsonl"
Chunks = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One reader over one corpus. `read` takes a turn's chunks; the whole text is one chunk."""

    name: str
    read: Callable[[Chunks], object]
    texts: list[Chunks]
    peer: str | None = None
    """The contender whose speed is 1."""


def main() -> int:
    """Print the tables; 1 where strict or the headline stream is slower than half the peer."""
    pairs = well_formed(TURNS, seed=SEED)
    texts = [text for _, text in pairs]
    _same_parts(pairs)
    characters = sum(map(len, texts)) // len(texts)
    print(f"{len(texts)} turns, {characters} characters each on average, {ROUNDS} rounds, processor time")
    clean = _contenders(texts)
    speeds = _measure(clean, sum(len(t.encode()) for t in texts))
    _print("well formed", clean, speeds)
    bad = damaged(texts, share=0.05, seed=SEED)
    hurt = sum(a != b for a, b in zip(bad, texts, strict=True))
    refused = sum(_strict([t]) is None for t in bad)
    some = [c for c in _contenders(bad) if c.name in _ON_DAMAGED]
    _print(f"5% malformed, refused {refused} of {hurt}", some, _measure(some, sum(len(t.encode()) for t in bad)))
    _leaks()
    held = {name: median(_ratios(speeds, name, peer)) for name, peer in (_STRICT, _STREAM)}
    for name, ratio in held.items():
        print(f"{'holds' if ratio >= TARGET else 'MISSED'}: {name} {ratio:.2f} of the regex, target {TARGET}")
    return int(min(held.values()) < TARGET)


_BLOCKS = "regex, blocks"
_STRICT = ("strict reader", _BLOCKS)
_STREAM = (f"stream by {HEADLINE}", f"regex, blocks, joins {HEADLINE}")
_ON_DAMAGED = {_BLOCKS, "strict reader", "lenient reader", *_STREAM}


def _contenders(texts: list[str]) -> list[Contender]:
    whole = [[text] for text in texts]
    cut = {n: [[t[i : i + n] for i in range(0, len(t), n)] for t in texts] for n in CHUNKS}
    found = [
        Contender(name=_BLOCKS, read=lambda c: by_blocks(c[0], SPEAKER), texts=whole),
        Contender(name="regex, tags", read=lambda c: by_tags(c[0], SPEAKER), texts=whole, peer=_BLOCKS),
        Contender(name="strict reader", read=_strict, texts=whole, peer=_BLOCKS),
        Contender(name="lenient reader", read=_lenient, texts=whole, peer=_BLOCKS),
    ]
    for n in CHUNKS:
        joins = f"regex, blocks, joins {n}"
        found.append(Contender(name=joins, read=lambda c: by_blocks("".join(_collected(c)), SPEAKER), texts=cut[n]))
        found.append(Contender(name=f"stream by {n}", read=_stream(Viewer.reader()), texts=cut[n], peer=joins))
    n, joins = HEADLINE, _STREAM[1]
    own = _stream(Viewer.character(SPEAKER))
    found += [
        Contender(name=f"stream by {n}, all thoughts", read=own, texts=cut[n], peer=joins),
        Contender(name=f"stream by {n}, eager", read=_stream(Viewer.reader(), eager=True), texts=cut[n], peer=joins),
        Contender(name=f"regex, blocks, anew {n}", read=_anew, texts=cut[n], peer=joins),
    ]
    return found


def _strict(chunks: Chunks) -> Turn | None:
    try:
        return read_strict(chunks[0], speaker=SPEAKER, turn_id="t")
    except TagError:
        return None


def _lenient(chunks: Chunks) -> Turn:
    return read_lenient(chunks[0], speaker=SPEAKER, turn_id="t").turn


def _stream(viewer: Viewer, *, eager: bool = False) -> Callable[[Chunks], object]:
    def read(chunks: Chunks) -> object:
        reader = StreamReader(viewer, speaker=SPEAKER, eager=eager)
        pieces = []
        for chunk in chunks:
            pieces += reader.feed(chunk)
        return pieces + reader.close()

    return read


def _collected(chunks: Chunks) -> list[str]:
    """What a program that reads a stream does before its regex: take each chunk as it comes."""
    got = []
    for chunk in chunks:
        got.append(chunk)
    return got


def _anew(chunks: Chunks) -> object:
    """What chat programs do to show text early: the whole pass again with every chunk."""
    text, parts = "", by_blocks("", SPEAKER)
    for chunk in chunks:
        text += chunk
        parts = by_blocks(text, SPEAKER)
    return parts


def _same_parts(pairs: Sequence[tuple[Turn, str]]) -> None:
    """The race is only fair where both sides give the same."""
    for turn, text in pairs:
        parts = [(p.kind, p.text) for p in turn.parts]
        if turn.system_thinking is not None:
            parts.insert(0, ("system_thinking", turn.system_thinking))
        assert by_blocks(text, SPEAKER) == by_tags(text, SPEAKER) == parts
        assert read_strict(text, speaker=SPEAKER, turn_id=turn.id) == turn


def _measure(contenders: Sequence[Contender], size: int) -> dict[str, list[float]]:
    """MB/s of each contender in each round."""
    speeds: dict[str, list[float]] = {c.name: [] for c in contenders}
    for _ in range(ROUNDS):
        for contender in contenders:
            read = contender.read
            gc.collect()
            gc.disable()  # as `timeit` does: collections would fall on whoever is running
            started = time.process_time()
            for chunks in contender.texts:
                read(chunks)
            spent_s = time.process_time() - started
            gc.enable()
            speeds[contender.name].append(size / 1e6 / spent_s)
    return speeds


def _ratios(speeds: dict[str, list[float]], name: str, peer: str) -> list[float]:
    return [ours / theirs for ours, theirs in zip(speeds[name], speeds[peer], strict=True)]


def _print(title: str, contenders: Iterable[Contender], speeds: dict[str, list[float]]) -> None:
    print(f"\n{title:34} {'MB/s':>7}   ratio, and its spread over the rounds")
    for contender in contenders:
        line = f"{contender.name:34} {median(speeds[contender.name]):7.1f}"
        if contender.peer is not None:
            ratios = _ratios(speeds, contender.name, contender.peer)
            line += f"   {median(ratios):5.2f} [{min(ratios):.2f}, {max(ratios):.2f}] of {contender.peer}"
        print(line)


def _leaks() -> None:
    """On how many of the collected malformed replies does someone else in the scene see what was hidden?"""
    counts = dict.fromkeys(("regex, blocks", "regex, tags", "our stream"), 0)
    hiding = 0
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        shown = _runs(text for _, text in case["expect"]["other"])
        hidden = _runs(text for kind, text in case["expect"]["reader"] if kind in ("thought", "system_thinking"))
        secret = hidden - shown
        hiding += bool(secret)
        text = case.get("prefill", "") + case["text"]
        for name, read in (("regex, blocks", by_blocks), ("regex, tags", by_tags)):
            seen = (said for kind, said in read(text, case["speaker"]) if kind in ("speech", "action"))
            counts[name] += bool(_runs(seen) & secret)
        other = StreamReader(Viewer.character("Tobin"), speaker=case["speaker"], prefill=case.get("prefill", ""))
        pieces = [p for c in case["text"] for p in other.feed(c)] + other.close()
        counts["our stream"] += bool(_runs(p.text for p in pieces) & secret)
    print(f"\nreplies that show a hidden thought to another character, of {hiding} malformed ones that hold one")
    for name, count in counts.items():
        print(f"{name:34} {count:7}")
    print()


def _runs(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """Every three words in a row (fewer in a shorter text): what it takes to say that a text was seen."""
    found = set()
    for text in texts:
        words = re.findall(r"\w+", text)
        found |= {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))} if words else set()
    return found


if __name__ == "__main__":
    sys.exit(main())
