"""Published data, fetched on request and kept in the reader's cache: never shipped, never asked for by itself.

Owns two addresses: `hf:OWNER/NAME@REVISION/PATH` (a data set on the hub) and an https URL. What was read is hashed by
whoever loads it; a hash that is known beforehand is checked here.
"""

import shutil
import urllib.request
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

from her.errors import ConfigError, InputError
from her.evals.benchmarks.card import Card
from her.llm.catalog import cache_folder
from her.store import sha256_file

_LARGEST = 512 << 20


def fetch(card: Card) -> Path:
    """The file that a benchmark publishes."""
    source = next((s for s in card.sources if s.url is not None), None)
    if source is None:
        where = card.sources[0].where
        raise ConfigError(f"{card.name} has no file that can be fetched; get it from {where} and give --data PATH")
    assert source.url is not None  # found so
    path = _from_hub(source.url) if source.url.startswith("hf:") else _from_web(source.url, card.name)
    if source.sha256 is not None and (found := sha256_file(path)) != source.sha256:
        raise InputError(f"{source.url} has changed: sha256 {found}, expected {source.sha256}; give --data PATH")
    return path


def _from_hub(address: str) -> Path:
    repository, _, rest = address.removeprefix("hf:").partition("@")
    revision, _, name = rest.partition("/")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as e:
        raise ConfigError("data on the hub need huggingface_hub; install it with: pip install 'her[evals]'") from e
    try:
        return Path(hf_hub_download(repository, name, repo_type="dataset", revision=revision))
    except (OSError, ValueError) as e:
        raise InputError(f"cannot fetch {address}: {e}; check the network, or give --data PATH") from e


def _from_web(url: str, name: str) -> Path:
    if urlsplit(url).scheme != "https":
        raise ConfigError(f"{url} is not https; give --data PATH")
    folder = cache_folder() / "exams" / name
    path = folder / Path(urlsplit(url).path).name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    waiting = path.with_suffix(f"{path.suffix}.part")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, waiting.open("wb") as file:
            if int(answer.headers.get("Content-Length") or 0) > _LARGEST:
                raise InputError(f"{url} is larger than {_LARGEST >> 20} MiB; fetch it by hand and give --data PATH")
            shutil.copyfileobj(answer, file, 1 << 20)
    except (URLError, OSError) as e:
        waiting.unlink(missing_ok=True)
        raise InputError(f"cannot fetch {url}: {e}; check the network, or give --data PATH") from e
    waiting.replace(path)
    return path
