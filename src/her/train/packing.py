"""Several sequences in one row, each common beginning only once.

Every turn of a character in a scene is a sample, so the samples of one dialogue repeat one another's prompt; so do the
completions of a GRPO group. Here a row is a trunk (the longest prompt) with a branch per sequence, leaving the trunk
where the sequence departs from it. A mask lets a branch see its part of the trunk and itself, and positions count as if
it stood alone: logits and gradients are those of separate sequences (tests/unit/test_train_packing.py), for a fraction
of the tokens and with no padding. Idea: tree attention of speculative decoding; prefix sharing in RL trainers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """One row. `score_at[i]` is the place whose logits predict `targets[i]`; `owner[i]` says of which sequence."""

    input_ids: list[int]
    positions: list[int]
    trunk: int
    """Length of the trunk."""
    branches: list[tuple[int, int, int]]
    """(start, end, how much of the trunk it sees), in places of the row."""
    score_at: list[int]
    targets: list[int]
    owner: list[int]


def common_prefix(a: Tokens, b: Tokens) -> int:
    """How many tokens `a` and `b` begin with in common."""
    n = min(len(a), len(b))
    if tuple(a[:n]) == tuple(b[:n]):
        return n
    low, high = 0, n
    while low + 1 < high:
        middle = (low + high) // 2
        if tuple(a[:middle]) == tuple(b[:middle]):
            low = middle
        else:
            high = middle
    return low


def pack(sequences: Sequence[tuple[Tokens, int]]) -> Packed:
    """Pack (ids, where the scored part begins) pairs.

    The token before the scored part belongs to each branch: what its logits must predict differs between branches.
    """
    prompts = [ids[: start - 1] for ids, start in sequences]
    trunk = max(prompts, key=len)
    row, positions = list(trunk), list(range(len(trunk)))
    branches, score_at, targets, owner = [], [], [], []
    for number, ((ids, start), prompt) in enumerate(zip(sequences, prompts, strict=True)):
        shared = common_prefix(trunk, prompt)
        begin = len(row)
        row += ids[shared:]
        positions += range(shared, len(ids))
        branches.append((begin, len(row), shared))
        for place in range(start, len(ids)):
            score_at.append(begin + place - 1 - shared)
            targets.append(ids[place])
            owner.append(number)
    return Packed(
        input_ids=row,
        positions=positions,
        trunk=len(trunk),
        branches=branches,
        score_at=score_at,
        targets=targets,
        owner=owner,
    )


def mask_of(packed: Packed) -> Any:
    """Boolean (1, 1, T, T): may the row's place look at the column's?"""
    import torch

    size = len(packed.input_ids)
    allowed = torch.zeros(size, size, dtype=torch.bool)
    allowed[: packed.trunk, : packed.trunk] = torch.ones(packed.trunk, packed.trunk, dtype=torch.bool).tril()
    for start, end, shared in packed.branches:
        allowed[start:end, :shared] = True
        allowed[start:end, start:end] = torch.ones(end - start, end - start, dtype=torch.bool).tril()
    return allowed[None, None]


def families(
    sequences: Sequence[tuple[Tokens, int]], *, most: int, row_tokens: int, least_shared: float = 0.5
) -> list[list[int]]:
    """Numbers of sequences worth packing together.

    At most `most` of them, in a row of about `row_tokens` at most, each sharing at least the given part of the shorter
    prompt with the first. A sequence that is longer than a row stays alone.
    """
    order = sorted(range(len(sequences)), key=lambda i: (tuple(sequences[i][0]), i))
    groups: list[list[int]] = []
    size = 0
    for i in order:
        ids, start = sequences[i]
        if groups and len(groups[-1]) < most:
            first, first_start = sequences[groups[-1][0]]
            shared = common_prefix(first[:first_start], ids[:start])
            grown = size + len(ids) - shared
            if shared >= least_shared * min(first_start, start) and grown <= row_tokens:
                groups[-1].append(i)
                size = grown
                continue
        groups.append([i])
        size = len(ids)
    return groups
