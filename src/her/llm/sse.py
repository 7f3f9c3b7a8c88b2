"""Server-sent events: bytes as they arrive, in whatever pieces, to the data of whole events.

Follows the event-stream rules that chat endpoints use: LF, CRLF or CR line ends, comments, several data lines to an
event. Bytes are decoded by line, so a character split between two packets is whole again. Knows nothing of chats.
"""

from her.errors import ReplyError

_LONGEST_LINE = 4 << 20


class EventReader:
    """Feed it bytes; it gives back the data of each event that has ended."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[str]:
        """The events that end in this chunk."""
        buffer = self._rest + chunk
        # A CR at the very end may be half of a CRLF: it waits for the next chunk.
        held = b"\r" if buffer.endswith(b"\r") else b""
        lines = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        if len(self._rest) > _LONGEST_LINE:
            raise ReplyError("the endpoint streams a line without end; it does not speak the event-stream format")
        return [event for line in lines if (event := self._line(line)) is not None]

    def close(self) -> list[str]:
        """What an endpoint that hung up without the last blank line had still said."""
        lines = [self._rest.rstrip(b"\r"), b""]
        self._rest = b""
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
