"""Other people's data as dialogues. Every refusal is named and counted; every repair is counted."""

from her.data.imports.reading import FORMATS, Format
from her.data.imports.source import Imported, Refusal, import_dialogues

__all__ = ["FORMATS", "Format", "Imported", "Refusal", "import_dialogues"]
