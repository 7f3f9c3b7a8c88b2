"""Disguise: a text as somebody who looks for hidden commands reads it.

Owns what is taken off: characters that cannot be seen, wide and look-alike letters, codes (base64, hexadecimal,
percent, rot13), words written backwards, spaced out or in digits. Decides nothing about what is then found.
"""

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from her.renderers.marks import fold

_BASE64 = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{24,}={0,2}(?![\w+/=])")
_HEX = re.compile(r"(?<!\w)(?:[0-9a-fA-F]{2}[ :]?){16,}(?!\w)")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}[^\s%]*){3,}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|&#x?[0-9a-fA-F]{2,5};){6,}")
_TAGGED = re.compile(r"(?<!\U0001f3f4)(?<![\U000e0020-\U000e007f])[\U000e0020-\U000e007e]{6,}")
"""Characters of the tag block, which no font shows. Behind a black flag they spell a country."""
_SPACED = re.compile(r"(?<!\w)(?:\w[ .·_-]{1,3}){9,}\w(?!\w)")
_TELLING = ("instruction", "prompt", "ignore", "language model", "hidden", "system", "output")
"""Words without which nothing is looked for in a text that may be written backwards or in rot13."""
_LEET = str.maketrans("0134578@$!", "oieastbasi")
_MIXED = re.compile(r"\b(?=\w*[a-zA-Z])(?=\w*\d)\w{2,}\b")
_READABLE = re.compile(r"[\w\s.,;:!?'\"(){}<>/=-]{12,}")


def plain(text: str) -> str:
    """The text without what cannot be seen, compatibility forms as their plain letters."""
    if text.isascii():
        return text
    bare = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Me", "Cs"))
    composed = unicodedata.normalize("NFKC", bare)
    # A mark that NFKC could not join to its letter strikes it through or decorates it.
    return "".join(c for c in composed if not (unicodedata.category(c) == "Mn" and "\u0300" <= c <= "\u036f"))


def folded(text: str) -> str:
    """Lower case, every letter as the ASCII letter it passes for."""
    if text.isascii():
        return text.lower()
    return "".join(c if c in "\n\t" else fold(c) or " " for c in text)


def decoded(text: str) -> Iterator[str]:
    """What coded stretches of the text say, where they say something readable."""
    for match in _TAGGED.finditer(text):
        yield "".join(chr(ord(c) - 0xE0000) for c in match.group())
    bare = plain(text)
    for match in _BASE64.finditer(bare):
        try:
            raw = base64.b64decode(match.group() + "=" * (-len(match.group()) % 4), validate=True)
        except (ValueError, binascii.Error):
            continue
        yield from _readable(raw)
    for match in _HEX.finditer(bare):
        yield from _readable(bytes.fromhex(re.sub(r"[ :]", "", match.group())))
    for match in _PERCENT.finditer(bare):
        yield unquote(match.group())
    for match in _ESCAPES.finditer(bare):
        yield match.group()


def respelt(text: str) -> Iterator[str]:
    """Other ways in which the whole text may be meant."""
    low = text.lower()
    if any(word[::-1] in low for word in _TELLING):
        yield text[::-1]
    if any(codecs.encode(word, "rot13") in low for word in _TELLING):
        yield codecs.encode(text, "rot13")
    for match in _SPACED.finditer(text):
        yield re.sub(r"[ .·_-]", "", match.group())
    if len(_MIXED.findall(text)) >= 3:
        yield text.translate(_LEET)


def _readable(raw: bytes) -> Iterator[str]:
    try:
        said = raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    if _READABLE.fullmatch(said) and " " in said:
        yield said
