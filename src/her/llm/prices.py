"""Prices: what a model's tokens cost, from a dated table that anybody can put another before.

Estimates: list prices, no discounts. Models that run here cost nothing; the price of an endpoint that the table does
not know is unknown, which is not the same as nothing.
"""

import os
import tomllib
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from pathlib import Path

from pydantic import Field, ValidationError

from her.errors import ConfigError
from her.llm.address import host_of, read_address
from her.llm.model import Usage
from her.schema import Record


class Price(Record):
    """USD for a million tokens."""

    input_usd: float
    output_usd: float
    as_of: str
    """When the price was the list price; empty where nothing is charged."""


FREE = Price(input_usd=0.0, output_usd=0.0, as_of="")


class _Entry(Record):
    host: str
    models: tuple[str, ...]
    input: float = Field(ge=0)
    output: float = Field(ge=0)


class _Table(Record):
    as_of: str
    price: tuple[_Entry, ...]


def price(name: str) -> Price | None:
    """The price of a model by name or fingerprint; None where nobody knows it. Of several endpoints, the dearest."""
    kind, _, rest = name.partition(":")
    if kind != "openai":
        return FREE
    address = read_address(rest)
    found = [_look_up(address.model, host_of(url)) for url in address.urls]
    known = [p for p in found if p is not None]
    if len(known) < len(found):
        return None
    return max(known, key=lambda p: (p.output_usd, p.input_usd))


def cost_usd(price: Price, usage: Usage) -> float:
    """What so many tokens cost."""
    return (usage.prompt_tokens * price.input_usd + usage.completion_tokens * price.output_usd) / 1e6


def _look_up(model: str, host: str) -> Price | None:
    own = os.environ.get("HER_PRICES", "").strip()
    tables = [_read(own)] if own else []
    for table in (*tables, _shipped()):
        for entry in table.price:
            if entry.host == host and any(fnmatchcase(model, m) for m in entry.models):
                return Price(input_usd=entry.input, output_usd=entry.output, as_of=table.as_of)
    return None


@lru_cache(maxsize=1)
def _shipped() -> _Table:
    text = (resources.files("her.llm") / "prices.toml").read_text(encoding="utf-8")
    return _Table.model_validate(tomllib.loads(text))


@lru_cache(maxsize=8)
def _read(path: str) -> _Table:
    try:
        return _Table.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as e:
        raise ConfigError(f"HER_PRICES: cannot read {path}: {e.strerror}; name a file like llm/prices.toml") from e
    except (ValueError, ValidationError) as e:
        raise ConfigError(f"HER_PRICES: {path} is no table of prices: {e}; write it like llm/prices.toml") from e
