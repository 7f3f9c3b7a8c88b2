"""kill -9 in the middle of paying: everything that was acknowledged is there, and the file opens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from her.llm import Ledger

_PAYER = """
import sys
from pathlib import Path
from her.llm.ledger import Ledger, Paid
ledger = Ledger(Path(sys.argv[1]))
n = int(sys.argv[2])
while True:
    ledger.put(f"k{n}", Paid(stage="s", fingerprint="f", request="{}", answer=f'"{n}"' + " " * 3000))
    print(n, flush=True)
    n += 1
"""


def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    seen: set[int] = set()
    for round_ in range(3):
        payer = subprocess.Popen(
            [sys.executable, "-c", _PAYER, str(path), str(round_ * 100_000)], stdout=subprocess.PIPE, text=True
        )
        assert payer.stdout is not None
        first = payer.stdout.readline()  # it is paying by now
        time.sleep(0.1 + 0.07 * round_)
        os.kill(payer.pid, signal.SIGKILL)
        rest = payer.stdout.read()
        payer.stdout.close()
        payer.wait()
        lines = (first + rest).split("\n")[:-1]  # a last line without its end was not acknowledged
        seen |= {int(line) for line in lines}
    with Ledger(path) as ledger:
        assert all((ledger.get(f"k{n}") or "").strip() == f'"{n}"' for n in seen)
        assert ledger.tally("s").calls >= len(seen) >= 3
