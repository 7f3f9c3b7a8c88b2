"""BlendJudge: a logistic regression on differences of features and likelihoods.

Owns fitting, the fitted record and its use. There is no intercept and every input is a difference of the two
candidates, so the two orders agree by construction. Faults can only cost and virtues can only help (`signed`). It is
the cheapest trained judge there is: a few numbers that a person can read, fitted on a few dozen labelled pairs, and a
floor that a trained language model has to beat.

The lengths of the three layers are fitted with the rest and then left out: what labels owe to length is explained by
length and by nothing else, and no verdict follows from it (length control as in Dubois et al. 2024).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from her.errors import VerdictError
from her.llm.model import Scorer
from her.reward.brief import SMALL, Brief
from her.reward.features import FAULTS, LENGTHS, NAMES, VIRTUES, features, lengths
from her.reward.likelihood import Likelihood, View, likelihoods
from her.reward.pmi import verdict
from her.reward.signed import signed_logistic
from her.schema import Comparison, Preference, Record, Turn, Unparsed, Verdict
from her.stats import Estimate, clustered_score
from her.store import canonical, read_text, sha256_text, write_json

_VIEWS: tuple[View, ...] = ("persona", "stranger", "nowhere")
LIKELIHOODS = ("persona_gain", "history_gain")
"""Inputs that need a scorer: what the persona and what the history explain of the reply, in nats per token. Per token,
because a sum pays for length. Plain likelihood is no input: labellers prefer the less likely of two replies that are
both good English, and a policy rewarded for being unlikely ends in noise."""
FURTHEST = 3.0
"""Standard deviations of the fitted pairs beyond which a difference counts no more: a policy's replies differ by far
more than labelled ones do, and one runaway number should not decide alone."""
RIDGES = (1.0, 3.0, 10.0, 30.0)


class BlendModel(Record):
    """A fitted blend. Weights are per standard deviation of the input's difference on the fitted pairs."""

    format: str = "her-blend-2"
    inputs: tuple[str, ...]
    weights: tuple[float, ...]
    scales: tuple[float, ...]
    length_weights: tuple[float, ...]
    """What the labels owe to the length of thought, action and speech. Fitted, shown, never used in a verdict."""
    ridge: float
    """Chosen by cross-validation over scenes."""
    tie_band: float
    """Margins in logits this small are ties."""
    brief: Brief
    scorer: str | None
    """Name of the scoring model; None: no likelihood inputs."""
    scorer_fingerprint: str | None
    n: int
    """Pairs it was fitted on."""
    seed: int
    cross_validated: Estimate
    """Accuracy on scenes left out in the fit. The ridge was chosen by it, so it flatters a little."""

    @property
    def fingerprint(self) -> str:
        return sha256_text(canonical(self.model_dump(mode="json")))


class BlendJudge:
    """A fitted blend at work. `margin` is in logits."""

    positional = False

    def __init__(self, model: BlendModel, *, scorer: Scorer | None = None) -> None:
        if (model.scorer is None) != (scorer is None):
            raise VerdictError(f"this blend was fitted with scorer {model.scorer!r}; give the same one")
        if scorer is not None and scorer.fingerprint != model.scorer_fingerprint:
            raise VerdictError(f"this blend was fitted on other weights of {model.scorer!r}; fit it again")
        expected = inputs(scored=scorer is not None)
        if model.inputs != expected:
            raise VerdictError("this blend was fitted by another version of the features; fit it again")
        self.model = model
        self.name = f"blend:{model.scorer or 'features'}"
        self.fingerprint = model.fingerprint
        self._scorer = scorer
        self._weights, self._scales = np.array(model.weights), np.array(model.scales)

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        rows = await differences(comparisons, scorer=self._scorer, brief=self.model.brief)
        return [
            Unparsed(reason="nothing_to_score")
            if row is None
            else verdict(float(_scaled(row, self._scales) @ self._weights), 0.0, tie_band=self.model.tie_band)
            for row in rows
        ]


def inputs(*, scored: bool) -> tuple[str, ...]:
    """Names of the inputs, in order."""
    return (*NAMES, *LIKELIHOODS) if scored else NAMES


def _scaled(rows: NDArray[np.float64], scales_P: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(rows / scales_P, -FURTHEST, FURTHEST)


def _sides(names: Sequence[str]) -> NDArray[np.float64]:
    """-1 for a fault, 1 for a virtue, 0 for what may go either way."""
    return np.array([-1.0 if n in FAULTS else float(n in VIRTUES or n in LIKELIHOODS) for n in names])


async def differences(
    comparisons: Sequence[Comparison], *, scorer: Scorer | None, brief: Brief
) -> list[NDArray[np.float64] | None]:
    """One row of inputs (cand_1 minus cand_2) per comparison; None where a candidate has nothing to score."""
    replies = [(c, turn) for c in comparisons for turn in (c.cand_1, c.cand_2)]
    found: list[Likelihood | None] = [None] * len(replies)
    if scorer is not None:
        found = await likelihoods(scorer, replies, views=_VIEWS, brief=brief)
    values = [_values(c, t, f, scored=scorer is not None) for (c, t), f in zip(replies, found, strict=True)]
    return [None if a is None or b is None else a - b for a, b in zip(values[::2], values[1::2], strict=True)]


def _values(
    place: Comparison, reply: Turn, likelihood: Likelihood | None, *, scored: bool
) -> NDArray[np.float64] | None:
    plain = features(place, reply)
    if not scored:
        return np.array(plain)
    if likelihood is None:
        return None
    return np.array(
        (
            *plain,
            likelihood.gain("persona", "stranger", per_token=True),
            likelihood.gain("stranger", "nowhere", per_token=True),
        )
    )


async def fit_blend(
    preferences: Sequence[Preference],
    *,
    scorer: Scorer | None,
    brief: Brief = SMALL,
    seed: int,
    tie_band: float = 0.05,
    folds: int = 5,
) -> BlendModel:
    """Fit on labelled pairs; the ridge is chosen by cross-validation that keeps a scene's pairs together."""
    rows = await differences([p.comparison for p in preferences], scorer=scorer, brief=brief)
    kept = [(p, r) for p, r in zip(preferences, rows, strict=True) if r is not None]
    scenes = sorted({p.comparison.scene.id for p, _ in kept})
    if len(kept) < 10 or len(scenes) < 2:
        raise VerdictError(f"{len(kept)} usable pairs from {len(scenes)} scenes; a blend needs 10 from at least 2")
    lengths_NL = np.array([np.subtract(lengths(p.comparison.cand_1), lengths(p.comparison.cand_2)) for p, _ in kept])
    x_NP = np.hstack([np.array([r for _, r in kept]), lengths_NL])
    scales_P = np.sqrt(np.mean(x_NP**2, axis=0))  # about zero, not about the mean: the order of a pair is arbitrary
    scales_P[scales_P < 1e-9] = 1.0
    x_NP = _scaled(x_NP, scales_P)
    sides_P = np.append(_sides(inputs(scored=scorer is not None)), np.zeros(len(LENGTHS)))
    used = x_NP.shape[1] - len(LENGTHS)
    y_N = np.array([{"cand_1": 1.0, "tie": 0.5, "cand_2": 0.0}[p.winner] for p, _ in kept])
    shuffled = [scenes[i] for i in np.random.default_rng(seed).permutation(len(scenes))]
    fold_of = {s: i % min(folds, len(scenes)) for i, s in enumerate(shuffled)}
    fold_N = np.array([fold_of[p.comparison.scene.id] for p, _ in kept])
    best: tuple[float, float, NDArray[np.float64]] | None = None
    for ridge in RIDGES:
        margins_N = np.zeros(len(kept))
        for fold in sorted(set(fold_of.values())):
            out = fold_N == fold
            margins_N[out] = (
                x_NP[out, :used] @ signed_logistic(x_NP[~out], y_N[~out], sides_P=sides_P, ridge=ridge)[:used]
            )
        loss = float(np.mean(np.logaddexp(0.0, margins_N) - y_N * margins_N))
        if best is None or loss < best[0]:
            best = (loss, ridge, margins_N)
    assert best is not None
    _, ridge, margins_N = best
    weights_P = signed_logistic(x_NP, y_N, sides_P=sides_P, ridge=ridge)
    right = [1.0 - abs(y - (0.5 if abs(m) <= tie_band else float(m > 0))) for y, m in zip(y_N, margins_N, strict=True)]
    return BlendModel(
        inputs=inputs(scored=scorer is not None),
        weights=tuple(float(w) for w in weights_P[:used]),
        scales=tuple(float(s) for s in scales_P[:used]),
        length_weights=tuple(float(w) for w in weights_P[used:]),
        ridge=ridge,
        tie_band=tie_band,
        brief=brief,
        scorer=None if scorer is None else scorer.name,
        scorer_fingerprint=None if scorer is None else scorer.fingerprint,
        n=len(kept),
        seed=seed,
        cross_validated=clustered_score([float(r) for r in right], [p.comparison.scene.id for p, _ in kept], seed=seed),
    )


def save_blend(path: Path, model: BlendModel) -> None:
    write_json(path, model.model_dump(mode="json"))


def load_blend(path: Path) -> BlendModel:
    """Read a fitted blend. Raises VerdictError where the file is none."""
    text = read_text(path)
    try:
        model = BlendModel.model_validate_json(text)
    except ValidationError as e:
        raise VerdictError(f"{path}: not a fitted blend: {e.errors()[0]['msg']}; fit one with `her run`") from e
    if model.format != "her-blend-2" or not len(model.inputs) == len(model.weights) == len(model.scales):
        raise VerdictError(f"{path}: a blend of another format; fit it again")
    return model
