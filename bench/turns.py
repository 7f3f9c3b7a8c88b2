"""Turns to read: made up, well formed, as long as real ones; and the same with the damage that models do.

Lengths follow the paper: plans of 580 tokens on average (HER, data statistics), replies of up to two hundred words.
Punctuation is a printed novel's (dashes, curly quotes) in every second turn, and one turn in ten is Chinese. Only the
shape matters to a reader, so the words are a short list of our own.
"""

import random

from her.renderers import render_turn
from her.schema import Part, Turn

SPEAKER = "Mara"
_WORDS = (  # noqa: SIM905 -- a list of words is read as words
    "the a of to and that she he it was not with her his for at on had but as if would could so what when there been "
    "no out then up now never only lantern ferry harbour letter captain evening window shadow answer nothing before "
    "asks keeps quiet turns waits knows should careful proud gentle bitter laughing between morning promised island"
).split()
_CHINESE = "她不知道他会怎么说但是今天晚上灯还亮着海很安静信在桌上没有人来过我想你应该留下别问为什么"
_DAMAGE = (
    ("</role_thinking>", ""),
    ("<role_thinking>", ""),
    ("</system_thinking>", ""),
    ("<role_thinking>", "<Role_Thinking>"),
    ("</role_thinking>", "</thought>"),
    ("<role_thinking>", "<role_thinking mood='low'>"),
    ("</role_thinking>", "</system_thinking>"),
    ("<system_thinking>", "<think>"),
)


def well_formed(count: int, *, seed: int) -> list[tuple[Turn, str]]:
    """Turns, each with its text."""
    rng = random.Random(f"{seed}/turns")
    turns = [_turn(rng, f"t{i}") for i in range(count)]
    return [(turn, render_turn(turn)) for turn in turns]


def damaged(texts: list[str], *, share: float, seed: int) -> list[str]:
    """The texts, a share of them with one tag lost, misspelt or mistaken."""
    rng = random.Random(f"{seed}/damage")
    out = []
    for text in texts:
        if rng.random() < share:
            before, after = rng.choice([d for d in _DAMAGE if d[0] in text])
            text = text.replace(before, after, 1)
        out.append(text)
    return out


def _turn(rng: random.Random, turn_id: str) -> Turn:
    chinese, typographic = rng.random() < 0.1, rng.random() < 0.5
    kinds = rng.choices(["thought", "action", "speech"], k=rng.randint(3, 8))
    kinds = [k for i, k in enumerate(kinds) if i == 0 or k != kinds[i - 1]]
    texts = [_prose(rng, rng.randint(5, 45), chinese=chinese, typographic=typographic) for _ in kinds]
    plan = _prose(rng, min(1200, round(rng.lognormvariate(6.0, 0.5))), chinese=chinese, typographic=typographic)
    parts = tuple(Part.model_validate({"kind": k, "text": t}) for k, t in zip(kinds, texts, strict=True))
    return Turn(id=turn_id, speaker=SPEAKER, system_thinking=plan, parts=parts)


def _prose(rng: random.Random, words: int, *, chinese: bool, typographic: bool) -> str:
    if chinese:
        return "".join(rng.choices(_CHINESE, k=words * 2)) + "。"
    said = rng.choices(_WORDS, k=words)
    for i in range(7, words, 9):
        said[i] += rng.choice([",", ".", ";"])
    text = " ".join(said)
    text = text[0].upper() + text[1:] + "."
    return f"“{text.replace(' but ', ' — but ')}”" if typographic else text
