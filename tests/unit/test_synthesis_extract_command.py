"""`her synth` as a command: killed and resumed to the same bytes, shelves, plans, budgets; and its group."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from her.cli.commands import app
from her.errors import BudgetError, InputError
from her.llm import Request
from her.schema import Book, Dialogue, Message, Plot
from her.store import read_jsonl
from her.synthesis import SynthConfig, SynthReport, book_of
from her.synthesis.rehearsal import Rehearsal, readings

TALK = (
    "“Is the boat ready?” said Ann. “The tide turns at noon.”\n\n“It was ready at dawn,” said Joanne.\n\n"
    "“Then we sail,” said Ann.\n\n“We sail when the captain is sober,” said Joanne.\n\n"
)


def novel(name: str, chapters: int) -> str:
    story = "".join(
        f"Chapter {n}\n\nThe harbour of {name} lay grey and still on day {n}, and gulls walked about. "
        f"{'It rained. ' * 20}\n\n{TALK.replace('noon', f'{n} bells')}"
        for n in range(1, chapters + 1)
    )
    return f"{name}\n\n{story}"


class Upstream:
    """An endpoint on the loopback that answers as a rehearsal does, the same to the same request, after a moment."""

    def __init__(self, *texts: str) -> None:
        said = {shown: text for t in texts for shown, text in readings(book_of(t, stem="x"), SynthConfig())}
        self.model = Rehearsal(said)
        self.served = 0
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
                request = Request(
                    messages=tuple(Message.model_validate(m) for m in body["messages"]),
                    max_tokens=body["max_tokens"],
                    temperature=body["temperature"],
                    json_schema=json.dumps(schema) if schema else None,
                )
                reply = asyncio.run(upstream.model.reply(request))
                assert reply.usage is not None
                choice = {"message": {"role": "assistant", "content": reply.text or "."}, "finish_reason": "stop"}
                answer = json.dumps({"choices": [choice], "usage": reply.usage.model_dump()}).encode()
                time.sleep(0.02)
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                upstream.served += 1

            def log_message(self, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"openai:m@http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


BOATS, SHIPS = novel("Boats", 3), novel("Ships", 2)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    up = Upstream(BOATS, SHIPS)
    yield up
    up.close()


def made(folder: Path) -> dict[str, bytes]:
    """Everything a stage made; what it was made from stands in files of its own."""
    about = ("clock.json", "key.json", "manifest.json")
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name not in about}


def invoke(*args: str | Path) -> str:
    done = CliRunner().invoke(app, ["synth", *map(str, args), "--no-gain"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_killed_thrice_and_resumed_it_makes_the_same_bytes(tmp_path: Path, upstream: Upstream) -> None:
    source = tmp_path / "boats.txt"
    source.write_text(BOATS, encoding="utf-8")
    invoke(source, "--teacher", upstream.name, "--out", tmp_path / "whole")
    whole, asked = made(tmp_path / "whole" / "synth"), upstream.served
    command = [
        sys.executable,
        "-c",
        "from her.cli import main; main()",
        "synth",
        str(source),
        "--teacher",
        upstream.name,
        "--out",
        str(tmp_path / "cut"),
        "--no-gain",
    ]
    for _ in range(3):
        enough = upstream.served + asked // 5
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while upstream.served < enough and running.poll() is None:
            time.sleep(0.005)
        assert running.poll() is None, "it finished before it was killed"
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert not (tmp_path / "cut" / "synth" / "manifest.json").exists()
    invoke(source, "--teacher", upstream.name, "--out", tmp_path / "cut")
    assert made(tmp_path / "cut" / "synth") == whole
    # What was in flight at a kill is asked again, and nothing else.
    assert upstream.served <= 2 * asked + 3 * 4
    served = upstream.served
    assert "kept from before" in invoke(source, "--teacher", upstream.name, "--out", tmp_path / "cut")
    assert upstream.served == served


def test_spans_can_be_looked_up_in_what_was_written(tmp_path: Path, upstream: Upstream) -> None:
    source = tmp_path / "boats.txt"
    source.write_text(BOATS, encoding="utf-8")
    invoke(source, "--teacher", upstream.name, "--out", tmp_path / "run")
    folder = tmp_path / "run" / "synth"
    (book,) = read_jsonl(folder / "books.jsonl", Book)
    dialogues = read_jsonl(folder / "dialogues.jsonl", Dialogue)
    plots = {p.id: p for p in read_jsonl(folder / "plots.jsonl", Plot)}
    assert book.text == BOATS
    assert len(dialogues) == len(plots) == 3
    for dialogue in dialogues:
        assert dialogue.scene.plot_id in plots
        spoken = [p for t in dialogue.turns for p in t.parts if p.kind == "speech" and p.span is not None]
        assert spoken
        for part in spoken:
            assert part.span is not None
            assert book.read(part.span).rstrip(",") == part.text.rstrip(".") or book.read(part.span) == part.text


def test_a_shelf_is_worked_book_by_book_and_loses_only_what_is_bad(tmp_path: Path, upstream: Upstream) -> None:
    shelf = tmp_path / "shelf.jsonl"
    silent = "Chapter 1\n\n“Hello there,” somebody said.\n\n“Hello again,” somebody said.\n"
    lines = [
        {"text": BOATS, "title": "Boats"},
        {"text": 1},
        {"text": silent, "id": "silent"},
        {"text": SHIPS, "id": "ships"},
    ]
    shelf.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    root = tmp_path / "run"
    told = invoke(shelf, "--teacher", upstream.name, "--out", root)
    assert "source.bad_line" in told
    folder = root / "synth"
    assert [b.id for b in read_jsonl(folder / "books.jsonl", Book)] == ["boats", "ships"]
    assert [d.scene.book_id for d in read_jsonl(folder / "dialogues.jsonl", Dialogue)] == ["boats"] * 3 + ["ships"] * 2
    report = SynthReport.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))
    assert report.rejected["source.bad_line"] == report.rejected["source.nothing_found"] == 1
    assert (report.scenes, report.chapters) == (5, 5)
    assert report.turns == sum(len(d.turns) for d in read_jsonl(folder / "dialogues.jsonl", Dialogue))
    # A book is resumed by itself: with the last one's work gone, only that one is done again, and from the ledger.
    before, served = made(folder), upstream.served
    (folder / "manifest.json").unlink()
    (root / "books" / "ships" / "manifest.json").unlink()
    stamp = (root / "books" / "boats" / "manifest.json").stat().st_mtime_ns
    invoke(shelf, "--teacher", upstream.name, "--out", root)
    assert made(folder) == before
    assert upstream.served == served
    assert (root / "books" / "boats" / "manifest.json").stat().st_mtime_ns == stamp


def test_a_plan_spends_nothing_and_leaves_nothing(tmp_path: Path, upstream: Upstream) -> None:
    source = tmp_path / "boats.txt"
    source.write_text(BOATS, encoding="utf-8")
    told = invoke(source, "--plan", "--teacher", "openai:gpt-4.1@https://api.openai.com/v1", "--out", tmp_path / "run")
    assert "chapters 3  chunks 3  scenes 3  turns 12" in told
    assert "reading" in told
    assert "$" in told
    assert "estimate" in told
    assert "price not known" in invoke("--plan", source, "--teacher", upstream.name)
    assert upstream.served == 0
    assert not (tmp_path / "run").exists()


def test_a_budget_for_a_model_of_unknown_price_stops_before_it_spends(tmp_path: Path, upstream: Upstream) -> None:
    source = tmp_path / "boats.txt"
    source.write_text(BOATS, encoding="utf-8")
    with pytest.raises(BudgetError):
        invoke(source, "--budget-usd", "1", "--teacher", upstream.name, "--out", tmp_path / "run")
    assert upstream.served == 0


def test_the_group_takes_a_source_or_a_command(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        Path("check").write_text(BOATS, encoding="utf-8")
        Path("<source>").write_text(BOATS, encoding="utf-8")
        assert "chapters 3" in invoke("--plan", "check")
        assert "chapters 3" in invoke("./check", "--plan")
        assert "chapters 3" in invoke("<source>", "--plan")
        done = CliRunner().invoke(app, ["synth", "check"])
        assert isinstance(done.exception, InputError)
        assert "--bench" in str(done.exception)
        with pytest.raises(InputError, match="no such file: nothing"):
            invoke("nothing.txt")
    assert "SOURCE" in invoke("--help").upper()
