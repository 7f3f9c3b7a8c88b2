"""A build in the shapes that other people's tools read, with a card that says what is in it."""

from her.data.exports.export import FORMATS, Exported, Format, export

__all__ = ["FORMATS", "Exported", "Format", "export"]
