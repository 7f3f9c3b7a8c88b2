"""A model that says what it was told to say: for tests, demonstrations and dry runs, with no luck in it.

Public because it is a real `ChatModel`, used wherever a real one may be. Same request, same reply, in whatever order
and however many at a time they come: a line with `match` (a regular expression, searched in the last message and in
the system message) answers what it matches, the first such line in file order winning; the other lines share the
remaining requests by the request's hash. A request that nothing answers is a `ReplyError`.
"""

import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from her.errors import InputError, ReplyError
from her.llm.model import Delta, FinishReason, Reply, Request, Usage
from her.schema import Record
from her.store import canonical, read_text, sha256_text


class ScriptedReply(Record):
    """One line of a script."""

    text: str
    match: str | None = None
    reasoning: str | None = None
    finish_reason: FinishReason = "stop"


class ScriptedModel:
    """A `ChatModel` over a list of replies. `requests` keeps what was asked, in order of arrival."""

    def __init__(self, replies: Sequence[ScriptedReply | str], *, name: str = "scripted:memory") -> None:
        self.name = name
        self.replies = tuple(ScriptedReply(text=r) if isinstance(r, str) else r for r in replies)
        self.fingerprint = "scripted:" + sha256_text(canonical([r.model_dump(mode="json") for r in self.replies]))[:32]
        self.requests: list[Request] = []
        self._matching = [(_compile(r.match, name), r) for r in self.replies if r.match is not None]
        self._free = [r for r in self.replies if r.match is None]

    @classmethod
    def read(cls, path: Path) -> "ScriptedModel":
        """A script from a JSONL file."""
        replies = []
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip():
                continue
            try:
                replies.append(ScriptedReply.model_validate_json(line))
            except ValidationError as e:
                first = e.errors()[0]
                where = f"{path}:{number}"
                raise InputError(
                    f"{where}: not a scripted reply: {first['msg']} at {first['loc']}; "
                    'a line is like {"match": "optional regex", "text": "..."}'
                ) from e
        return cls(replies, name=f"scripted:{path}")

    async def reply(self, request: Request) -> Reply:
        """The line that answers this request."""
        self.requests.append(request)
        line = self._find(request)
        read = sum(len(m.content.split()) for m in request.messages)
        usage = Usage(prompt_tokens=read, completion_tokens=len(line.text.split()))
        return Reply(text=line.text, reasoning=line.reasoning, finish_reason=line.finish_reason, usage=usage)

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The same line, word by word."""
        reply = await self.reply(request)
        if reply.reasoning:
            yield Delta(reasoning=reply.reasoning)
        for piece in re.findall(r"\s*\S+|\s+$", reply.text):
            yield Delta(text=piece)
        yield Delta(finish_reason=reply.finish_reason, usage=reply.usage)

    async def close(self) -> None:
        """Nothing to close."""

    def _find(self, request: Request) -> ScriptedReply:
        last = request.messages[-1].content if request.messages else ""
        first = request.messages[0] if request.messages else None
        system = first.content if first is not None and first.role == "system" else ""
        for pattern, line in self._matching:
            if pattern.search(last) or pattern.search(system):
                return line
        if not self._free:
            raise ReplyError(
                f"{self.name}: no line answers {last[:80]!r}; add a line that matches it, or one without match"
            )
        digest = sha256_text(canonical(request.model_dump(mode="json")))
        return self._free[int(digest, 16) % len(self._free)]


def _compile(pattern: str, name: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error as e:
        raise InputError(f"{name}: {json.dumps(pattern)} is not a regular expression: {e}; mend the line") from e
