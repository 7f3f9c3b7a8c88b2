"""Layout: where in a turn a thought and an action stand.

Owns variety (HER stage 1): no order of parts more than twice in a row, at least five orders in a long conversation,
because one dominant order in the training data is what lets RL collapse to a template. Speech is never changed: it
may be parted between two of its sentences, each part keeping its exact span.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from her.schema import Part
from her.synthesis.text.fidelity import split_part
from her.synthesis.text.passage import Passage
from her.synthesis.text.wording import sentences


def arrange(
    parts: Sequence[Part],
    *,
    thought: str | None,
    action: str | None,
    past: Sequence[str],
    seed: str,
    passage: Passage | None,
) -> tuple[Part, ...]:
    """The parts of one turn with its thought and action put in. `past`: layouts of the dialogue so far.

    Of all orders possible the least used is taken, never one that came twice just now; ties fall by the seed.
    """
    options = _options(list(parts), thought=thought, action=action, passage=passage)
    if len(past) >= 2 and past[-1] == past[-2] and len(options) > 1:
        options.pop(past[-1], None)
    return _least_used(options, past=past, seed=seed)


def varied(parts: Sequence[Part], *, past: Sequence[str], seed: str, passage: Passage | None) -> tuple[Part, ...]:
    """The parts as a teacher ordered them, unless that order came twice just now: then a thought moves, or, where
    there is none, an action."""
    layout = ">".join(p.kind for p in parts)
    moved = next((p for kind in ("thought", "action") for p in parts if p.kind == kind), None)
    if moved is None or len(past) < 2 or not past[-1] == past[-2] == layout:
        return tuple(parts)
    rest = [p for p in parts if p is not moved]
    thought, action = (moved.text, None) if moved.kind == "thought" else (None, moved.text)
    options = _options(rest, thought=thought, action=action, passage=passage)
    options.pop(layout, None)
    return _least_used(options, past=past, seed=seed) if options else tuple(parts)


def _options(
    parts: list[Part], *, thought: str | None, action: str | None, passage: Passage | None
) -> dict[str, list[tuple[Part, ...]]]:
    """Every order that can be made, by layout."""
    options: dict[str, list[tuple[Part, ...]]] = {}
    for base in (parts, *_parted(parts, passage)):
        for candidate in _places(base, thought=thought, action=action):
            options.setdefault(">".join(p.kind for p in candidate), []).append(candidate)
    return options


def _least_used(options: Mapping[str, list[tuple[Part, ...]]], *, past: Sequence[str], seed: str) -> tuple[Part, ...]:
    used = Counter(past)
    rng = random.Random(seed)
    ranked = sorted(options)
    rng.shuffle(ranked)
    # A parted speech is the exception in prose, so it counts as used once more than it was.
    least = min(ranked, key=lambda layout: used[layout] + (layout.count("speech") > 1))
    return rng.choice(options[least])


def _places(base: list[Part], *, thought: str | None, action: str | None) -> list[tuple[Part, ...]]:
    """Every place for the action, then for the thought; never beside a part of its kind. What the source itself put
    side by side may stay so, speech apart."""
    found = [base]
    for kind, new in (("action", action), ("thought", thought)):
        if new is None:
            continue
        part = Part.model_validate({"kind": kind, "text": new})
        found = [[*b[:i], part, *b[i:]] for b in found for i in range(len(b) + 1)]
    doubled = sum(a.kind == b.kind != "speech" for a, b in pairwise(base))
    return [
        tuple(f)
        for f in found
        if sum(a.kind == b.kind != "speech" for a, b in pairwise(f)) <= doubled
        and not any(a.kind == b.kind == "speech" for a, b in pairwise(f))
    ]


def _parted(parts: Sequence[Part], passage: Passage | None) -> list[list[Part]]:
    """The same parts with one speech of two or more sentences left as two, to be kept apart by what is put between."""
    found = []
    for i, part in enumerate(parts):
        if part.kind != "speech":
            continue
        ends = sentences(part.text)
        if len(ends) < 2:
            continue
        halves = split_part(part, ends[(len(ends) - 1) // 2][1], passage)
        if halves is not None:
            found.append([*parts[:i], *halves, *parts[i + 1 :]])
    return found
