"""What the ledger holds: its records, its tables, and the key that is the name of a call.

Knows no file. The key of a call is pinned by a golden test: were it to change, everything that was ever paid would be
paid again.
"""

import json

from her.errors import DeadReason
from her.schema import Record
from her.store import canonical, sha256_text

VERSION = 1
"""Of the tables. Raised only when a program of this version could no longer read them."""
KEY_VERSION = 1
APPLICATION = 0x48455231

ANSWERS = """CREATE TABLE answer (
    key TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request TEXT NOT NULL,
    answer TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    written REAL NOT NULL
) WITHOUT ROWID"""
ADDED = (
    """CREATE TABLE IF NOT EXISTS dead_letter (
    key TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request TEXT NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    written REAL NOT NULL
) WITHOUT ROWID""",
    "CREATE TRIGGER IF NOT EXISTS answered AFTER INSERT ON answer "
    "BEGIN DELETE FROM dead_letter WHERE key = new.key; END",
    "CREATE INDEX IF NOT EXISTS answer_cost ON answer (stage, fingerprint, prompt_tokens, completion_tokens, seconds)",
    "DROP INDEX IF EXISTS answer_stage",
)
"""What the first ledgers had not. Made in place: a program that does not know of it reads and writes as before."""


class Tally(Record):
    """What a stage has cost. Calls, tokens, seconds and cost are all that the ledger holds for the stage, so a resumed
    run counts what its killed forerunner paid; hits and errors are those of this process."""

    calls: int
    hits: int
    errors: int
    dead: int
    """Requests given up for good."""
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cost_usd: float | None
    """At list prices (`llm/prices.py`); None where the price of a model is not known."""


class Paid(Record):
    """One answer to be stored, with what it cost."""

    stage: str
    fingerprint: str
    request: str
    """The request as canonical JSON."""
    answer: str
    """The reply or score as JSON."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class DeadLetter(Record):
    """One request that was given up, with what is needed to send it again."""

    key: str
    stage: str
    fingerprint: str
    request: str
    """The request as canonical JSON."""
    reason: DeadReason
    error: str
    """The last failure, as a person was told of it."""
    attempts: int
    written: float
    """Seconds since the epoch."""


def ledger_key(*, stage: str, fingerprint: str, request: Record) -> str:
    """The name of a call: equal calls of one stage to one model have the same."""
    return key_of(stage=stage, fingerprint=fingerprint, request=canonical(request.model_dump(mode="json")))


def key_of(*, stage: str, fingerprint: str, request: str) -> str:
    """The same, of a request that is canonical JSON already."""
    names = (json.dumps(fingerprint, ensure_ascii=False), json.dumps(stage, ensure_ascii=False))
    return sha256_text(f'{{"fingerprint":{names[0]},"request":{request},"stage":{names[1]},"v":{KEY_VERSION}}}')
