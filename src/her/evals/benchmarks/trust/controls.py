"""Controls: what a score could be made of without the skill. Printed beside every score, never rewarded. Pure.

For a judged dialogue: its turns, tokens and words, and overlap with a reference. For a choice: what random picking and
picking the shortest or longest option would earn on the very items that were asked.
"""

from collections.abc import Mapping, Sequence

from her.evals.benchmarks.mark import Control
from her.evals.benchmarks.play import Play
from her.renderers.overlap import bleu, rouge_l, words

GUESSERS = ("random option", "shortest option", "longest option", "first option")
"""Controls on the score's own scale: what somebody earns who does not read the question."""


def dialogue_controls(play: Play, *, reference: str | None = None) -> tuple[Control, ...]:
    """Turns and visible words of the player, its tokens where counted, overlap where there is a reference."""
    said = [line.visible for line in play.lines if line.by == "player" and line.visible]
    found = [
        Control(name="turns", value=len(said)),
        Control(name="words", value=sum(len(words(s)) for s in said)),
    ]
    tokens = play.tokens()
    if tokens is not None:
        found.append(Control(name="tokens", value=tokens))
    if reference is not None:
        there, here = words(reference), words(" ".join(said))
        overlap = (("bleu", bleu(there, here)), ("rouge_l", rouge_l(there, here)))
        found += [Control(name=name, value=value) for name, value in overlap if value is not None]
    return tuple(found)


def choice_controls(options: Mapping[str, str], gold: str) -> tuple[Control, ...]:
    """Expected accuracy of guessers on this item; where several options are equally short, the share of them."""
    return (
        Control(name="random option", value=1 / len(options)),
        Control(name="shortest option", value=_share(options, gold, min(len(t) for t in options.values()))),
        Control(name="longest option", value=_share(options, gold, max(len(t) for t in options.values()))),
        Control(name="first option", value=float(gold == next(iter(options)))),
    )


def _share(options: Mapping[str, str], gold: str, length: int) -> float:
    fitting: Sequence[str] = [key for key, text in options.items() if len(text) == length]
    return (gold in fitting) / len(fitting)
