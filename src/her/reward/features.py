"""Features: what can be counted in a reply without asking a model.

Each is a number of one reply at one place; a judge uses differences of them, so that neither order is favoured. They
are crude on purpose: cheap enough for every sample of a training run, and legible, so that a person can see what a
blend rewards. A policy can learn to please any of them; that is why a held-out judge examines it. Hidden layers of
other characters are read here only to notice that a reply knows what its speaker cannot.
"""

import math
import re
from importlib import resources
from itertools import pairwise

from her.reward.gates import GateConfig, runs, turn_faults, words
from her.schema import Comparison, Scene, Turn

NAMES = (
    "address",
    "copies_history",
    "copies_last",
    "copies_profile",
    "declares",
    "drama",
    "era",
    "exclaims",
    "faults",
    "frame",
    "has_action",
    "has_speech",
    "has_thought",
    "narrates",
    "noise",
    "own_secret",
    "puppets",
    "question",
    "repeats_itself",
    "stock_gestures",
    "stranger_secret",
    "takes_up",
    "thought_echo",
    "word_length",
)
"""Every feature, sorted; `features` returns them in this order. None of them is a length: see `LENGTHS`."""
FAULTS = frozenset(NAMES) - {
    "address",
    "exclaims",
    "has_action",
    "has_speech",
    "has_thought",
    "own_secret",
    "question",
    "takes_up",
    "word_length",
}
"""Features that can only speak against a reply."""
VIRTUES = frozenset({"takes_up"})
"""Features that can only speak for it. The rest may go either way."""
LENGTHS = ("thought_length", "action_length", "speech_length")
"""Length of each layer, log(1 + words). Never a reason for a verdict: labellers write the reply they like with more
care, and a judge that learns so teaches a policy to pad. They are in a fit to be accounted for, and out of its use."""

_NOISE = "*#{}[]<>|_`=~"
_DECLARES = re.compile(r"\bI (?:am|feel|felt|was|know|must|love|want|think|mean|have)\b|\bI['\u2019]m\b")
"""Telling one's state instead of showing it."""
_SPEAKS = ("says", "said", "replies", "replied", "asks", "asked", "answers", "answered", "blushes", "nods", "smiles",
           "laughs", "feels", "agrees", "weeps", "gasps", "cries", "whispers")  # fmt: skip


def features(place: Comparison, reply: Turn) -> tuple[float, ...]:
    """All of `NAMES` for a reply at this place."""
    scene, history, me = place.scene, place.history, place.character
    kinds = {kind: " ".join(p.text for p in reply.parts if p.kind == kind) for kind in ("thought", "action", "speech")}
    body = " ".join(p.text for p in reply.parts)
    shown = f"{kinds['action']} {kinds['speech']}"
    said_words, body_words = words(kinds["speech"]), words(body)
    n = max(1, len(body_words))
    others = [c for c in scene.names() if c != me]
    theirs = [t for t in history if t.speaker != me]
    last = theirs[-1].speech() if theirs else ""
    known = _known(scene, history, me)
    past = " ".join(t.speech() for t in history)
    own = scene.character(me)
    values = {
        "address": _share(said_words, {"you", "your", "yours", "you're", *(w for o in others for w in words(o))}),
        "copies_history": _copied(shown, past, 4),
        "copies_last": _copied(shown, last, 3),
        "copies_profile": _copied(shown, f"{own.profile or ''} {own.background or ''} {own.motivation or ''}", 3),
        "declares": min(4.0, float(len(_DECLARES.findall(kinds["speech"])))),
        "drama": phrases(body, "drama") + 0.25 * sum(w.isupper() and len(w) > 2 for w in body.split()),
        "era": float(sum(w in _lexicon("out_of_era") and w not in known for w in body_words)),
        "exclaims": min(4.0, float(body.count("!"))),
        "faults": float(len(turn_faults(reply, config=GateConfig(system_thinking=False)))),
        "frame": phrases(body, "frame"),
        "has_action": float(bool(kinds["action"])),
        "has_speech": float(bool(kinds["speech"])),
        "has_thought": float(bool(kinds["thought"])),
        "narrates": _narrates(kinds["speech"], me),
        "noise": min(6.0, float(sum(body.count(c) for c in _NOISE) + sum(ord(c) > 0x2FFF for c in body))),
        "own_secret": _secret(said_words, own.background or "", known),
        "puppets": _puppets(shown, others),
        "question": float(kinds["speech"].rstrip().endswith("?")),
        "repeats_itself": 1.0 - len(set(pairwise(body_words))) / max(1, n - 1),
        "stock_gestures": float(sum(w in _lexicon("gestures") for w in words(kinds["action"]))),
        "stranger_secret": _secret(
            body_words,
            " ".join(f"{scene.character(o).background or ''} {scene.character(o).motivation or ''}" for o in others),
            known | _content(f"{own.background or ''} {own.motivation or ''}"),
        ),
        "takes_up": min(3.0, float(len(_content(shown) & _content(last)))),
        "thought_echo": _overlap(kinds["thought"], kinds["speech"]),
        "word_length": sum(len(w) for w in body_words) / n,
    }
    return tuple(values[name] for name in NAMES)


def lengths(reply: Turn) -> tuple[float, ...]:
    """`LENGTHS` of a reply."""
    return tuple(
        math.log1p(sum(len(words(p.text)) for p in reply.parts if p.kind == kind))
        for kind in ("thought", "action", "speech")
    )


def _known(scene: Scene, history: tuple[Turn, ...], me: str) -> set[str]:
    """Content words that everyone present has seen or heard."""
    seen = [scene.scenario, scene.topic or "", scene.character(me).profile or ""]
    seen += [p.text for t in history for p in t.parts if p.kind != "thought"]
    return _content(" ".join(seen)) | {w for name in scene.names() for w in words(name)}


def _content(text: str) -> set[str]:
    return {w for w in words(text) if len(w) > 3 and w not in _lexicon("stop")}


def _share(found: list[str], wanted: set[str]) -> float:
    return sum(w in wanted for w in found) / max(1, len(found))


def _copied(text: str, source: str, n: int) -> float:
    """Share of the text's n-word runs that stand in the source."""
    mine = runs(text, n)
    return len(mine & runs(source, n)) / len(mine) if mine else 0.0


def _overlap(a: str, b: str) -> float:
    """Jaccard index of content words."""
    x, y = _content(a), _content(b)
    return len(x & y) / len(x | y) if x and y else 0.0


def _secret(found: list[str], hidden: str, known: set[str]) -> float:
    """Words of a hidden text, known to nobody here, that the reply uses; at most 4."""
    return min(4.0, float(len((_content(hidden) - known) & set(found))))


def _puppets(shown: str, others: list[str]) -> float:
    """How often another character is made to act or speak: `Name: ` or `Name says`."""
    found = 0
    for name in others:
        for short in {name, name.split()[-1], name.split()[0]}:
            found += shown.count(f"{short}: ") + sum(f"{short} {verb}" in shown for verb in _SPEAKS)
    return min(3.0, float(found))


def _narrates(speech: str, me: str) -> float:
    """Does the speaker's own name stand in its speech with a verb of telling, as a narrator would write?"""
    verbs = (*_SPEAKS, "was", "is", "looks", "looked")
    return float(any(f"{name} {verb}" in speech for name in {me, me.split()[0]} for verb in verbs))


def phrases(text: str, name: str) -> float:
    """Phrases of a shipped list (`drama`, `frame`) that the text holds; at most 4."""
    flat = f" {' '.join(words(text))} "
    return min(4.0, float(sum(f" {' '.join(words(p))} " in flat for p in _lexicon(name))))


_lexicons: dict[str, frozenset[str]] = {}


def _lexicon(name: str) -> frozenset[str]:
    if name not in _lexicons:
        text = (resources.files("her.reward") / "words" / f"{name}.txt").read_text(encoding="utf-8")
        _lexicons[name] = frozenset(line for line in text.split("\n") if line and not line.startswith("#"))
    return _lexicons[name]
