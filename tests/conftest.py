"""What every test shares: where real data may lie, and a cache that outlives one run."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real novels, plays and benchmark samples; they are not part of the project."""
    folder = Path(os.environ.get("HER_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set HER_SHARED_DATA to run this test")
    return folder
