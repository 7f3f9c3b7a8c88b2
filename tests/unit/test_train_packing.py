"""A packed row gives each sequence the logits and gradients it would have alone."""

from pathlib import Path

import pytest
from tiny_policy import make_policy

from her.train.packing import common_prefix, families, mask_of, pack


def test_common_prefix() -> None:
    assert common_prefix((1, 2, 3), (1, 2, 4)) == 2
    assert common_prefix((1, 2), (1, 2, 4)) == 2
    assert common_prefix((), (1,)) == 0
    assert common_prefix((5,), (1,)) == 0
    for n in range(12):
        assert common_prefix((*range(12), 99), (*range(n), 50)) == n


def test_families_join_what_shares_a_prompt() -> None:
    long, short = tuple(range(20)), tuple(range(12))
    sequences = [((*long, 70), 20), ((90, 91, 92), 2), ((*short, 80), 12), ((*short, 40, 41), 13)]
    groups = families(sequences, most=4, row_tokens=100)
    assert sorted(sorted(g) for g in groups) == [[0, 2, 3], [1]]
    for limits in ({"most": 2, "row_tokens": 100}, {"most": 4, "row_tokens": 22}):
        groups = families(sequences, **limits)
        assert max(len(g) for g in groups) == 2
        assert sorted(i for g in groups for i in g) == [0, 1, 2, 3]
    assert len(families(sequences, most=4, row_tokens=1)) == 4


def test_a_branch_sees_its_prompt_and_itself() -> None:
    packed = pack([((1, 2, 3, 4, 9, 8), 4), ((1, 2, 7, 6), 3)])
    assert packed.input_ids == [1, 2, 3, 4, 9, 8, 7, 6]
    assert packed.positions == [0, 1, 2, 3, 4, 5, 2, 3]
    assert packed.targets == [9, 8, 6]
    assert [packed.input_ids[i] for i in packed.score_at] == [4, 9, 7]
    assert packed.owner == [0, 0, 1]
    allowed = mask_of(packed)[0, 0]
    assert [i for i in range(8) if allowed[7, i]] == [0, 1, 6, 7]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("tiny") / "base")


def test_packed_equals_alone(base: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    trunk = tuple(3 + 5 * i % 300 for i in range(40))
    sequences = [((*trunk, 11, 12, 13, 2), 40), ((*trunk[:25], 21, 22, 2), 25), ((*trunk, 31, 2), 40), ((5, 6, 7), 1)]

    alone = torch.zeros(())
    for ids, start in sequences:
        logprobs = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        alone = alone - sum(logprobs[i - 1, ids[i]] for i in range(start, len(ids)))
    alone.backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()

    packed = pack(sequences)
    assert len(packed.input_ids) < 40 + 25
    logits = model(
        input_ids=torch.tensor([packed.input_ids]),
        position_ids=torch.tensor([packed.positions]),
        attention_mask=mask_of(packed),
        logits_to_keep=torch.tensor(packed.score_at),
    ).logits[0]
    together = torch.nn.functional.cross_entropy(logits, torch.tensor(packed.targets), reduction="sum")
    together.backward()
    assert float(together.detach()) == pytest.approx(float(alone.detach()), rel=1e-5)
    for wanted, p in zip(expected, model.parameters(), strict=True):
        assert torch.allclose(wanted, p.grad, atol=1e-4)
