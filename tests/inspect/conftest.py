"""Inspect leaves streams and event loops unclosed. They are swept up after each test, where nobody minds them: left to
the end of the run they would fail it, although every test passed."""

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def sweep() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(3):
            gc.collect()
