"""Prompts for a policy that is trained in a test, and what a reward says of a reply."""

from her.renderers import chat
from her.reward.group import RewardedReply
from her.schema import Character, Part, RLPrompt, Scene, Turn


def prompts(n: int = 4) -> list[RLPrompt]:
    """One scene, `n` histories of different lengths."""
    scene = Scene(
        id="lamp",
        book_id=None,
        chapter=None,
        scenario="A lamp-house at night.",
        characters=(Character(name="Ann"), Character(name="Ben")),
    )
    said = [
        Turn(id=f"t{i}", speaker="Ben", parts=(Part(kind="speech", text=" ".join(["Where?"] * (i + 1))),))
        for i in range(n)
    ]
    reference = Turn(id="r", speaker="Ann", parts=(Part(kind="speech", text="There is no key."),))
    return [
        RLPrompt(
            id=f"lamp:{t.id}",
            dialogue_id="lamp",
            turn_id=t.id,
            character="Ann",
            scene=scene,
            history=(t,),
            messages=chat(scene, (t,), "Ann", history_policy="drop_own_system", system_thinking=False),
            reference=reference,
            split="train",
            provenance="gold",
            history_policy="drop_own_system",
            system_thinking=False,
        )
        for t in said
    ]


def rewarded(reward: float | None, turn: Turn, *, unread: int = 0) -> RewardedReply:
    """A reply that passed the gates and played one game."""
    return RewardedReply(
        reward=reward, uncertainty=None, gated=None, faults=(), turn=turn, games=1, unread=unread, wins=0, ties=0
    )
