"""Address: which model at which URLs, and which key each host may see.

Owns the form `MODEL@URL,URL,...`. Several URLs are one model: its name and its ledger key have them sorted, so that the
order in which they are listed does not matter.
"""

import os
import re
from urllib.parse import urlsplit

from her.errors import ModelNameError
from her.schema import Record

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Address(Record):
    """Where a model is served."""

    model: str
    urls: tuple[str, ...]
    """Base URLs up to and with `/v1`, sorted, each once."""

    @property
    def name(self) -> str:
        """The one name of this model at these endpoints."""
        return f"openai:{self.model}@{','.join(self.urls)}"


def read_address(rest: str) -> Address:
    """`MODEL@URL,URL,...` as a user wrote it. Raises ModelNameError, without repeating what may be a secret."""
    match = re.fullmatch(r"(.+?)@(https?://.+)", rest)
    if match is None:
        raise ModelNameError("an endpoint is named openai:MODEL@URL, with URL from http:// or https:// up to /v1")
    return address(match[1], match[2].split(","))


def address(model: str, urls: list[str]) -> Address:
    """The address of a model at some URLs."""
    return Address(model=model, urls=tuple(sorted({_checked(url.strip()) for url in urls})))


def host_of(url: str) -> str:
    """The host in a URL that was checked."""
    return urlsplit(url).hostname or ""


def key_for(url: str) -> str | None:
    """The key for this endpoint from the environment, or None."""
    own = os.environ.get("HER_API_KEY", "").strip()
    if own:
        return own
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname == "api.openai.com":
        return os.environ.get("OPENAI_API_KEY", "").strip() or None
    return None


def checked_key(key: str | None) -> str | None:
    """The key, if it can stand in a header. Never repeats it."""
    if key and not (key.isascii() and key.isprintable()):
        raise ModelNameError("the key for an endpoint holds characters that no key has; set HER_API_KEY anew")
    return key or None


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        named = named and "://" not in parts.path  # two URLs with something else than a comma between
    except ValueError as e:
        raise ModelNameError("the URL of an endpoint is malformed; write it like https://host:port/v1") from e
    if parts.username or parts.password or parts.query or parts.fragment:
        # Said without the URL: what stands in it may be a secret.
        raise ModelNameError("an endpoint's URL has no user, password, query or fragment; put a key into HER_API_KEY")
    if not named:
        raise ModelNameError(f"{url!r} names no host; write it like https://host:port/v1, several with a comma between")
    return url.rstrip("/").removesuffix("/chat/completions")
