"""The vLLM parser: both layers hidden from content at every cut of the stream, a prefilled opening tag included."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.errors import ConfigError
from her.serve.reasoning_parser import parser_class

END = 2
PLAN, THOUGHT = "Mara must not tell of the ninth.", "He knows."
REPLY = (
    f"<system_thinking>{PLAN}</system_thinking>Mara: <role_thinking>{THOUGHT}</role_thinking>"
    "<role_action>turns the lamp down</role_action>All eight are lit. <role_thinking>One more lie.</role_thinking>Go."
)
CONTENT = "*turns the lamp down* “All eight are lit. Go.”"
HIDDEN = f"{PLAN}\n\n{THOUGHT}\n\nOne more lie."
SECRETS = ("must not", "He knows", "One more lie")


class Base:
    """The part of vLLM's ReasoningParser that is used."""

    def __init__(self, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
        self.model_tokenizer = tokenizer


def delta(*, reasoning: str | None, content: str | None) -> tuple[str | None, str | None]:
    """In place of vLLM's DeltaMessage."""
    return reasoning, content


def parser(**asked: Any) -> Any:
    return parser_class(Base, delta)(SimpleNamespace(eos_token_id=END), chat_template_kwargs=asked or None)


def streamed(one: Any, text: str, cuts: Sequence[int], *, ends: bool = True) -> tuple[str, str]:
    """What a client has when the stream is over: one call for each piece, the last with the end's token."""
    places = [0, *sorted(c % (len(text) + 1) for c in cuts), len(text)]
    out = ["", ""]
    for number, (a, b) in enumerate(pairwise(places)):
        last = ends and number == len(places) - 2
        got = one.extract_reasoning_streaming(text[:a], text[:b], text[a:b], [], [], [7, END] if last else [7])
        for i, more in enumerate(got or ("", "")):
            out[i] += more or ""
    return out[0], out[1]


CUTS = st.lists(st.integers(0, 400), max_size=40)


@given(CUTS)
@settings(max_examples=150, deadline=None)
def test_a_stream_gives_the_whole_reply_at_every_cut(cuts: list[int]) -> None:
    assert parser(character="Mara").extract_reasoning(REPLY, None) == (HIDDEN, CONTENT)
    assert streamed(parser(character="Mara"), REPLY, cuts) == (HIDDEN, CONTENT)


@given(CUTS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_prefilled_opening_tag_hides_what_follows_whether_or_not_the_parser_is_told(
    cuts: list[int], told: bool
) -> None:
    rest = REPLY.removeprefix("<system_thinking>")
    one = parser(character="Mara", **({"prefill": "<system_thinking>"} if told else {}))
    assert one.extract_reasoning(rest, None) == (HIDDEN, CONTENT)
    assert streamed(one, rest, cuts) == (HIDDEN, CONTENT)


@pytest.mark.parametrize(
    "text",
    [
        f"<system_thinking>{PLAN} He knows",
        f"{PLAN} He knows.</system_thinking>",
        f"<system_thinking>{PLAN}</system_thinking>Mara: Good. <role_thinking>He knows, One more lie",
        f"<System_Thinking >{PLAN}</system_thinking>Mara: Good.<role_thinking id=1>He knows</role_thinking>",
        f"<system_thinking>{PLAN}<role_thinking>He knows</role_thinking> One more lie</system_thinking>Mara: Good.",
        f"<think>{PLAN}</think>Mara: Good.",
    ],
)
@given(cuts=CUTS, ends=st.booleans())
@settings(max_examples=40, deadline=None)
def test_nothing_hidden_becomes_content(text: str, cuts: list[int], ends: bool) -> None:
    whole = parser(character="Mara").extract_reasoning(text, None)[1] or ""
    _, content = streamed(parser(character="Mara"), text, cuts, ends=ends)
    for secret in SECRETS:
        assert secret not in whole
        assert secret not in content


def test_layers_that_are_not_asked_for_go_nowhere() -> None:
    thoughts = parser(character="Mara", layers=["role_thinking"]).extract_reasoning(REPLY, None)
    assert thoughts == (f"{THOUGHT}\n\nOne more lie.", CONTENT)
    assert parser(character="Mara", layers=[]).extract_reasoning(REPLY, None) == (None, CONTENT)
    assert streamed(parser(character="Mara", layers=[]), REPLY, [9, 80, 150]) == ("", CONTENT)


def test_without_a_character_its_name_stays_and_speech_alone_waits_for_the_end() -> None:
    assert parser().extract_reasoning("Mara: Nine.", None) == (None, "“Mara: Nine.”")
    assert streamed(parser(), "Mara: Nine.", [4, 8]) == ("", "“Mara: Nine.”")
    assert streamed(parser(), "Mara: Nine.", [4, 8], ends=False) == ("", "")
    assert streamed(parser(character="Mara"), "Mara: Nine. Or", [4, 8, 11], ends=False)[1].startswith("“Nine.")


def test_one_parser_serves_several_replies_by_turns() -> None:
    one = parser(character="Mara")
    other = "Mara: <role_thinking>Quiet.</role_thinking>Eight."
    out = {REPLY: ["", ""], other: ["", ""]}
    for at in range(0, len(REPLY), 5):
        for text in (REPLY, other):
            if at < len(text):
                end = min(at + 5, len(text))
                ids = [7, END] if end == len(text) else [7]
                got = one.extract_reasoning_streaming(text[:at], text[:end], text[at:end], [], [], ids)
                for i, more in enumerate(got or ("", "")):
                    out[text][i] += more or ""
    assert out == {REPLY: [HIDDEN, CONTENT], other: ["Quiet.", "“Eight.”"]}


def test_what_is_not_understood_is_refused_and_reasoning_never_ends() -> None:
    with pytest.raises(ConfigError, match=r"chat_template_kwargs.layers"):
        parser(layers=["everything"])
    assert parser(enable_thinking=True).extract_content_ids([1, 2]) == []
    assert not parser().is_reasoning_end([END])
    assert not parser().is_reasoning_end_streaming([END], [END])


@pytest.mark.parametrize("place", ["engine/protocol.py", "protocol.py"])
def test_the_plugin_registers_itself_with_either_age_of_vllm(place: str, tmp_path: Path) -> None:
    """Its imports against a package of vLLM's shape: vLLM itself needs a GPU's machine to install."""
    message = tmp_path / "vllm" / "entrypoints" / "openai" / place
    message.parent.mkdir(parents=True)
    message.write_text("class DeltaMessage:\n    pass\n")
    (tmp_path / "vllm" / "reasoning").mkdir()
    (tmp_path / "vllm" / "reasoning" / "__init__.py").write_text(
        "class ReasoningParser:\n    pass\n\nclass ReasoningParserManager:\n"
        "    @staticmethod\n    def register_module(name):\n"
        "        return lambda found: print(name, found.__name__, issubclass(found, ReasoningParser))\n"
    )
    (tmp_path / "her_reasoning.py").write_text((resources.files("her.serve") / "vllm_plugin.py").read_text())
    done = subprocess.run(
        [sys.executable, "-c", "import her_reasoning"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "her HerReasoningParser True\n", done.stderr
