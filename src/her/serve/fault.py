"""ApiFault: what went wrong with a request, in the shape every OpenAI client reads.

Owns the error body and which of our errors answers with which status. No message repeats what a client sent beyond a
field's name, and none carries a key.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from her.errors import EndpointError, HerError, InputError, ModelError


class ApiFault(Exception):
    """A refusal with its HTTP status. It ends at the server's border and never reaches a user of the library."""

    def __init__(self, status: int, message: str, *, kind: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def headers(self) -> Mapping[str, str]:
        """The `openai` client asks twice more after a 5xx unless told not to; a paid call should not be made thrice."""
        extra = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return {"x-should-retry": "true" if self.status == 429 else "false", **extra}


def invalid(message: str, *, param: str | None = None, code: str = "invalid_value", status: int = 400) -> ApiFault:
    """The client's request cannot be used."""
    return ApiFault(status, message, kind="invalid_request_error", code=code, param=param)


def unread(reason: str) -> ApiFault:
    """The model answered, and there is nothing in it that this client may see."""
    return ApiFault(
        502,
        f"the model's reply has no speech or action that can be shown ({reason}); ask again, or raise max_tokens",
        kind="upstream_error",
        code="unreadable_reply",
    )


def from_validation(error: ValidationError) -> ApiFault:
    """The first thing wrong with a request body: where and what, without the value."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # A union of shapes reports one branch's name in the path; clients only know the fields.
    where = ".".join(str(p) for p in first["loc"] if not (isinstance(p, str) and ("[" in p or p in {"str", "tuple"})))
    return invalid(f"{where or 'body'}: {first['msg']}", param=where or None)


def from_error(error: HerError) -> ApiFault:
    """What a client is told of an error of ours."""
    if isinstance(error, EndpointError):
        return ApiFault(502, str(error), kind="upstream_error", code="endpoint_error")
    if isinstance(error, ModelError):
        return ApiFault(502, str(error), kind="upstream_error", code="model_error")
    if isinstance(error, InputError):
        return invalid(str(error))
    return internal()


def internal() -> ApiFault:
    """A fault of ours: no detail leaves the machine, for a detail may quote a thought."""
    return ApiFault(500, "the server failed; its terminal says where", kind="server_error", code="internal_error")
