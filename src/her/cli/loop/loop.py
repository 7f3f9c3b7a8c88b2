"""Loop: what every stage of a run is handed, and the one way in which a stage is done."""

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from her.cli.loop.board import Board
from her.cli.recipe import Recipe
from her.llm.ledger import Ledger
from her.schema import Record, RLPrompt
from her.stage import Finished, Outcome, Progress, RunFolder, stage_key
from her.store import read_jsonl

Work = Callable[[Path, Progress], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A run under way."""

    run: RunFolder
    recipe: Recipe
    ledger: Ledger
    board: Board

    def do(
        self,
        stage: str,
        what: str,
        work: Work,
        *,
        inputs: Mapping[str, Path],
        settings: Record,
        rooms: tuple[str, ...],
        models: Mapping[str, str],
    ) -> Finished:
        """Do a stage unless it is done, with progress and a closing line. `rooms` says whose code it depends on."""
        key = stage_key(stage, inputs=inputs, settings=settings, rooms=rooms, models=models)
        with self.board.stage(stage, what) as progress:
            done = self.run.run(key, lambda folder: work(folder, progress))
        self.board.finished(done)
        return done

    def chat_command(self) -> str:
        """How to talk to what was trained, as a character of its own samples."""
        prompts = read_jsonl(self.run.root / "data" / "rl.jsonl", RLPrompt)
        name = next(p.character for p in prompts if p.split == "train")
        # Typed from where it was started, where `her` itself is not on the path.
        her = sys.argv[0] if shutil.which("her") is None and Path(sys.argv[0]).name == "her" else "her"
        return f"{her} chat --model run:{self.run.root} --character {shlex.quote(name)}"
