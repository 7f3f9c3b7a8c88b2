"""Dialogue to SFTSample and RLPrompt: one target turn each, with the history exactly as at inference.

Pure: same dialogues, same records, in the dialogues' order. Every turn of a character is a target once (HER §1.6, 8),
except the Environment's, those without parts, and, where system thinking is asked for, those that have none (HER §8.2,
10: samples that lost their plan taught models not to plan). Ids come from the dialogue and the turn, never a position.
"""

from collections.abc import Iterator, Sequence

from her.data.splits import Splits
from her.renderers import chat, render_turn
from her.schema import ENVIRONMENT, Dialogue, HistoryPolicy, RLPrompt, SFTSample, Turn


def sft_samples(
    dialogues: Sequence[Dialogue], *, history_policy: HistoryPolicy, system_thinking: bool, splits: Splits
) -> list[SFTSample]:
    """One sample per target turn."""
    return [
        SFTSample(
            id=f"{dialogue.id}:{turn.id}",
            dialogue_id=dialogue.id,
            turn_id=turn.id,
            character=turn.speaker,
            messages=chat(
                dialogue.scene,
                history,
                turn.speaker,
                history_policy=history_policy,
                system_thinking=system_thinking,
            ),
            target=render_turn(turn, system_thinking=system_thinking),
            split=splits(dialogue),
            provenance=dialogue.provenance,
            history_policy=history_policy,
            system_thinking=system_thinking,
        )
        for dialogue, history, turn in _targets(dialogues)
        if turn.system_thinking is not None or not system_thinking
    ]


def rl_prompts(
    dialogues: Sequence[Dialogue], *, history_policy: HistoryPolicy, system_thinking: bool, splits: Splits
) -> list[RLPrompt]:
    """One place to speak per target turn. A reference without a plan will do: the policy writes its own."""
    return [
        RLPrompt(
            id=f"{dialogue.id}:{turn.id}",
            dialogue_id=dialogue.id,
            turn_id=turn.id,
            character=turn.speaker,
            scene=dialogue.scene,
            history=history,
            messages=chat(
                dialogue.scene,
                history,
                turn.speaker,
                history_policy=history_policy,
                system_thinking=system_thinking,
            ),
            reference=turn,
            split=splits(dialogue),
            provenance=dialogue.provenance,
            history_policy=history_policy,
            system_thinking=system_thinking,
        )
        for dialogue, history, turn in _targets(dialogues)
    ]


def _targets(dialogues: Sequence[Dialogue]) -> Iterator[tuple[Dialogue, tuple[Turn, ...], Turn]]:
    for dialogue in dialogues:
        for i, turn in enumerate(dialogue.turns):
            if turn.speaker != ENVIRONMENT and turn.parts:
                yield dialogue, dialogue.turns[:i], turn
