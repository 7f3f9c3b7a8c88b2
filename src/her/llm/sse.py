"""Server-sent events: bytes as they arrive, in whatever pieces, to the data of whole events.

Follows the event-stream rules that chat endpoints use: LF, CRLF or CR line ends, comments, several data lines to an
event. Bytes are decoded by line, so a character split between two packets is whole again. Knows nothing of chats.
"""

from her.errors import ReplyError


class EventReader:
    """Feed it bytes; it gives back the data of each event that has ended."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun: list[bytes] = []
        """Pieces of a line whose end has not come; joined once, however many they are."""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """The events that end in this chunk. Who feeds it bounds how much it may be fed."""
        if b"\n" not in chunk and b"\r" not in chunk and not self._rest.endswith(b"\r"):
            self._begun.append(chunk)
            return []
        buffer = b"".join([self._rest, *self._begun, chunk])
        self._begun.clear()
        # A CR at the very end may be half of a CRLF: it waits for the next chunk.
        held = b"\r" if buffer.endswith(b"\r") else b""
        lines = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        return [event for line in lines if (event := self._line(line)) is not None]

    def close(self) -> list[str]:
        """What an endpoint that hung up without the last blank line had still said."""
        lines = [b"".join([self._rest, *self._begun]).rstrip(b"\r"), b""]
        self._rest = b""
        self._begun.clear()
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> str | None:
        if not line:
            event, self._data = "\n".join(self._data), []
            return event or None
        field, _, value = line.partition(b":")
        if field.strip() == b"data":
            try:
                self._data.append(value.removeprefix(b" ").decode("utf-8"))
            except UnicodeDecodeError as e:
                raise ReplyError("the endpoint streams bytes that are not UTF-8") from e
        return None
