"""Gain: does a thought help to expect what the book's character then really says? If not, it has not earned its place.

    value = given - max(without, shuffled) - copy_weight * copied        nats per token of the source's reply

`given`, `without` and `shuffled` are log-likelihoods of the source's own words (end of turn included) after the
character's prompt: with the layer, with nothing, and with other turns' layers in its place. The last takes away what
any thought would do, such as telling a model that tags come here. `copied` is the share of the reply's words that the
layer has already said, mostly in their order: a thought that recites the reply foretells it best, explains nothing.

Owns the arithmetic and the order of asking; what is asked is in `gain_case`, what is said of it in `gain_report`. The
idea is in CogDual and HumanLM, here with both controls. Measured with a small model, a gain says what that model can
use of a thought.
"""

from collections.abc import Callable, Sequence

from her.errors import DeadLetterError
from her.llm.model import Score, ScoreItem, Scorer
from her.schema import Dialogue, Gain, Record
from her.synthesis.gain.case import Case, GainConfig, Place, Reason, Unmeasured, places


class GainResult(Record):
    """Dialogues whose turns carry their gains, and what could not be measured."""

    dialogues: tuple[Dialogue, ...]
    unmeasured: tuple[Unmeasured, ...]


async def measure_gains(
    dialogues: Sequence[Dialogue], *, scorer: Scorer, config: GainConfig, step: Callable[[str], None] | None = None
) -> GainResult:
    """Measure every turn of a book, or of several; gains it had before are replaced. Controls come from these dialogues
    alone. Turn by turn, so that a ledger keeps all but the last."""
    found: dict[tuple[str, str], tuple[Gain, ...]] = {}
    unmeasured: list[Unmeasured] = []
    for place in places(dialogues, config):
        outcomes = await _measure(place, scorer=scorer, config=config)
        found[place.dialogue.id, place.turn.id] = tuple(o for o in outcomes if isinstance(o, Gain))
        unmeasured += [o for o in outcomes if isinstance(o, Unmeasured)]
        if step is not None:
            step(f"{place.dialogue.id}/{place.turn.id}")
    measured = tuple(
        d.model_copy(
            update={"turns": tuple(t.model_copy(update={"gains": found.get((d.id, t.id), ())}) for t in d.turns)}
        )
        for d in dialogues
    )
    return GainResult(dialogues=measured, unmeasured=tuple(unmeasured))


def gain_of(
    case: Case, *, given: Score, without: Score, controls: Sequence[Score], copy_weight: float, scorer: str
) -> Gain:
    """The arithmetic. Every sum is divided by the tokens of `given`: the reply is the same text each time, and one
    token more or less at its border must not count as likelihood."""
    tokens = given.tokens
    shuffled = sum(c.logprob for c in controls) / len(controls) / tokens
    baseline = max(without.logprob / tokens, shuffled)
    return Gain(
        layer=case.layer,
        scorer=scorer,
        tokens=tokens,
        given=given.logprob / tokens,
        without=without.logprob / tokens,
        shuffled=shuffled,
        copied=case.copied,
        value=given.logprob / tokens - baseline - copy_weight * case.copied,
    )


async def _measure(place: Place, *, scorer: Scorer, config: GainConfig) -> list[Gain | Unmeasured]:
    """All layers of a turn in one call, for they share its prompt."""
    cases = [c for c in place.cases if isinstance(c, Case)]
    items = [
        ScoreItem(messages=c.messages, text=c.text, prefill=prefill)
        for c in cases
        for prefill in (c.given, c.without, *c.controls)
    ]
    try:
        scores = iter(await scorer.score(items) if items else [])
    except DeadLetterError as e:
        if e.reason != "too_long":
            raise
        return [_lost(place, c, "too_long") if isinstance(c, Case) else c for c in place.cases]
    outcomes: list[Gain | Unmeasured] = []
    for case in place.cases:
        if isinstance(case, Unmeasured):
            outcomes.append(case)
            continue
        given, without, *controls = [next(scores) for _ in range(2 + len(case.controls))]
        outcomes.append(
            gain_of(
                case,
                given=given,
                without=without,
                controls=controls,
                copy_weight=config.copy_weight,
                scorer=scorer.fingerprint,
            )
        )
    return outcomes


def _lost(place: Place, case: Case, reason: Reason) -> Unmeasured:
    return Unmeasured(dialogue_id=place.dialogue.id, turn_id=place.turn.id, layer=case.layer, reason=reason)
