"""The base of every record that crosses a file or a wire: frozen, exact, comparable by value."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A value. Extra keys are refused, fields cannot be reassigned, NaN is not a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
