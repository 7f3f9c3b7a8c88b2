"""Memory and speed of `her data build` on dialogues made from a seed: python -m bench.memory [--dialogues 100000]

Prints resident memory at every 10,000 dialogues of both passes, the largest growth between two of them after warm-up,
and dialogues a second. The build holds out a file, keeps an exam and drops what is near it, so every index is in use.
"""

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from her.data.account import BuildConfig
from her.data.build import build
from her.data.purposes import Shares
from her.schema import Character, Dialogue, Part, Scene, Turn
from her.store import Together, write_jsonl

NAMES = ("Ada", "Boris", "Clara", "Dmitri")
BOOKS = 500
LIMIT_KIB = 1024


def make(number: int, seed: int) -> Dialogue:
    """One dialogue of 4 to 8 turns; number and seed say everything about it."""
    rng = random.Random(f"{seed}:{number}")

    def words(low: int, high: int) -> str:
        return " ".join(
            "".join(rng.choices("abcdefghiklmnoprstuw", k=rng.randint(2, 8))) for _ in range(rng.randint(low, high))
        )

    cast = tuple(
        Character(name=n, profile=words(8, 20), background=words(5, 15), motivation=words(5, 10)) for n in NAMES
    )
    turns = tuple(
        Turn(
            id=f"t{i:03d}",
            speaker=rng.choice(NAMES),
            system_thinking=words(15, 40),
            parts=(
                Part(kind="thought", text=words(5, 15)),
                Part(kind="action", text=words(2, 6)),
                Part(kind="speech", text=words(5, 30)),
            ),
        )
        for i in range(rng.randint(4, 8))
    )
    scene = Scene(
        id=f"d{number}", book_id=f"book {number % BOOKS} {seed}", chapter=None, scenario=words(20, 40), characters=cast
    )
    return Dialogue(id=f"d{number}", scene=scene, turns=turns, provenance="teacher")


@dataclass(slots=True, kw_only=True)
class Watch:
    """Resident memory every so many dialogues."""

    step: int
    shown: bool = True
    marks: list[tuple[str, int, int]] = field(default_factory=list)
    """Pass, dialogues done, KiB."""

    def __call__(self, done: int, total: int, note: str) -> None:
        if done % self.step == 0:
            self.marks.append((note.split(" ")[0], done, resident_kib()))
            if self.shown:
                print(f"{note.split(' ')[0]:9s} {done:8d} {self.marks[-1][2] / 1024:9.2f} MiB", flush=True)

    def growth_kib(self, warm_up: int) -> int:
        """Largest growth between two marks of one pass, after the first `warm_up` marks of it."""
        found = [0]
        for name in dict.fromkeys(mark[0] for mark in self.marks):
            sizes = [kib for n, _, kib in self.marks if n == name][warm_up:]
            found += [b - a for a, b in pairwise(sizes)]
        return max(found)


def resident_kib() -> int:
    """What the process holds now; not its peak."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def measure(dialogues: int, *, folder: Path, seed: int = 7, step: int = 10_000, shown: bool = True) -> Watch:
    """Build `dialogues` in `folder` and watch."""
    source, test = folder / "dialogues.jsonl", folder / "test.jsonl"
    with Together() as files:
        file = files.open(source)
        for number in range(dialogues):
            file.write(make(number, seed))
    write_jsonl(test, (make(number, seed + 1) for number in range(200)))
    watch = Watch(step=step, shown=shown)
    shares = Shares(sft=0.33, judge_sft=0.2, judge_rl=0.1, policy_rl=0.17, valid=0.1, test=0.1)
    start = time.perf_counter()
    built = build([source], out=folder / "build", config=BuildConfig(shares=shares), hold_outs=[test], progress=watch)
    seconds = time.perf_counter() - start
    if shown:
        kept = sum(count.kept for count in built.files.values())
        print(
            f"{dialogues} dialogues, {kept} samples and prompts in {seconds:.0f} s: "
            f"{dialogues / seconds:.0f} dialogues/s"
        )
    return watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        watch = measure(asked.dialogues, folder=Path(folder), seed=asked.seed)
    growth = watch.growth_kib(warm_up=1)
    print(f"largest growth per 10,000 after warm-up: {growth} KiB (limit {LIMIT_KIB})")
    sys.exit(growth >= LIMIT_KIB)


if __name__ == "__main__":
    main()
