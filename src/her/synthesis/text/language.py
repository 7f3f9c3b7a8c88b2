"""Language: which one a text is in, and whether another text mixes languages with it.

Owns two coarse measures and no dictionary. English and Chinese are told apart from each other and from the rest,
because only for these two are there rules of person; a text in another language is recognised by its script, and by
how few English function words it has.
"""

import re
from collections.abc import Mapping
from typing import Literal

from her.synthesis.text.wording import STOPWORDS, words

Language = Literal["en", "zh", "other"]
LANGUAGES: dict[Language, str] = {"en": "English", "zh": "Chinese", "other": "the language of the turns"}

_SCRIPTS = {
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
    "han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "hangul": re.compile(r"[\u1100-\u11ff\uac00-\ud7af]"),
    "cyrillic": re.compile(r"[\u0400-\u052f]"),
    "greek": re.compile(r"[\u0370-\u03ff]"),
    "arabic": re.compile(r"[\u0600-\u06ff\u0750-\u077f]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "indic": re.compile(r"[\u0900-\u0dff]"),
    "thai": re.compile(r"[\u0e00-\u0e7f]"),
}
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]{3,}")
_FUNCTION_WORDS = 0.15
"""Least share of English function words in English. Novels have about a half, French and German under a tenth."""
_ENOUGH = 12
"""Words from which on the share is believed."""


def language(text: str) -> Language:
    """The language of a text. A Latin text too short to tell is taken for English."""
    counts = _scripts(text)
    if not counts:
        return "en"
    main = _main(counts)
    if main == "latin":
        said = words(text)
        share = sum(w in STOPWORDS for w in said) / len(said)
        return "other" if len(said) >= _ENOUGH and share < _FUNCTION_WORDS else "en"
    return "zh" if main == "han" and counts.get("kana", 0) * 10 < counts["han"] else "other"


def mixes(text: str, source: str) -> bool:
    """Is the text, or a piece of it, in a language that `source` is not in?"""
    own, allowed = _scripts(text), _scripts(source)
    if any(script not in allowed for script in own if script != "latin"):
        return True
    long_enough = min(sum(own.values()), sum(allowed.values())) >= _ENOUGH
    if long_enough and _main(own) != _main(allowed):
        return True
    if allowed and _main(allowed) != "latin":
        known = source.lower()
        return sum(w.lower() not in known for w in _LATIN_WORD.findall(text)) >= 2
    return language(source) == "en" and language(text) == "other"


def _main(scripts: Mapping[str, int]) -> str:
    return max(scripts, key=lambda s: (scripts[s], s))


def _scripts(text: str) -> dict[str, int]:
    return {name: n for name, pattern in _SCRIPTS.items() if (n := len(pattern.findall(text)))}
