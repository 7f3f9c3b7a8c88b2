"""kill -9 in every stage of the loop: the run ends with the files and figures of one that was not killed.

python -m bench.stages
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
STAGES = ("synth", "sft", "judge", "policy", "exam")
"""Those that take time; `data` takes none."""
BEGUN_S = 4
"""A stage is killed so long after it began."""


def command(out: Path) -> list[str]:
    """The smallest recipe, from here."""
    return [
        sys.executable,
        "-c",
        "from her.cli import main; main()",
        "run",
        str(ROOT / "recipes" / "smoke.toml"),
        "--out",
        str(out),
    ]


def whole(out: Path) -> None:
    """Run to the end, or say why not."""
    done = subprocess.run(command(out), capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def killed(out: Path, stage: str) -> bool:
    """Go on with a run and kill it in a stage. Was the stage still unfinished?"""
    child = subprocess.Popen(
        command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, start_new_session=True
    )
    try:
        while not (out / stage / "key.json").exists():
            if child.poll() is not None:
                raise SystemExit(f"the run ended before {stage}; run it by hand: {' '.join(command(out))}")
            time.sleep(0.05)
        time.sleep(BEGUN_S)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return not (out / stage / "manifest.json").exists()


def figures(out: Path) -> Any:
    """A report without what a clock or the run's place says."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if k not in {"about", "seconds", "resumed"}}
        return [timeless(v) for v in value] if isinstance(value, list) else value

    return timeless(json.loads((out / "report.json").read_text(encoding="utf-8")))


def main() -> None:
    """Run twice, once in peace; exit code 1 where a manifest or a figure differs or a kill came too late."""
    with tempfile.TemporaryDirectory() as folder:
        peace, war = Path(folder) / "peace", Path(folder) / "war"
        whole(peace)
        late = [stage for stage in STAGES if not killed(war, stage)]
        whole(war)
        same = {
            s: (peace / s / "manifest.json").read_bytes() == (war / s / "manifest.json").read_bytes() for s in STAGES
        }
        alike = figures(peace) == figures(war)
    table = Table("stage", "killed at work", "same manifest")
    for stage in STAGES:
        table.add_row(stage, "no" if stage in late else "yes", "yes" if same[stage] else "no")
    console = Console()
    console.print(table)
    console.print(f"figures of the report: {'the same' if alike else 'different'}")
    raise SystemExit(0 if alike and all(same.values()) and not late else 1)


if __name__ == "__main__":
    main()
