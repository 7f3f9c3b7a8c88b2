"""One root error and one class for each boundary that can be crossed badly.

    HerError
    ├── InputError       a file, text or argument the user gave            (ValueError)
    ├── ConfigError      a recipe or setting                               (ValueError)
    ├── StoreError       an artefact or manifest of a run                  (OSError)
    ├── TagError         text that is not a well-formed turn               (ValueError)
    ├── ModelError       a model name, engine or endpoint                  (RuntimeError)
    │   ├── ModelNameError    no such model
    │   ├── EndpointError     the endpoint refused or is down: the run stops
    │   ├── ReplyError        the endpoint answered, but not with a reply
    │   ├── DeadLetterError   one request was given up for good: the run goes on without it
    │   └── BudgetError       a hard cap on cost was reached: the run stops
    ├── TeacherError     a teacher's answer that cannot be used            (ValueError)
    ├── VerdictError     a judge or a principle pack                       (ValueError)
    └── TrainError       a training run or its checkpoint                  (RuntimeError)

A message has three parts: what happened, where, and what to do next. The command line prints it without a traceback
and exits with `exit_code`.
"""

from typing import Literal


class HerError(Exception):
    """Root of every error this package raises on purpose."""

    exit_code = 1


class InputError(HerError, ValueError):
    """A file, text or argument that the user gave cannot be used."""

    exit_code = 2


class ConfigError(HerError, ValueError):
    """A recipe or setting is wrong."""

    exit_code = 2


class StoreError(HerError, OSError):
    """An artefact or manifest of a run is missing, damaged or from another version."""


class TagError(HerError, ValueError):
    """Text is not a well-formed turn. `position` is a character offset into the text that was read."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class ModelError(HerError, RuntimeError):
    """A model could not be had or did not answer."""

    exit_code = 3


class ModelNameError(ModelError):
    """No model has this name."""

    exit_code = 2


class EndpointError(ModelError):
    """An endpoint refused the request or is down. `status` is the HTTP status, where there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ReplyError(ModelError):
    """An endpoint answered with something that is not a reply."""


DeadReason = Literal["refused", "too_long", "unreadable", "spent", "killed_upstream"]
"""Why a request was given up. refused: the endpoint says that it never will. too_long: the same, for its length.
unreadable: no attempt brought a reply. spent: every attempt failed on the way. killed_upstream: the endpoint broke down
over it twice."""


class DeadLetterError(ModelError):
    """One request was given up for good. Behind a ledger it is recorded there, with what is needed to send it again."""

    def __init__(self, message: str, *, reason: DeadReason, attempts: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.attempts = attempts


class BudgetError(ModelError):
    """The next request could pass the cap on cost, or nobody knows what it would cost. What was paid is kept."""


class TeacherError(HerError, ValueError):
    """A teacher's answer cannot be used; `reason` is the short name under which it is counted."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class VerdictError(HerError, ValueError):
    """A principle pack or a judge is malformed. (A verdict that cannot be read is `Unparsed`, not an error.)"""


class TrainError(HerError, RuntimeError):
    """A training run cannot start or go on."""
