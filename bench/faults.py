"""Mixed faults at length: every item ends once, and the upstream's own record agrees.

python -m bench.faults --items 5000 --rate 0.3
"""

import argparse
import tempfile
from pathlib import Path

from mixed_suite import mixed
from rich.console import Console
from rich.table import Table


def main() -> None:
    """Run the suite and print two tables; exit code 1 if an item is lost, wrong or paid twice."""
    options = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    options.add_argument("--items", type=int, default=2000, help="each makes two calls")
    options.add_argument("--rate", type=float, default=0.3, help="share of attempts that meet a fault")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--concurrency", type=int, default=64)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = mixed(
            Path(folder), count=chosen.items, rate=chosen.rate, seed=chosen.seed, concurrency=chosen.concurrency
        )
    met = Table("fault", "met", title=f"{len(result.faults)} faults, {sum(result.faults.values())} times")
    for name, times in result.faults.items():
        met.add_row(name, str(times))
    end = Table("items", "kept", "dead letters", "unread", "wrong", "lost", "paid twice", title="how items ended")
    row = (result.items, result.kept, result.dead, result.unread, result.wrong, result.lost, result.paid_twice)
    end.add_row(*(str(n) for n in row))
    console = Console()
    console.print(met, end)
    console.print(
        f"{result.calls} calls stored, {result.attempts} attempts at the upstream, at most {result.most_at_once} at a "
        f"time, {result.seconds:.0f} s"
    )
    sound = result.items == chosen.items == result.kept + result.dead + result.unread
    raise SystemExit(0 if sound and not (result.wrong or result.lost or result.paid_twice) else 1)


if __name__ == "__main__":
    main()
