"""Flag: a doubt about a text that is kept all the same, named so that nobody uses it unaware."""

from pydantic import Field

from her.schema.record import Record


class Flag(Record):
    """One doubt. `kind` is the short name under which it is counted: `injection`, `mind_reading`, ..."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    where: str
    """The field it is about: `scenario`, `NAME.background`, `thought`, `speech`, `system_thinking`, ..."""
    detail: str = Field(max_length=200)
    """What was found, cut short."""
