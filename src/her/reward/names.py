"""What a judge's name means: `MODEL`, `MODE:MODEL`, `label:MODEL`, `pmi:MODEL`, `blend:FILE` or `control:CONTROL`.

Owns opening judges and the `brief.json` beside a trained one. Model names are `llm.names`'s; engines load only when a
name asks for them.
"""

from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from her.errors import VerdictError
from her.llm.ledger import Ledger
from her.llm.ledger_scorer import LedgerScorer
from her.llm.model import ChatModel, Scorer
from her.llm.names import open_model, open_scorer
from her.reward.blend import BlendJudge, load_blend
from her.reward.brief import FULL, OWN, SMALL, Brief, Mode
from her.reward.generative import GenerativeJudge
from her.reward.judge import Judge
from her.reward.measure import Layer, LengthJudge
from her.reward.pack import Pack, load_pack
from her.reward.pmi import PMIJudge
from her.reward.scored import ScoredJudge
from her.store import read_text, write_json

FORMS = (
    "MODEL (writes its verdict)  independent:, coupled: or pack:MODEL (where its principles come from)  "
    "label:MODEL (the likelier)  pmi:MODEL  blend:FILE  control:longer-reply (and so on)"
)
_BRIEF = "brief.json"
_TRAINED = ("judge/model", "rl/model", "sft/model")
"""Where a run keeps its judge, the furthest trained first. A folder without a brief holds no judge."""


def open_judge(
    name: str,
    pack: Pack | None,
    *,
    brief: Brief | None = None,
    model: ChatModel | None = None,
    ledger: Ledger | None = None,
    stage: str = "judge",
    swap_average: bool = True,
) -> Judge:
    """Open a judge by name.

    `pack`: the principles it judges by. Without one, a model with room to read writes its own, independent of the
    replies; an embedded one judges by the shipped pack. A name that says its mode goes before both. `model` replaces
    what a generative judge would open (a ledgered or shared one). With a ledger nothing that was asked before is paid
    for again. `swap_average=False`: a `label:` judge reads one order only, which is enough where the schedule of games
    balances the places.

    A trained judge (`run:DIR`) is asked with the brief it was trained with; a given `brief` that differs is refused.
    Without either, embedded models get the small brief and all others the full one. `label:` reads the likelihood of
    both verdicts where the weights are here, as the loop does, and the deciding token's probabilities elsewhere.
    """
    kind, colon, rest = name.partition(":")
    if kind == "control" and colon:
        way, _, which = rest.partition("-")
        layer = next((known for known in get_args(Layer) if known == which), None)
        if layer is None or way not in ("longer", "shorter"):
            raise VerdictError(
                f"no such control: {rest!r}; longer- or shorter- and one of {', '.join(get_args(Layer))}"
            )
        return LengthJudge(layer, longer=way == "longer")
    if kind == "blend" and colon:
        fitted = load_blend(Path(rest))
        return BlendJudge(
            fitted, scorer=None if fitted.scorer is None else _scorer(fitted.scorer, ledger=ledger, stage=stage)
        )
    if kind == "pmi" and colon:
        return PMIJudge(_scorer(rest, ledger=ledger, stage=stage), brief=brief or _default(rest))
    label = kind == "label"
    mode: Mode | None = next((m for m in get_args(Mode) if m == kind and colon), None)
    target = rest if (label and colon) or mode is not None else name
    if target.startswith("run:"):
        folder = judge_folder(Path(target.removeprefix("run:")))
        target, trained = f"run:{folder}", load_brief(folder)
        if trained is not None and brief is not None and brief != trained:
            raise VerdictError(f"{folder}: this judge was trained with another brief; ask it with its own")
        if trained is not None and mode not in (None, trained.mode):
            raise VerdictError(f"{folder}: this judge was trained in mode {trained.mode}; ask it without {mode}:")
        brief = trained or brief
    shown = brief or _brief(target, mode, pack)
    known = pack or load_pack()
    if label and model is None and shown.mode == "pack" and target.startswith(("local:", "hf:", "run:")):
        scorer = _scorer(target, ledger=ledger, stage=stage)
        return ScoredJudge(scorer, known, brief=shown, swap_average=swap_average)
    if label and shown.mode == "coupled":
        raise VerdictError(f"{target} writes its principles in its verdict; ask it without label:")
    if label:
        shown = Brief.model_validate({**shown.model_dump(), "verdict_style": "label"})
    opened = model or open_model(target, ledger=ledger, stage=stage)
    return GenerativeJudge(opened, known, brief=shown, swap_average=swap_average)


SMALL_WRITTEN = 2
"""Rules that a judge of the embedded size writes: each costs as much as a verdict."""


def judge_folder(folder: Path) -> Path:
    """A run's root stands for the judge trained in it."""
    return next((folder / place for place in _TRAINED if (folder / place / _BRIEF).is_file()), folder)


def save_brief(folder: Path, brief: Brief) -> None:
    """Store what a judge was trained to be shown, beside it."""
    write_json(folder / _BRIEF, brief.model_dump(mode="json"))


def load_brief(folder: Path) -> Brief | None:
    """The stored brief of a trained judge; None where the folder has none."""
    path = folder / _BRIEF
    if not path.is_file():
        return None
    try:
        return Brief.model_validate_json(read_text(path))
    except ValidationError as e:
        raise VerdictError(f"{path}: not a brief: {e.errors()[0]['msg']}; train the judge again") from e


def _scorer(name: str, *, ledger: Ledger | None, stage: str) -> Scorer:
    opened = open_scorer(name)
    return opened if ledger is None else LedgerScorer(opened, ledger, stage=stage)


def _default(model: str) -> Brief:
    return SMALL if model.startswith(("local:", "run:")) else FULL


def _brief(model: str, mode: Mode | None, pack: Pack | None) -> Brief:
    """What an untrained judge is shown where nobody says."""
    if mode is None:
        return OWN if pack is None and _default(model) is FULL else _default(model)
    bounds = {"max_principles": SMALL_WRITTEN, "max_findings": SMALL_WRITTEN} if mode != "pack" else {}
    limits = {**SMALL.model_dump(), **bounds} if _default(model) is SMALL else FULL.model_dump()
    return Brief.model_validate({**limits, "mode": mode})
