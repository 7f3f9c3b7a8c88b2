"""TrainedCard: what a model trained here is, as it lies in its folder (`her.json`).

Owns the card's file and what `run:DIR` points to. Knows no engine and no trainer: both sides meet in this file.
"""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from her.errors import ModelError, ModelNameError
from her.schema import Record
from her.store import read_json, write_json

CARD = "her.json"
FORMAT: Literal["her-tags-1"] = "her-tags-1"
_IN_A_RUN = ("policy/model", "sft/model")
"""Where a run keeps its models, the furthest trained first."""


class TrainedCard(Record):
    """The card. Paths are relative to its folder."""

    base: str
    """Name of the model that was trained: `local:...` or `hf:...`."""
    base_fingerprint: str
    adapter: str | None
    """The LoRA adapter for the embedded engine (`adapter.gguf`); None where there is none."""
    peft: str | None
    """The adapter for transformers (`peft/`); None where there is none."""
    format: Literal["her-tags-1"] = FORMAT
    history_policy: Literal["drop_own_system", "keep_own_system"]
    system_thinking: bool
    stage: Literal["sft", "policy", "judge"]
    her_version: str


class Trained(Record):
    """A card and the folder it was read from."""

    folder: Path
    card: TrainedCard

    def adapter_gguf(self) -> Path | None:
        return None if self.card.adapter is None else _part(self.folder, self.card.adapter)

    def peft_folder(self) -> Path | None:
        return None if self.card.peft is None else _part(self.folder, self.card.peft)


def save_card(folder: Path, card: TrainedCard) -> None:
    """Write the card into a model's folder."""
    write_json(folder / CARD, card.model_dump(mode="json"))


def load_trained(folder: Path) -> Trained:
    """The trained model in `folder`, or the furthest trained one of the run whose root `folder` is."""
    if not folder.is_dir():
        raise ModelNameError(f"run:{folder}: no such folder; name a run, or the model folder inside one")
    for place in (folder, *(folder / p for p in _IN_A_RUN)):
        if (place / CARD).is_file():
            return Trained(folder=place, card=_read(place / CARD))
    looked = ", ".join(f"{p}/{CARD}" for p in _IN_A_RUN)
    raise ModelNameError(f"run:{folder} holds no trained model (looked for {CARD}, {looked}); finish training it first")


def _read(path: Path) -> TrainedCard:
    document = read_json(path)
    if isinstance(document, dict) and (found := document.get("format")) != FORMAT:
        raise ModelError(
            f"{path} is of another version (format {found!r}, this is {FORMAT!r}); "
            "open it with the version that made it, or train it again"
        )
    try:
        return TrainedCard.model_validate(document)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise ModelError(f"{path} is not a model's card: {first['msg']} at {where!r}; train the model again") from e


def _part(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):  # a card is data: it may not point out of its folder
        raise ModelError(f"{folder / CARD} points outside its folder ({name!r}); do not use this model")
    if not path.exists():
        raise ModelError(f"{path} is missing; train the model again")
    return path
