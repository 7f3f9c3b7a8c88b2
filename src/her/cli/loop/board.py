"""Board: a run's progress for people, one line a stage.

On a terminal the line is live; anywhere else each stage prints when it starts and when it ends, so that logs stay
short. Notes are counts and names of steps; nothing that a character thinks is ever printed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from her.stage import Finished
from her.stage import Progress as Report


class Board:
    """Prints stages. `console` is where."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, what: str) -> Iterator[Report]:
        """The progress of one stage."""
        if not self.console.is_terminal:
            self.say(f"{name}: {what} ...")
            last = time.monotonic()

            def plain(done: int, total: int, note: str) -> None:
                nonlocal last
                if time.monotonic() - last > 30:
                    last = time.monotonic()
                    self.say(f"{name}: {done}/{total} {note}")

            yield plain
            return
        columns = (
            TextColumn("[bold]{task.description:<8}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(name, total=None, note=what)

            def live(done: int, total: int, note: str) -> None:
                bar.update(task, completed=done, total=total or None, note=note)

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
