"""One name for any model, everywhere: `local:` `hf:` `run:` `openai:` `scripted:`.

Owns what a name means. Engines are imported only when a name asks for them.
"""

from collections.abc import Sequence
from pathlib import Path

from her.errors import InputError, ModelNameError
from her.llm.catalog import entry, installed
from her.llm.model import ChatModel
from her.llm.scripted import ScriptedModel

FORMS = "local:NAME  hf:ID_OR_PATH  run:DIR  openai:MODEL@URL  scripted:FILE"


def split_name(name: str) -> tuple[str, str]:
    """`kind` and the rest, or a ModelNameError that shows the forms."""
    kind, colon, rest = name.partition(":")
    if not colon or not rest or kind not in ("local", "hf", "run", "openai", "scripted"):
        raise ModelNameError(f"{name!r} is not a model's name; a name is one of: {FORMS}")
    return kind, rest


def open_model(name: str, *, threads: int | None = None) -> ChatModel:
    """Open one model."""
    return open_models([name], threads=threads)[0]


def open_models(names: Sequence[str], *, threads: int | None = None) -> list[ChatModel]:
    """Open several, in order; those with the same weights share one engine."""
    return [_open(name, threads=threads) for name in names]


def _open(name: str, *, threads: int | None) -> ChatModel:
    kind, rest = split_name(name)
    if kind == "scripted":
        try:
            return ScriptedModel.read(Path(rest))
        except InputError as e:
            raise ModelNameError(f"{name}: {e}") from e
    if kind == "local":
        from her.llm.engines.embedded import EmbeddedModel
        from her.llm.engines.llama_server import LlamaServer

        model = entry(rest)
        gguf = installed(model)
        server = LlamaServer.shared(gguf, threads=threads)
        return EmbeddedModel(
            name, fingerprint=f"gguf:{model.sha256}", server=server, default_system=model.default_system
        )
    raise ModelNameError(f"{name!r}: {kind}: is not ready")
