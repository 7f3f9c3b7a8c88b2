"""`her data`: import, build, export, and what each of them says when it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from her.cli.data import app
from her.data.register import Register
from her.errors import InputError, StoreError
from her.schema import SFTSample
from her.store import read_jsonl, sha256_file

ROOT = Path(__file__).parents[2]
SYSTEM = "You are Anna from The Mill.\n===Anna's Profile===\nA miller.\n===Current Scenario===\nA mill."


def chats(path: Path, number: int) -> Path:
    rows = [
        {
            "id": f"c{k}",
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"===Conversation Start===\n\nPaul: Wheel {k}?"},
                {"role": "assistant", "content": f"<system_thinking>Dry.</system_thinking>Anna: Cracked, {k} times."},
            ],
        }
        for k in range(number)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False, env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return done.output


def test_the_three_commands_in_a_row(tmp_path: Path) -> None:
    source = chats(tmp_path / "chats.jsonl", 20)
    with source.open("a") as file:
        file.write("{oops\n")
    said = run("import", "messages", source, "--out", tmp_path / "d.jsonl", "--licence", "CC0-1.0")
    assert "20 dialogues" in said
    assert "refused      1 not_json" in said
    assert "licence: CC0-1.0" in said
    hold = tmp_path / "held.json"
    hold.write_text(json.dumps([{"book": "Mill, The", "dialogues": []}]))
    out = tmp_path / "build"
    share = ("--purposes", "sft=0.8,test=0.2", "--by", "conversation", "--flags", "keep", "--seed", "3")
    said = run("build", tmp_path / "d.jsonl", "--out", out, *share)
    assert "sft.jsonl" in said
    assert "held out: nothing" in said
    samples = read_jsonl(out / "sft.jsonl", SFTSample)
    assert {s.target[:17] for s in samples} == {"<system_thinking>"}
    plain = tmp_path / "plain"
    run("build", tmp_path / "d.jsonl", "--out", plain, *share, "--no-system-thinking")
    assert all(s.target.startswith("Anna: ") for s in read_jsonl(plain / "sft.jsonl", SFTSample))
    with pytest.raises(InputError, match="nothing is left to build from \\(title 20\\)"):
        run("build", tmp_path / "d.jsonl", "--out", tmp_path / "none", "--hold-out", hold)
    said = run("export", out)
    assert "sft.jsonl" in said
    assert (out / "messages" / "README.md").is_file()
    run("export", out, "--format", "her", "--out", tmp_path / "her")
    assert (tmp_path / "her" / "HER_dataset_sft_single_turn.jsonl").is_file()


def test_what_is_held_out_is_printed(tmp_path: Path) -> None:
    source = chats(tmp_path / "chats.jsonl", 3)
    row = json.loads(source.read_text().splitlines()[0])
    row["messages"][0]["content"] = SYSTEM.replace("The Mill", "The Tower")
    row["messages"][1]["content"] = "Paul: " + " ".join(f"stair{i}" for i in range(40))
    (tmp_path / "tower.jsonl").write_text(json.dumps({**row, "id": "tower"}) + "\n")
    for name in ("chats", "tower"):
        run("import", "messages", tmp_path / f"{name}.jsonl", "--out", tmp_path / f"{name}.d.jsonl")
    said = run("build", tmp_path / "chats.d.jsonl", tmp_path / "tower.d.jsonl", "--out", tmp_path / "b",
               "--purposes", "sft=1", "--flags", "keep", "--hold-out", tmp_path / "tower.d.jsonl")  # fmt: skip
    assert "The Tower" in said
    assert "held out: title 1" in said
    assert "by tower.d.jsonl: 1 titles, 1 scenes" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import", "messages", "{f}/none.jsonl", "--out", "{f}/d.jsonl"), "no such file"),
        (("import", "messages", "{f}/c.jsonl", "--out", "{f}/d.txt"), r"must be a \.jsonl"),
        (("build", "{f}/c.jsonl", "--out", "{f}/b"), r"c\.jsonl:1: not a Dialogue"),
        (("build", "{f}/c.jsonl", "--out", "{f}/b", "--max-tokens", "9"), "go together"),
        (("build", "{f}/c.jsonl", "--out", "{f}/b", "--top-gain", "150%"), "not a share"),
        (("build", "{f}/c.jsonl", "--out", "{f}/b", "--top-gain", "half"), "not a share"),
        (("build", "{f}/c.jsonl", "--out", "{f}/b", "--purposes", "sft=2"), "add up to 1"),
        (("build", "{f}/c.jsonl", "--out", "{f}/b", "--hold-out", "{f}/c.jsonl"), "unknown_format"),
        (("export", "{f}"), "is no build"),
    ],
)
def test_each_error_says_what_and_where_and_writes_nothing(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    chats(tmp_path / "c.jsonl", 2)
    with pytest.raises(InputError, match=says) as caught:
        run(*(w.format(f=tmp_path) for w in words))
    assert caught.value.exit_code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["c.jsonl"]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    chats(tmp_path / "c.jsonl", 2)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write"):
        run("import", "messages", tmp_path / "c.jsonl", "--out", tmp_path / "file" / "d.jsonl")
    with pytest.raises(InputError, match="is a folder"):
        run("build", tmp_path, "--out", tmp_path / "b")

    def overfill() -> None:
        with Register(tmp_path / "x" / "m.json") as register:
            register.db.execute("PRAGMA max_page_count = 8")
            for number in range(10_000):
                register.claim(f"a rather long id {number}")

    with pytest.raises(StoreError, match="disk is full"):
        overfill()
    assert not list((tmp_path / "x").iterdir())


def test_memory_does_not_grow_with_the_data() -> None:
    """The small form of `python -m bench.memory`, in a process of its own: a list of everything would grow by tens of
    MiB between two marks."""
    code = (
        "import tempfile; from pathlib import Path; from bench.memory import measure\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    watch = measure(1200, folder=Path(folder), step=200, shown=False)\n"
        "print(watch.growth_kib(warm_up=3), len(watch.marks))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    growth, marks = done.stdout.split()
    assert int(marks) == 12
    assert int(growth) < 512


def test_a_killed_build_leaves_nothing_that_matters(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from bench.memory import make\n"
        "from her.data.account import BuildConfig; from her.data.build import build\n"
        "from her.store import write_jsonl\n"
        "folder, deadly = Path(sys.argv[1]), int(sys.argv[2])\n"
        "write_jsonl(folder / 'd.jsonl', (make(k, 1) for k in range(60)))\n"
        "def watch(done, total, note):\n"
        "    if deadly and total and done == deadly: os.kill(os.getpid(), signal.SIGKILL)\n"
        "build([folder / 'd.jsonl'], out=folder / 'b', config=BuildConfig(), progress=watch)\n"
    )

    def go(name: str, deadly: int) -> int:
        (tmp_path / name).mkdir(exist_ok=True)
        words = [sys.executable, "-c", code, str(tmp_path / name), str(deadly)]
        return subprocess.run(words, check=False, cwd=ROOT).returncode

    assert go("whole", 0) == 0
    assert go("killed", 40) == -9
    left = [p.name for p in (tmp_path / "killed" / "b").iterdir()]
    assert left
    assert all(name.startswith(".") for name in left)
    assert go("killed", 0) == 0
    assert sha256_file(tmp_path / "killed") == sha256_file(tmp_path / "whole")
