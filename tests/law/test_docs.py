"""Law: documents name only what exists: files, tests, commands, options; and no machine of their author."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "her"
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
MAPPED = [ROOT / "README.md", ROOT / "docs" / "paper.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]

_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_ROOTED = re.compile(r"(?:src|tests|docs|recipes)/[\w./-]*")
_IN_PACKAGE = re.compile(r"[a-z][a-z_]*(?:/[\w-]+)*/[\w-]+\.(?:py|txt|toml)")
"""Not JSON: `model/her.json` is a run's file."""
_FENCE = re.compile(r"^```(sh|bash|console|)[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MACHINE = re.compile(r"(?<![\w.:/-])/(?:work|home|root|tmp|mnt|Users)/")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def missing(text: str) -> Iterator[str]:
    """Paths in backticks that are not there; `FILE::TEST` also names a function."""
    for span in _SPAN.findall(_FENCE.sub("", text)):
        path, _, test = span.partition("::")
        rooted = _ROOTED.fullmatch(path)
        if not rooted and not _IN_PACKAGE.fullmatch(path):
            continue
        place = ROOT / path if rooted else SOURCE / path
        if not place.exists() or (test and test not in functions(place)):
            yield span


def functions(path: Path) -> set[str]:
    return {n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)}


def commands(text: str) -> Iterator[list[str]]:
    """Every `her ...` line of the shell blocks, as words, up to a pipe or redirection."""
    for _, block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            if line.startswith("her "):
                words = shlex.split(line, comments=True)[1:]
                end = next((i for i, w in enumerate(words) if w in {"|", "&&", ";", "&"} or w[:1] == ">"), len(words))
                yield words[:end]


def refused(words: list[str], app: Any) -> str | None:
    """What of a command line the program would not know: a subcommand or an option."""
    words = list(words)
    while hasattr(app, "commands") and words and not words[0].startswith("-"):
        default = getattr(app, "default", None)  # such a group takes what is none of its commands for an argument
        if words[0] not in app.commands and default is None:
            return words[0]
        app = app.commands[words.pop(0) if words[0] in app.commands else default]
    known = {o for p in app.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    return next((w for w in words if re.match(r"--?[A-Za-z]", w) and w.split("=")[0] not in known), None)


@pytest.mark.parametrize("path", MAPPED, ids=name)
def test_paths_exist(path: Path) -> None:
    assert not list(missing(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_commands_are_real(path: Path) -> None:
    import typer

    from her.cli.commands import app

    program = typer.main.get_command(app)
    wrong = {shlex.join(w): bad for w in commands(path.read_text(encoding="utf-8")) if (bad := refused(w, program))}
    assert not wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_no_document_knows_its_author_s_machine(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [f"{n}: {line}" for n, line in enumerate(lines, start=1) if _MACHINE.search(line)]


def test_the_checks_find_what_is_wrong() -> None:
    import typer

    from her.cli.commands import app

    assert list(missing("`schema/turn.py` `schema/none.py` `tests/law/test_docs.py::no_such` `model/her.json`")) == [
        "schema/none.py",
        "tests/law/test_docs.py::no_such",
    ]
    program = typer.main.get_command(app)
    text = "```sh\nher run --out x | cat\nher run --nonsense  # no\nher fly\nher reward bench --judge pmi:a\n```\n"
    assert [refused(w, program) for w in commands(text)] == [None, "--nonsense", "fly", None]
    assert _MACHINE.search("see /home/me/x")
    assert not _MACHINE.search("http://host/home/x")
