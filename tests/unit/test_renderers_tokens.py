"""Token ids and the loss mask, decoded again: with a tiny tokenizer always, with SmolLM2's where it is installed."""

from typing import Any

import pytest
from jinja2 import Environment

from her.errors import ConfigError, ModelError
from her.renderers import CONVERSATION_START, Encoded, TooLong, encode
from her.schema import Message, SFTSample

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Characters:
    """A real, tiny tokenizer: one id for a character, one for each ChatML token."""

    special = ("<|im_start|>", "<|im_end|>")

    def __init__(self, template: str = CHATML) -> None:
        self.template = Environment(keep_trailing_newline=True).from_string(template)

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        ids = []
        while text:
            token = next((s for s in self.special if text.startswith(s)), text[0])
            ids.append(self.special.index(token) if token in self.special else ord(token) + 2)
            text = text[len(token) :]
        return ids

    def decode(self, ids: list[int]) -> str:
        return "".join(self.special[i] if i < 2 else chr(i - 2) for i in ids)

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> str:
        return self.template.render(messages=conversation, **options)


def smollm2() -> Any:
    try:
        from her.llm.names import weights

        folder = weights("local:smollm2-135m")
        from transformers import AutoTokenizer
    except (ImportError, ModelError) as e:
        pytest.skip(f"SmolLM2's tokenizer is not installed: {e}")
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(params=["tiny", "smollm2"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return Characters() if request.param == "tiny" else smollm2()


def sample(rounds: int) -> SFTSample:
    messages = [Message(role="system", content="You are Mara.")]
    for i in range(rounds):
        lead = f"{CONVERSATION_START}\n\n" if i == 0 else ""
        messages += [
            Message(role="user", content=f"{lead}Tobin: Question {i}?"),
            Message(role="assistant", content=f"Mara: Answer {i}."),
        ]
    messages.append(Message(role="user", content=CONVERSATION_START if not rounds else "Tobin: Last?"))
    return SFTSample(
        id="d:t", dialogue_id="d", turn_id="t", character="Mara", messages=tuple(messages),
        target="<system_thinking>Dry.</system_thinking>Mara: <role_action>nods</role_action>Nine — café.",
        split="train", provenance="gold", history_policy="drop_own_system", system_thinking=True,
    )  # fmt: skip


@pytest.mark.parametrize("rounds", [0, 2])
def test_loss_falls_on_the_target_and_its_end_alone(tokenizer: Any, rounds: int) -> None:
    got = encode(sample(rounds), tokenizer, max_tokens=4000)
    assert isinstance(got, Encoded)
    learnt = [label for label in got.labels if label != -100]
    assert tokenizer.decode(learnt) == f"{sample(rounds).target}<|im_end|>"
    assert list(got.input_ids[-len(learnt) :]) == learnt
    assert len(got.input_ids) == len(got.labels)
    text = tokenizer.decode(list(got.input_ids))
    whole = [{"role": m.role, "content": m.content} for m in sample(rounds).messages]
    whole.append({"role": "assistant", "content": sample(rounds).target})
    assert text == tokenizer.apply_chat_template(whole, tokenize=False, add_generation_prompt=False).rstrip("\n")
    assert got.dropped_messages == 0


def test_a_long_history_loses_its_oldest_and_keeps_the_rest(tokenizer: Any) -> None:
    full = encode(sample(4), tokenizer, max_tokens=4000)
    assert isinstance(full, Encoded)
    cut = encode(sample(4), tokenizer, max_tokens=len(full.input_ids) - 1)
    assert isinstance(cut, Encoded)
    text = tokenizer.decode(list(cut.input_ids))
    assert cut.dropped_messages == 2
    assert "You are Mara." in text
    assert text.count(CONVERSATION_START) == 1
    assert f"{CONVERSATION_START}\n\nTobin: Question 1?" in text
    assert "Question 0" not in text
    assert text.endswith(f"{sample(4).target}<|im_end|>")


def test_what_cannot_fit_is_counted_not_cut(tokenizer: Any) -> None:
    got = encode(sample(3), tokenizer, max_tokens=20)
    assert isinstance(got, TooLong)
    assert got.tokens > 20


def test_a_template_that_rewrites_the_assistant_is_refused() -> None:
    for template in ("{% for m in messages %}x{% endfor %}", "{% for m in messages %}{{ m.content }}{% endfor %}"):
        with pytest.raises(ConfigError):
            encode(sample(1), Characters(template), max_tokens=4000)


def test_a_system_prompt_is_short_beside_its_profiles() -> None:
    from her.renderers import system_prompt
    from her.schema import Character, Scene

    empty = Scene(
        id="s", book_id=None, chapter=None, scenario="x", characters=(Character(name="Mara"), Character(name="Tobin"))
    )
    assert len(smollm2().encode(system_prompt(empty, "Mara", system_thinking=True))) < 260
