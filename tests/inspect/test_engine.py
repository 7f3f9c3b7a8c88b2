"""The engine: an exam through Inspect AI gives what the pure functions give, goes on, and fails honestly.

In a folder, and so in a process, of its own: Inspect replaces `asyncio.run` for whoever shares the process with it.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="Inspect AI is not installed; pip install 'her[evals]'")

sys.path.insert(0, str(Path(__file__).parent.parent / "unit"))

from exam_cases import Answering, mini, settled
from test_evals_bench_hitom import answering, tagged
from toy_benchmark import TOY
from typer.testing import CliRunner

from her.cli.commands import app
from her.errors import BudgetError, DeadLetterError, EndpointError
from her.evals.benchmarks import Cast
from her.evals.benchmarks.hitom import HITOM
from her.evals.benchmarks.run import read_run
from her.evals.benchmarks.sitting import sit
from her.evals.inspect.engine import Held, hold
from her.llm import Ledger, LedgerModel, Reply, Request, ScriptedModel

# Inspect and what it needs are not ours to keep warning-free.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "default::DeprecationWarning")


def engine(bench: Any, exam: Any, player: Any, log: Path, **changes: Any) -> Held:
    judges = changes.pop("judges", ())
    parts = changes.pop("parts", {})
    plays = changes.pop("plays", None)
    settings = settled(bench, **changes)
    cast = Cast(player=player, **parts)
    return asyncio.run(hold(bench, exam, settings, cast=cast, judges=judges, plays=plays, log=log, connections=4))


def test_the_engine_gives_what_the_pure_functions_give(tmp_path: Path) -> None:
    exam = mini(HITOM).limited(10, seed=0, whole_clusters=True)
    player = answering(lambda i: tagged(i.gold) if i.order % 2 else "hm")
    pure = asyncio.run(sit(HITOM, exam, Cast(player=player), settled(HITOM, repeats=2)))
    held = engine(HITOM, exam, player, tmp_path / "log", repeats=2)
    assert held.scores == pure
    assert [(p.item_id, p.repeat) for p in held.plays] == [(s.item_id, s.repeat) for s in pure]
    assert len(list((tmp_path / "log").glob("*.eval"))) == 1


def test_a_judged_exam_is_played_once_and_judged_many(tmp_path: Path) -> None:
    exam = TOY.load(Path("-"), settled(TOY))
    player = ScriptedModel(["Mara: <role_thinking>I counted eight.</role_thinking>Nine."])
    user = ScriptedModel(["Go on."])
    first = engine(TOY, exam, player, tmp_path / "play", parts={"user": user})
    assert (len(first.plays), first.judged, first.scores) == (6, (), ())
    plays = {(p.item_id, p.repeat): p for p in first.plays}
    asked = len(player.requests)
    for mark in (2, 5):
        judges = [ScriptedModel([str(mark)], name=f"scripted:{n}") for n in ("one", "two")]
        held = engine(TOY, exam, judges[0], tmp_path / "judge", judges=judges, plays=plays, parts={"user": user})
        assert [m.value for s in held.scores for m in s.marks if m.kind == "scored"] == [float(mark)] * 18
        assert [j.judge for j in held.judged] == ["scripted:one", "scripted:two"] * 6
    assert len(player.requests) == asked


class Breaking(ScriptedModel):
    """Raises on one call."""

    def __init__(self, error: Exception, *, at: int) -> None:
        super().__init__(["A"])
        self._error, self._at = error, at

    async def reply(self, request: Request) -> Reply:
        reply = await super().reply(request)
        if len(self.requests) == self._at:
            raise self._error
        return reply


@pytest.mark.parametrize("error", [EndpointError("it is down", 503), BudgetError("the budget is spent")])
def test_a_fatal_error_rises_as_itself_and_the_ledger_keeps_what_was_paid(tmp_path: Path, error: Exception) -> None:
    exam = mini(HITOM).limited(10, seed=0, whole_clusters=True)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        broken = Breaking(error, at=7)
        with pytest.raises(type(error), match=str(error)):
            engine(HITOM, exam, LedgerModel(broken, ledger, stage="play"), tmp_path / "log")
        paid = ledger.tally("play").calls
        assert 0 < paid < 10
        mended = ScriptedModel(["A"])
        held = engine(HITOM, exam, LedgerModel(mended, ledger, stage="play"), tmp_path / "log")
        assert len(held.scores) == 10
        assert len(mended.requests) == 10 - paid


def test_a_dead_letter_is_an_unscored_item(tmp_path: Path) -> None:
    exam = mini(HITOM).limited(10, seed=0, whole_clusters=True)
    broken = Breaking(DeadLetterError("given up", reason="refused", attempts=1), at=3)
    held = engine(HITOM, exam, broken, tmp_path / "log")
    assert [m.reason for s in held.scores for m in s.marks if m.kind == "unscored"] == ["lost:dead_letter:refused"]


def test_a_request_reaches_our_model_whole(tmp_path: Path) -> None:
    exam = mini(HITOM).limited(5, seed=0, whole_clusters=True)
    direct, through = Answering(lambda _: "A"), Answering(lambda _: "A")
    asyncio.run(sit(HITOM, exam, Cast(player=direct), settled(HITOM)))
    engine(HITOM, exam, through, tmp_path / "log")
    order = {r.model_dump_json() for r in direct.requests}
    assert {r.model_dump_json() for r in through.requests} == order


def test_the_command_holds_an_exam_and_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": "<answer>A</answer>"}))
    root = tmp_path / "run"
    words = ["eval", "hitom", "--model", f"scripted:{script}", "--out", str(root), "--limit", "10"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    run = read_run(root)
    assert (run.summary.items, run.summary.unscored, len(run.plays)) == (10, 0, 10)
    assert "sha256" in done.output
    assert "CC0-1.0" in done.output
    before = {p: p.read_bytes() for p in root.rglob("*.json*") if p.name != "clock.json" and "attempts" not in p.name}
    (root / "play" / "manifest.json").unlink()  # as if it had been killed before its last file
    (root / "score" / "manifest.json").unlink()
    assert CliRunner().invoke(app, words).exit_code == 0
    after = {p: p.read_bytes() for p in before if p.name != "key.json"}
    assert after == {p: b for p, b in before.items() if p.name != "key.json"}
    with Ledger(root / "ledger.sqlite") as ledger:
        assert ledger.tally("play").calls == 10


def test_wrong_options_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": "A"}))
    for words in (["--judge", "a:b"], ["--set", "prompting=loud"], ["--profile", "x"], ["--part", "user=a:b"]):
        root = tmp_path / "run"
        done = CliRunner().invoke(app, ["eval", "hitom", "--model", f"scripted:{script}", "--out", str(root), *words])
        assert done.exit_code != 0
        assert not root.exists()


@pytest.mark.timeout(240)
def test_inspect_finds_the_benchmarks_and_our_models(tmp_path: Path) -> None:
    entries = subprocess.run(
        [sys.executable, "-c", "from importlib.metadata import entry_points as e; print(*e(group='inspect_ai'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    if "her.evals.inspect" not in entries.stdout:
        pytest.skip("this installation has no entry point for Inspect yet; install the package again")
    (tmp_path / "script.jsonl").write_text(json.dumps({"text": "<answer>A</answer>"}))
    log = str(tmp_path / "log")
    for model in (["mockllm/model"], ["her/scripted:script.jsonl", "-M", "ledger=ledger.sqlite"]):
        command = ["eval", "her/hitom", "--model", *model, "--log-dir", log, "--display", "plain", "-T", "limit=5"]
        run = subprocess.run(
            [sys.executable, "-m", "inspect_ai._cli.main", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "INSPECT_LOG_FORMAT": "json"},
        )
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    logs = [json.loads(p.read_text()) for p in sorted((tmp_path / "log").glob("*.json"))]
    assert [found["status"] for found in logs] == ["success", "success"]
    reductions = [found["samples"][0]["scores"]["score_scorer"] for found in logs]
    assert {str(s["value"]).lower() for s in reductions} <= {"0.0", "1.0", "nan", "0", "1", "none"}
