"""Benchmarks and long suites a reader can run from a checkout: `python -m bench.NAME`. What each prints: README.md."""

import sys
from pathlib import Path

# The fault and kill suites are the tests' own, at length.
sys.path.append(str(Path(__file__).parents[1] / "tests" / "faults"))
