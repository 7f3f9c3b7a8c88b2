"""One name for any model, everywhere: `local:` `hf:` `run:` `openai:` `scripted:`.

Owns what a name means and which names can share one engine. Engines are imported only when a name asks for them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from her.errors import InputError, ModelError, ModelNameError
from her.llm.address import read_address
from her.llm.budget import Budget
from her.llm.catalog import cache_folder, catalog, entry, installed
from her.llm.ledger import Ledger
from her.llm.ledger_model import LedgerModel
from her.llm.model import ChatModel, Scorer
from her.llm.scripted import ScriptedModel
from her.llm.trained import Trained, load_trained
from her.schema import Record
from her.store import sha256_file, sha256_text

if TYPE_CHECKING:
    from her.llm.engines.embedded import EmbeddedModel
    from her.llm.engines.torch import Weights

FORMS = "local:NAME  hf:ID_OR_PATH  run:DIR  openai:MODEL@URL[,URL...]  scripted:FILE"
_KINDS = ("local", "hf", "run", "openai", "scripted")


class ModelCard(Record):
    """What a user should know of a model before using it."""

    name: str
    licence: str
    size: str
    limits: str

    def line(self) -> str:
        """All of it in one line."""
        return f"{self.name}: {self.size}, licence {self.licence}; {self.limits}"


class _Embedded(Record):
    """A name that the embedded engine serves."""

    name: str
    fingerprint: str
    gguf: Path
    adapter: Path | None
    default_system: str


def open_model(
    name: str,
    *,
    ledger: Ledger | None = None,
    stage: str = "model",
    threads: int | None = None,
    reproducible: bool = False,
    retry_dead: bool = False,
    budget: Budget | None = None,
) -> ChatModel:
    """Open one model, behind the ledger where one is given."""
    return open_models(
        [name],
        ledger=ledger,
        stage=stage,
        threads=threads,
        reproducible=reproducible,
        retry_dead=retry_dead,
        budget=budget,
    )[0]


def open_models(
    names: Sequence[str],
    *,
    ledger: Ledger | None = None,
    stage: str = "model",
    threads: int | None = None,
    reproducible: bool = False,
    retry_dead: bool = False,
    budget: Budget | None = None,
) -> list[ChatModel]:
    """Open several models, in order. Those with the same base weights share one engine, adapters and all; open what is
    used together with one call. Nothing stays open if one of them fails. `reproducible` makes the embedded engine give
    the same bits for the same request whatever else runs, at up to twice the time (see `engines/embedded.py`).
    `retry_dead` sends requests again that an earlier run gave up. `budget` is a hard cap on what endpoints are paid,
    counting what the ledger holds; BudgetError says that a price is not known before anything is spent."""
    found = {name: _find(name, budget=budget) for name in names}  # every name is looked at before anything is loaded
    if budget is not None and ledger is not None:
        budget.count(ledger)
    adapters: dict[Path, list[Path]] = {}
    for model in found.values():
        if isinstance(model, _Embedded):
            known = adapters.setdefault(model.gguf, [])
            if model.adapter is not None and model.adapter not in known:
                known.append(model.adapter)
    started: list[EmbeddedModel] = []
    opened: list[ChatModel] = []
    try:
        for name in names:
            model = found[name]
            if isinstance(model, _Embedded):
                model = _start(model, adapters[model.gguf], threads=threads, reproducible=reproducible)
                started.append(model)
            if ledger is not None:
                opened.append(LedgerModel(model, ledger, stage=stage, retry_dead=retry_dead))
            else:
                opened.append(model)
    except ModelError:
        for model in started:
            model.release()
        raise
    return opened


def open_scorer(name: str) -> Scorer:
    """A model that says how likely a given reply is: `local:`, `hf:` and `run:`."""
    from her.llm.engines.torch import Weights
    from her.llm.engines.torch_scorer import TorchScorer

    kind, rest = split_name(name)
    if kind == "run":
        trained = load_trained(Path(rest))
        peft = trained.peft_folder()
        if peft is None:
            raise ModelError(f"{name} has no adapter for transformers, so it cannot score; name its base model")
        loaded = Weights(str(weights(trained.card.base)), peft=peft)
        return TorchScorer(name, fingerprint=f"{_base_of(trained)}+peft:{sha256_file(peft)}", weights=loaded)
    if kind == "local":
        loaded = Weights(str(weights(name)))
        return TorchScorer(name, fingerprint=f"torch:gguf:{entry(rest).sha256}", weights=loaded)
    if kind == "hf":
        loaded = Weights(rest)
        return TorchScorer(name, fingerprint=_hf_fingerprint(rest, loaded), weights=loaded)
    raise ModelNameError(f"{name}: a scorer needs the weights; name a local:, hf: or run: model")


def weights(name: str) -> Path:
    """The Hugging Face folder of a model's base, for training: converted from GGUF once, then kept in the cache."""
    kind, rest = split_name(name)
    if kind == "local":
        from her.llm.engines.weights import hf_folder

        return hf_folder(installed(entry(rest)), cache=cache_folder() / "weights")
    if kind == "run":
        return weights(load_trained(Path(rest)).card.base)
    if kind == "hf":
        if (folder := Path(rest).expanduser()).is_dir():
            return folder
        from her.llm.engines.torch import hub_folder

        return hub_folder(rest)
    raise ModelNameError(f"{name} cannot be trained: its weights are not here; name a local:, hf: or run: model")


def fingerprint(name: str) -> str:
    """What a name stands for today, without loading any weights: part of a stage's manifest."""
    kind, rest = split_name(name)
    if kind == "openai":
        return read_address(rest).name
    if kind == "hf":
        folder = Path(rest).expanduser()
        return f"hf:{sha256_file(folder)}" if folder.is_dir() else name
    return _find(name).fingerprint


def describe(name: str) -> ModelCard:
    """Licence, size and limits of a model, without opening it."""
    kind, rest = split_name(name)
    if kind == "local":
        model = entry(rest)
        return ModelCard(name=name, licence=model.licence, size=f"{model.bytes / 1e6:.0f} MB", limits=model.limits)
    if kind == "run":
        card = load_trained(Path(rest)).card
        base = describe(card.base)
        limits = f"trained here ({card.stage}) from {card.base}, with its limits: {base.limits}"
        return ModelCard(name=name, licence=base.licence, size=base.size, limits=limits)
    if kind == "hf":
        return ModelCard(
            name=name, licence="see the model's own card", size="unknown", limits="no schema, one at a time"
        )
    if kind == "openai":
        told = "what you write is sent to this endpoint, under its own terms"
        return ModelCard(name=read_address(rest).name, licence="the endpoint's", size="remote", limits=told)
    return ModelCard(name=name, licence="yours", size="none", limits="not a model: says what its file says")


def split_name(name: str) -> tuple[str, str]:
    """`kind` and the rest, or a ModelNameError that shows the forms."""
    kind, colon, rest = name.partition(":")
    if not colon or not rest.strip() or kind not in _KINDS:
        shown = name if "@" not in name else kind  # what stands after an @ may carry a password
        raise ModelNameError(
            f"{shown!r} is not a model's name; a name is one of: {FORMS}; local names: {', '.join(catalog())}"
        )
    return kind, rest


def _find(name: str, *, budget: Budget | None = None) -> "ChatModel | _Embedded":
    kind, rest = split_name(name)
    if kind == "local":
        model = entry(rest)
        return _Embedded(
            name=name,
            fingerprint=f"gguf:{model.sha256}",
            gguf=installed(model),
            adapter=None,
            default_system=model.default_system,
        )
    if kind == "run":
        return _find_trained(name, load_trained(Path(rest)))
    if kind == "openai":
        from her.llm.http import parse_endpoint

        return parse_endpoint(rest, budget=budget)
    if kind == "scripted":
        try:
            return ScriptedModel.read(Path(rest))
        except InputError as e:
            raise ModelNameError(f"{name}: {e}") from e
    from her.llm.engines.torch import TorchModel, Weights

    loaded = Weights(rest)
    return TorchModel(name, fingerprint=_hf_fingerprint(rest, loaded), weights=loaded)


def _find_trained(name: str, trained: Trained) -> "ChatModel | _Embedded":
    base = _find_base(trained)
    adapter = trained.adapter_gguf()
    if isinstance(base, _Embedded) and adapter is not None:
        changes = {"name": name, "adapter": adapter, "fingerprint": f"{base.fingerprint}+lora:{sha256_file(adapter)}"}
        return base.model_copy(update=changes)
    peft = trained.peft_folder()
    if peft is None:
        raise ModelError(f"{name} has no adapter that an engine here can load; train the model again")
    from her.llm.engines.torch import TorchModel, Weights

    loaded = Weights(str(weights(trained.card.base)), peft=peft)
    return TorchModel(name, fingerprint=f"{_base_of(trained)}+peft:{sha256_file(peft)}", weights=loaded)


def _find_base(trained: Trained) -> "_Embedded | None":
    kind, _ = split_name(trained.card.base)
    if kind != "local":
        return None
    base = _find(trained.card.base)
    assert isinstance(base, _Embedded)  # a local name is always embedded
    if base.fingerprint != trained.card.base_fingerprint:
        raise ModelError(
            f"{trained.folder} was trained on {trained.card.base} with other weights than those here; "
            "get the weights it was trained on, or train it again"
        )
    return base


def _base_of(trained: Trained) -> str:
    return f"torch:{trained.card.base_fingerprint}"


def _start(model: _Embedded, adapters: Sequence[Path], *, threads: int | None, reproducible: bool) -> "EmbeddedModel":
    from her.llm.engines.embedded import EmbeddedModel
    from her.llm.engines.llama_server import LlamaServer

    server = LlamaServer.shared(model.gguf, adapters, threads=threads, reproducible=reproducible)
    return EmbeddedModel(
        model.name,
        fingerprint=model.fingerprint,
        server=server,
        default_system=model.default_system,
        adapter=model.adapter,
    )


def _hf_fingerprint(source: str, loaded: "Weights") -> str:
    folder = Path(source).expanduser()
    return f"hf:{sha256_file(folder)}" if folder.is_dir() else f"hf:{source}:{sha256_text(str(loaded.model.config))}"
