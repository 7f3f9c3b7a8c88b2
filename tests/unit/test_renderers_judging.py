"""Verdicts: what is written reads back, and what cannot be read is Unparsed with its reason."""

import json

import pytest

from her.renderers import read_verdict, render_verdict, verdict_schema
from her.schema import Decided, Principle, PrincipleFinding, Unparsed

GOOD = '{"findings":[{"principle":"A","winner":"tie"}],"better_response":"cand_2"}'


def test_a_verdict_reads_back() -> None:
    decided = Decided(winner="cand_1", findings=(PrincipleFinding(principle='quote " {', winner="cand_2"),))
    assert read_verdict(render_verdict(decided)) == decided
    assert read_verdict(render_verdict(decided.swap())) == decided.swap()


@pytest.mark.parametrize("text", [GOOD, f"  {GOOD}\n", f"```json\n{GOOD}\n```", f"```\n{GOOD}\n```\n"])
def test_one_object_bare_or_fenced_is_read(text: str) -> None:
    verdict = read_verdict(text)
    assert isinstance(verdict, Decided)
    assert verdict.winner == "cand_2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("cand_1 is better", "no_json"),
        ("[1]", "not_an_object"),
        ('"cand_1"', "not_an_object"),
        (GOOD[:-5], "bad_json"),
        ("[" * 9, "not_an_object"),
        ('{"a":' * 5000, "bad_json"),
        (f"{GOOD}\n{GOOD}", "several"),
        (f"I think: {GOOD}", "extra_text"),
        (f"{GOOD} So there.", "extra_text"),
        ('{"findings":[]}', "no_winner"),
        ('{"better_response":null}', "no_winner"),
        ('{"better_response":"cand_3"}', "bad_winner"),
        ('{"better_response":["cand_1"]}', "bad_winner"),
        ('{"findings":{},"better_response":"tie"}', "bad_findings"),
        ('{"findings":[{"principle":"A"}],"better_response":"tie"}', "bad_findings"),
        ('{"findings":["A"],"better_response":"tie"}', "bad_findings"),
        ('{"better_response":"cand_1","better_response":"cand_2"}', "repeated_key"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, reason: str) -> None:
    assert read_verdict(text) == Unparsed(reason=reason)


def test_the_schema_names_the_principles_and_asks_for_no_echo() -> None:
    principle = Principle(
        name="Own voice",
        dimension="d",
        polarity="positive",
        level="sentence",
        definition="x",
        good="g",
        bad="b",
        author="a",
    )
    schema = json.loads(verdict_schema([principle]))
    assert set(schema["properties"]) == {"findings", "better_response"}
    assert schema["properties"]["findings"]["items"]["properties"]["principle"]["enum"] == ["Own voice"]
    assert schema["required"] == ["findings", "better_response"]
