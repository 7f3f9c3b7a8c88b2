"""The guard: what is usual for a policy is no alarm, a collapse is one, and a run is taken back from it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from policy_cases import prompts, rewarded
from tiny_policy import make_policy

from her.renderers import layout_stats
from her.renderers.variety import variety
from her.reward.group import RewardedReply
from her.schema import Part, PartKind, RLPrompt, Turn
from her.train import PolicyConfig, train_policy
from her.train.guard import GuardConfig, Health, alarms, collapse

ORDERS: tuple[tuple[PartKind, ...], ...] = (
    ("thought", "speech"),
    ("action", "speech"),
    ("speech",),
    ("thought", "action", "speech"),
)
SPOKEN = ("the lamp is out again", "who left this door open", "rain by night I think", "give me that key now")


def _turn(i: int, *, kinds: tuple[PartKind, ...], spoken: str) -> Turn:
    parts = tuple(Part(kind=k, text=spoken if k == "speech" else f"{k} number {i} of the night") for k in kinds)
    return Turn(id=f"t{i}", speaker="Ann", parts=parts)


def _step(
    number: int, turns: Sequence[Turn], *, gated: int = 0, pleasing: int = 0, pairs: tuple[int, int] = (0, 0)
) -> Health:
    return Health(
        step=number,
        replies=len(turns),
        gated=0,
        pleasing=0,
        layouts=layout_stats(turns),
        variety=variety([turns]),
        agreed=0,
        compared=0,
    )


def _varied(number: int) -> Health:
    return _step(number, [_turn(i, kinds=ORDERS[i % 4], spoken=SPOKEN[(i + number) % 4]) for i in range(8)])


def _template(number: int) -> Health:
    return _step(number, [_turn(i, kinds=ORDERS[0], spoken=SPOKEN[0]) for i in range(8)])


def test_a_healthy_curve_is_quiet_and_a_template_is_called_with_its_reasons() -> None:
    healthy = [_varied(i) for i in range(1, 21)]
    assert all(alarms(healthy[:n], GuardConfig()) == () for n in range(21))
    assert collapse(healthy, GuardConfig()) is None
    curve = healthy[:10] + [_template(i) for i in range(11, 21)]
    found = collapse(curve, GuardConfig())
    assert found is not None
    # The window of four steps is all template from step 14 on; two windows before that are mostly so.
    assert 12 <= found.since < found.step == found.since + 1 <= 15
    assert {a.name for a in found.alarms} >= {"layout", "opening"}
    assert str(found).startswith(f"collapse at step {found.step} (sick since {found.since}): one layout in")
    # Later steps do not change what was called.
    assert collapse(curve[: found.step], GuardConfig()) == found


def test_what_was_usual_from_the_start_is_no_collapse() -> None:
    curve = [_template(i) for i in range(1, 30)]
    assert collapse(curve, GuardConfig()) is None


def test_length_gates_flattery_and_the_held_out_judge_are_alarms_of_their_own() -> None:
    usual = [_varied(i) for i in range(1, 5)]
    long = [_turn(i, kinds=ORDERS[i % 4], spoken=f"{SPOKEN[i % 4]} {' '.join(SPOKEN)}") for i in range(8)]
    cases = {
        "length": [_step(i, long) for i in range(5, 9)],
        "gated": [_varied(i).model_copy(update={"gated": 8, "replies": 16}) for i in range(5, 9)],
        "pleasing": [_varied(i).model_copy(update={"pleasing": 4}) for i in range(5, 9)],
        "held_out": [_varied(i).model_copy(update={"agreed": 3, "compared": 14}) for i in range(5, 9)],
    }
    for name, last in cases.items():
        assert {a.name for a in alarms([*usual, *last], GuardConfig())} == {name}
    few = [_varied(i).model_copy(update={"agreed": 1, "compared": 3}) for i in range(5, 9)]
    few[1:] = [h.model_copy(update={"agreed": 0, "compared": 0}) for h in few[1:]]
    assert alarms([*usual, *few], GuardConfig()) == ()


class LikesOneTemplate:
    """A planted hack: the more e, the better. Each letter counts as a word."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, prompt: RLPrompt, texts: Sequence[str], reasons: Sequence[str]) -> list[RewardedReply]:
        self.calls += 1
        return [self._reward(text, i) for i, text in enumerate(texts)]

    def _reward(self, text: str, i: int) -> RewardedReply:
        said = " ".join("".join(text.split())) or "nothing"
        turn = Turn(id=f"r{i}", speaker="Ann", parts=(Part(kind="speech", text=said),))
        return rewarded(text.count("e") / max(1, len(text)), turn)


PLANTED = PolicyConfig(
    steps=40,
    prompts_per_step=2,
    group_size=8,
    max_completion_tokens=8,
    learning_rate=2e-2,
    rank=4,
    alpha=8,
    save_every=1,
    mask_truncated=False,
)


def test_a_planted_collapse_is_caught_and_taken_back(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    base = make_policy(tmp_path / "base", spread=0.2)
    told: list[float] = []
    result = train_policy(
        PLANTED,
        base=base,
        adapter=None,
        prompts=prompts(),
        reward=LikesOneTemplate(),
        out=tmp_path / "run",
        progress=lambda step: told.append(step.figures["alarms"]),
    )
    assert result.rollback is not None
    called = result.rollback.collapse
    assert result.steps == called.step < 40, "training goes on after a collapse"
    assert max(told) >= 2
    assert {a.name for a in called.alarms} & {"opening", "self_bleu"}
    assert 0 < result.rollback.to < called.since
    kept = load_file(tmp_path / "run" / "healthy" / "adapter_model.safetensors")
    written = load_file(tmp_path / "run" / "peft" / "adapter_model.safetensors")
    last = load_file(tmp_path / "run" / "checkpoints" / f"checkpoint-{called.step}" / "adapter_model.safetensors")
    assert all((written[name] == kept[name]).all() for name in kept)
    assert any((written[name] != last[name]).any() for name in kept)


def test_a_guard_that_watches_lets_it_happen(tmp_path: Path) -> None:
    base = make_policy(tmp_path / "base")
    config = PLANTED.model_copy(update={"steps": 3, "guard": GuardConfig(on_collapse="watch", witness_every=2)})
    witness = LikesOneTemplate()
    result = train_policy(
        config, base=base, adapter=None, prompts=prompts(), reward=LikesOneTemplate(), out=tmp_path, witness=witness
    )
    assert (result.rollback, result.steps) == (None, 3)
    assert witness.calls == 2, "the witness hears every second step, two groups each"
    assert [s.compared > 0 for s in result.curve] == [False, True, False]
    assert all(s.agreed == s.compared for s in result.curve), "a witness equal to the reward agrees with it"


@pytest.mark.parametrize("bad", [{"alarms": 0}, {"length_factor": 1.0}, {"on_collapse": "pray"}])
def test_settings_without_sense_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        GuardConfig.model_validate(bad)
