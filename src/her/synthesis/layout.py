"""Layout: where in a turn a thought and an action stand.

Owns variety (HER stage 1): no order of parts more than twice in a row, at least five orders in a long conversation,
because one dominant order in the training data is what lets RL collapse to a template. Speech is never changed: it
may be parted between two of its sentences, each part keeping its exact span.
"""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from her.schema import Part, Span
from her.synthesis.wording import normalise, sentences


def arrange(
    parts: Sequence[Part], *, thought: str | None, action: str | None, past: Sequence[str], seed: str, text: str | None
) -> tuple[Part, ...]:
    """The parts of one turn with its thought and action put in. `past`: layouts of the dialogue so far.

    Of all orders possible the least used is taken, never one that came twice just now; ties fall by the seed.
    """
    options: dict[str, list[tuple[Part, ...]]] = {}
    for base in (list(parts), *_parted(parts, text)):
        for candidate in _places(base, thought=thought, action=action):
            layout = ">".join(p.kind for p in candidate)
            options.setdefault(layout, []).append(candidate)
    if len(past) >= 2 and past[-1] == past[-2] and len(options) > 1:
        options.pop(past[-1], None)
    used = Counter(past)
    rng = random.Random(seed)
    ranked = sorted(options)
    rng.shuffle(ranked)
    # A parted speech is the exception in prose, so it counts as used once more than it was.
    least = min(ranked, key=lambda layout: used[layout] + (layout.count("speech") > 1))
    return rng.choice(options[least])


def _places(base: list[Part], *, thought: str | None, action: str | None) -> list[tuple[Part, ...]]:
    """Every place for the action, then for the thought; never two parts of a kind side by side."""
    found = [base]
    for kind, new in (("action", action), ("thought", thought)):
        if new is None:
            continue
        part = Part.model_validate({"kind": kind, "text": new})
        found = [[*b[:i], part, *b[i:]] for b in found for i in range(len(b) + 1)]
    return [tuple(f) for f in found if all(a.kind != b.kind for a, b in pairwise(f))]


def _parted(parts: Sequence[Part], text: str | None) -> list[list[Part]]:
    """The same parts with one speech of two or more sentences left as two, to be kept apart by what is put between."""
    found = []
    for i, part in enumerate(parts):
        if part.kind != "speech":
            continue
        ends = sentences(part.text)
        if len(ends) < 2:
            continue
        at = ends[(len(ends) - 1) // 2][1]
        halves = [part.text[:at].strip(), part.text[at:].strip()]
        spans = _split_span(part, halves, text)
        pair = [Part(kind="speech", text=h, span=s) for h, s in zip(halves, spans, strict=True)]
        found.append([*parts[:i], *pair, *parts[i + 1 :]])
    return found


def _split_span(part: Part, halves: list[str], text: str | None) -> tuple[Span | None, Span | None]:
    """Where the book says each half; nothing where the whole was not found in one place."""
    if part.span is None or text is None:
        return None, None
    raw = text[part.span.start : part.span.end]
    for _, end in sentences(raw):
        if normalise(raw[:end]) == halves[0]:
            rest = end + len(raw[end:]) - len(raw[end:].lstrip())
            if rest < len(raw):
                return (
                    Span(start=part.span.start, end=part.span.start + end),
                    Span(start=part.span.start + rest, end=part.span.end),
                )
    return None, None
