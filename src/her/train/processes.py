"""Processes: several copies of one training, of which the first alone meets the world.

Under a launcher (`accelerate launch -m her run ...`, torchrun, srun) every process trains; the first also reads, pays,
asks judges and writes, the others wait for a job, train along and wait for the next (`following.py`). Owns how they
talk about all that is not a gradient: text over gloo, each call made by every process. Gradients are the engine's.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from her.errors import TrainError
from her.schema import Record

_PATIENCE = timedelta(days=30)
"""The others wait while the first makes data or asks judges, however long. Should it die, they hear of it at once."""


class Processes:
    """This process among `size`. Alone, every method returns what it is given."""

    def __init__(self, *, rank: int = 0, size: int = 1, group: Any = None) -> None:
        self.rank, self.size = rank, size
        self.busy = False
        """A job is under way that all processes know of."""
        self._group = group

    @property
    def first(self) -> bool:
        return self.rank == 0

    def tell(self, text: str = "") -> str:
        """The first process's text, in every process. What the others give is not looked at."""
        if self.size == 1:
            return text
        import torch
        import torch.distributed as dist

        data = torch.frombuffer(bytearray(text.encode() if self.first else b"") or bytearray(1), dtype=torch.uint8)
        length = torch.tensor([len(text.encode())])
        dist.broadcast(length, 0, group=self._group)
        if not self.first:
            data = torch.zeros(max(1, int(length)), dtype=torch.uint8)
        dist.broadcast(data, 0, group=self._group)
        return bytes(data[: int(length)].tolist()).decode()

    def gather(self, text: str) -> list[str]:
        """Every process's text, in order of rank, in every process."""
        if self.size == 1:
            return [text]
        import torch
        import torch.distributed as dist

        mine = text.encode()
        lengths = [torch.zeros(1, dtype=torch.long) for _ in range(self.size)]
        dist.all_gather(lengths, torch.tensor([len(mine)]), group=self._group)
        width = max(1, *(int(n) for n in lengths))
        padded = torch.frombuffer(bytearray(mine.ljust(width, b"\0")), dtype=torch.uint8)
        texts = [torch.zeros(width, dtype=torch.uint8) for _ in range(self.size)]
        dist.all_gather(texts, padded, group=self._group)
        return [bytes(t[: int(n)].tolist()).decode() for t, n in zip(texts, lengths, strict=True)]

    def wait(self) -> None:
        """Until every process is here."""
        self.gather("")

    def share(self, things: int, what: str) -> int:
        """How many of `things` a step has in each process; `what` names the setting that they come from."""
        if things % self.size:
            raise TrainError(
                f"{what}={things} cannot be dealt to {self.size} processes evenly; use a multiple of {self.size}"
            )
        return things // self.size

    def refuse_unled(self) -> None:
        """Raise TrainError in a training that the other processes know nothing of: it would wait for them for ever."""
        if self.size > 1 and not self.busy:
            raise TrainError(
                f"this training knows one process only, and {self.size} were started; do this stage without the "
                "launcher, then go on with it: what is finished is kept"
            )


_here = Processes()


def processes() -> Processes:
    """This process among those that joined; alone where none did."""
    return _here


def join() -> Processes:
    """Meet the other processes that a launcher started. Called once, by `python -m her`, before anything else."""
    global _here
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return _here
    import torch
    import torch.distributed as dist
    from accelerate import PartialState  # type: ignore[import-untyped]

    state = PartialState(cpu=not torch.cuda.is_available())
    group = dist.new_group(backend="gloo", timeout=_PATIENCE)
    _here = Processes(rank=state.process_index, size=state.num_processes, group=group)
    return _here


def leave() -> None:
    """The end: the others go home. Not called after an error: they hear that the first is gone."""
    global _here
    if _here.size == 1:
        return
    import torch.distributed as dist

    if _here.first:
        _here.tell("")
    dist.destroy_process_group()
    _here = Processes()


@contextmanager
def led(job: Record) -> Iterator[Processes]:
    """In the first process: all others do `job` too, while this one does inside."""
    here = processes()
    if here.busy:
        raise TrainError("a training began inside another; finish one before the next")
    if here.size > 1:
        here.tell(job.model_dump_json())
    here.busy = True
    try:
        yield here
    finally:
        here.busy = False
