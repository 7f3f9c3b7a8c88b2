"""kill -9 at length: a run that was killed ends with the bytes of one that was not, and pays for nothing twice.

python -m bench.kill --kills 200
"""

import argparse
import tempfile
from pathlib import Path

from kill_suite import kill_suite
from rich.console import Console
from rich.table import Table


def main() -> None:
    """Run the suite and print its books; exit code 1 if a byte differs or a call is lost."""
    options = argparse.ArgumentParser(prog="python -m bench.kill", description=__doc__)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--items", type=int, default=40, help="of one run; each makes two calls")
    options.add_argument("--concurrency", type=int, default=8)
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = kill_suite(
            Path(folder), kills=chosen.kills, seed=chosen.seed, count=chosen.items, concurrency=chosen.concurrency
        )
    table = Table("what", "n", title=f"{result.kills} kills in {result.seconds:.0f} s")
    rows = [
        ("kills in the middle of the calls", result.kills_at_work),
        ("kills between the two files of an export", result.kills_in_export),
        ("runs that ended, and exported", result.exports),
        ("exports with the bytes of an uninterrupted run", result.equal),
        ("calls acknowledged", result.calls),
        ("acknowledged calls lost", result.lost),
        ("calls asked again after they were acknowledged", result.asked_after_paid),
        (f"calls paid twice: in flight at a kill (at most {result.in_flight})", result.paid_twice),
    ]
    for what, n in rows:
        table.add_row(what, str(n))
    Console().print(table)
    sound = result.equal == result.exports and not (result.lost or result.asked_after_paid)
    raise SystemExit(0 if sound and result.paid_twice <= result.in_flight else 1)


if __name__ == "__main__":
    main()
