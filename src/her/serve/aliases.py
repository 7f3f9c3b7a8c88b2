"""Aliases: one model under several names, one for each view of it.

Every client can choose a model, few can add a field to a request; so `NAME` shows speech and action, `NAME:inner`
role thinking too, and `NAME:raw` both hidden layers, where the server was started with leave to show system thinking.
"""

import re
from dataclasses import dataclass

from her.schema import Viewer
from her.serve.fault import ApiFault, invalid
from her.serve.wire import ChatRequest


def served_name(model_name: str) -> str:
    """What clients call the model: the end of its own name, without folders or addresses."""
    rest = model_name.partition(":")[2] or model_name
    last = rest.split("@", 1)[0].rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.") or "her"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The names, and what each lets its caller see."""

    name: str
    allow_system_thinking: bool

    def ids(self) -> tuple[str, ...]:
        return (self.name, f"{self.name}:inner", *([f"{self.name}:raw"] if self.allow_system_thinking else []))

    def viewer(self, request: ChatRequest) -> Viewer:
        """Who looks at the reply. The request's own layers go before its alias's."""
        by_alias: dict[str, tuple[str, ...]] = {
            self.name: (),
            f"{self.name}:inner": ("role_thinking",),
            f"{self.name}:raw": ("role_thinking", "system_thinking"),
        }
        wanted = by_alias.get(request.model or self.name)
        if wanted is None:
            raise invalid("no such model; GET /v1/models lists them", param="model", code="model_not_found", status=404)
        layers = wanted if request.her.layers is None else request.her.layers
        if "system_thinking" in layers and not self.allow_system_thinking:
            raise ApiFault(
                403,
                "system thinking is not shown here; the server must be started with --allow-system-thinking",
                kind="permission_error",
                code="layer_not_allowed",
                param="model" if request.her.layers is None else "her.layers",
            )
        return Viewer.reader(role_thinking="role_thinking" in layers, system_thinking="system_thinking" in layers)
