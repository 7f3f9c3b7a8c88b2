"""Samples as chats: `messages` (TRL, Axolotl, LLaMA-Factory) and ShareGPT. One row a sample; the last message is the
target and the only one to learn from."""

from collections.abc import Callable, Sequence

from her.schema import Message, RLPrompt, SFTSample

Row = dict[str, object]
_FROM = {"system": "system", "user": "human", "assistant": "gpt"}


def sample_messages(sample: SFTSample) -> Row:
    """`{id, messages}`."""
    return {"id": sample.id, "messages": [*_plain(sample.messages), {"role": "assistant", "content": sample.target}]}


def place_messages(place: RLPrompt) -> Row:
    """`{id, prompt, reference}`: `prompt` is what TRL's GRPO trainer reads."""
    return {"id": place.id, "prompt": _plain(place.messages), "reference": reference_text(place)}


def sample_sharegpt(sample: SFTSample) -> Row:
    """`{id, conversations}`."""
    talk = [*sample.messages, Message(role="assistant", content=sample.target)]
    return {"id": sample.id, "conversations": [{"from": _FROM[m.role], "value": m.content} for m in talk]}


def place_sharegpt(place: RLPrompt) -> Row:
    """`{id, conversations, reference}`: the chat ends where the character speaks next."""
    talk = [{"from": _FROM[m.role], "value": m.content} for m in place.messages]
    return {"id": place.id, "conversations": talk, "reference": reference_text(place)}


def reference_text(place: RLPrompt) -> str:
    """What the source says there, as a policy would write it."""
    from her.renderers import render_turn

    return render_turn(place.reference, system_thinking=place.system_thinking)


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


SHAPES: dict[str, tuple[Callable[[SFTSample], Row], Callable[[RLPrompt], Row]]] = {
    "messages": (sample_messages, place_messages),
    "sharegpt": (sample_sharegpt, place_sharegpt),
}
"""Format to the rows of its samples and of its places."""
