"""Board: a run's progress for people, one line a stage.

On a terminal the line is live; anywhere else each stage prints when it starts and when it ends, so that logs stay
short. Notes are counts and names of steps; nothing that a character thinks is ever printed.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from her.stage import Finished
from her.stage import Progress as Report


class Pace:
    """How fast items come of late, what was spent, and how long the rest may take."""

    WINDOW_S = 120.0
    """What came before is forgotten: what a resumed run finds in its ledger comes faster than what it pays for."""

    def __init__(self, spent: Callable[[], float | None] | None = None) -> None:
        self._spent = spent
        self._seen: deque[tuple[float, int]] = deque()

    def text(self, done: int, total: int, *, now: float) -> str:
        """`0.4/s  $1.20  9 min left`, as far as it can be told."""
        self._seen.append((now, done))
        while now - self._seen[0][0] > self.WINDOW_S and len(self._seen) > 2:
            self._seen.popleft()
        then, before = self._seen[0]
        rate = (done - before) / (now - then) if now - then > 1 else 0.0
        pieces = [f"{rate:.2g}/s"] if rate > 0 else []
        if self._spent is not None:
            usd = self._spent()
            pieces.append("cost not known" if usd is None else f"${usd:.2f}" if usd else "")
        if rate > 0 and total > done:
            left_s = (total - done) / rate
            pieces.append(f"{left_s / 60:.0f} min left" if left_s > 90 else f"{left_s:.0f} s left")
        return "  ".join(p for p in pieces if p)


class Board:
    """Prints stages. `console` is where; `spent` says what a stage has cost so far, in USD, None where nobody knows."""

    def __init__(self, console: Console, *, spent: Callable[[str], float | None] | None = None) -> None:
        self.console = console
        self.spent = spent

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    @contextmanager
    def stage(self, name: str, what: str) -> Iterator[Report]:
        """The progress of one stage."""
        spent = self.spent
        pace = Pace(None if spent is None else lambda: spent(name))
        if not self.console.is_terminal:
            self.say(f"{name}: {what} ...")
            last = time.monotonic()

            def plain(done: int, total: int, note: str) -> None:
                nonlocal last
                now = time.monotonic()
                if now - last > 30:
                    last = now
                    self.say(f"{name}: {done}/{total} {pace.text(done, total, now=now)}  {note}")

            yield plain
            return
        columns = (
            TextColumn("[bold]{task.description:<8}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[pace]}", markup=False),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(name, total=None, note=what, pace="")
            told_s, told = 0.0, ""

            def live(done: int, total: int, note: str) -> None:
                nonlocal told_s, told
                now = time.monotonic()
                if now - told_s > 1:  # asking the ledger for sums at every item would slow the items down
                    told_s, told = now, pace.text(done, total, now=now)
                bar.update(task, completed=done, total=total or None, note=note, pace=told)

            yield live

    def finished(self, done: Finished, extra: str = "") -> None:
        """The line a stage leaves behind."""
        key, clock = done.manifest.key, done.clock
        state = "kept from before" if done.skipped else f"{clock.seconds:.0f} s"
        if clock.attempts > 1 and not done.skipped:
            state += f", resumed (attempt {clock.attempts})"
        lost = sum(done.manifest.rejected.values())
        rejected = f", {lost} rejected" if lost else ""
        mark = "·" if done.skipped else "✓"
        self.say(f"{mark} {key.stage:<8} {done.manifest.kept} kept{rejected}  ({state})  {extra}".rstrip())
