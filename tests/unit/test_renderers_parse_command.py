"""`her parse` on files and standard input, good and bad."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from her.cli.parse import parse
from her.errors import InputError, TagError

TEXT = "<system_thinking>P</system_thinking>Mara: <role_thinking>T</ROLE_THINKING><role_action>A</role_action>S 3 < 5"


def run(*arguments: str, text: str | bytes | None = None) -> Result:
    app = typer.Typer()
    app.command()(parse)
    return CliRunner().invoke(app, list(arguments), input=text)


@pytest.mark.parametrize("chunk", [[], ["--chunk", "1"], ["--chunk", "5"]], ids=str)
@pytest.mark.parametrize(
    ("viewer", "lines"),
    [
        (["other"], ["action: A", "speech: S 3 < 5"]),
        (["self"], ["thought: T", "action: A", "speech: S 3 < 5"]),
        (["reader"], ["action: A", "speech: S 3 < 5"]),
        (["reader", "--role"], ["thought: T", "action: A", "speech: S 3 < 5"]),
        (["reader", "--think"], ["system_thinking: P", "action: A", "speech: S 3 < 5"]),
    ],
    ids=str,
)
def test_each_viewer_is_shown_its_view(viewer: list[str], lines: list[str], chunk: list[str], tmp_path: Path) -> None:
    file = tmp_path / "turn.txt"
    file.write_text(TEXT, encoding="utf-8")
    result = run(str(file), "--viewer", *viewer, *chunk)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == lines
    assert "repaired: spelling at character 58" in result.stderr


def test_json_from_standard_input() -> None:
    shown = json.loads(run("--viewer", "other", "--json", text="Mara: Hello.</think>Hi.").stdout)
    assert shown["speaker"] == "Mara"
    assert shown["parts"] == [{"kind": "speech", "text": "Hi."}]
    assert [r["kind"] for r in shown["repairs"]] == ["alias", "orphan_close"]


def test_strict_says_where_and_what_was_expected() -> None:
    result = run("--strict", text=TEXT)
    assert isinstance(result.exception, TagError)
    assert "expected the tag spelt exactly" in str(result.exception)
    assert result.exception.position == 58
    assert run("--strict", text=TEXT.replace("ROLE_THINKING", "role_thinking")).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        ([], b"", "empty"),
        ([], b"a\0b", "binary"),
        ([], b"\xff\xfe\xfa", "UTF-8"),
        (["no-such-file"], None, "no such file"),
        (["--viewer", "other", "--think"], b"Mara: x", "reader's"),
        (["--speaker", "a:b"], b"Mara: x", "not a name"),
    ],
)
def test_bad_input_is_a_clear_error(arguments: list[str], text: bytes | None, message: str) -> None:
    result = run(*arguments, text=text)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
