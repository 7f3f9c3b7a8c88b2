"""Recipes: sparse TOML written by people, read into a frozen record; the resolved settings are written by the machine.

Knows no stage's settings: those are defined beside each stage and composed in `her.cli.recipe`.
"""

import difflib
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from her.errors import ConfigError
from her.store import read_text

C = TypeVar("C", bound=BaseModel)


def load_toml(path: Path, kind: type[C]) -> C:
    """Read a recipe. A wrong key or value is a ConfigError that names it and, for a key, its nearest neighbour."""
    try:
        data = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path} is not TOML: {e}; correct that line") from e
    try:
        return kind.model_validate(data)
    except ValidationError as e:
        raise ConfigError(f"{path}: " + "; ".join(_explain(error, kind) for error in e.errors())) from e


def _explain(error: object, kind: type[BaseModel]) -> str:
    assert isinstance(error, dict)
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']}"
    owner: type[BaseModel] = kind
    for part in error["loc"][:-1]:
        field = owner.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            break
        owner = field.annotation
    names = list(owner.model_fields)
    near = difflib.get_close_matches(str(error["loc"][-1]), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(names)}"
    return f"unknown key {where!r}; {hint}"
