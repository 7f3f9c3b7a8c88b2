"""Scoring: the service's routes as functions from bytes to bytes.

Owns what is asked where, and the shape of a refusal (the one that OpenAI clients read). A message names fields and
never repeats what was sent: a reply holds hidden thoughts.
"""

import json
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from her.llm.ledger import Ledger
from her.reward.service.cohorts import Cohorts, Refused
from her.reward.service.wire import GroupIn, MemberIn
from her.schema import Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a JSON document."""

    status: int
    body: str


class Scoring:
    """`POST /v1/groups`, `POST /v1/members`, `GET /v1/tally`."""

    def __init__(self, cohorts: Cohorts, *, judge: str, ledger: Ledger | None = None, stage: str = "reward") -> None:
        self._cohorts = cohorts
        self._judge = judge
        self._ledger = ledger
        self._stage = stage

    async def groups(self, body: bytes) -> Answer:
        try:
            return Answer(status=200, body=(await self._cohorts.group(self._read(body, GroupIn))).model_dump_json())
        except Refused as e:
            return _refusal(e)

    async def members(self, body: bytes) -> Answer:
        try:
            return Answer(status=200, body=(await self._cohorts.member(self._read(body, MemberIn))).model_dump_json())
        except Refused as e:
            return _refusal(e)

    async def tally(self, _: bytes) -> Answer:
        """What was seen so far, and what the judge has cost."""
        paid = None if self._ledger is None else self._ledger.tally(self._stage).model_dump(mode="json")
        seen = self._cohorts.tally().model_dump(mode="json")
        return Answer(status=200, body=json.dumps({"judge": self._judge, **seen, "ledger": paid}))

    async def close(self) -> None:
        await self._cohorts.close()

    def _read(self, body: bytes, kind: type[R]) -> R:
        try:
            return kind.model_validate_json(body)
        except ValidationError as e:
            self._cohorts.refuse("bad_request")
            first = e.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join(str(p) for p in first["loc"]) or "body"
            raise Refused(400, "bad_request", f"{where}: {first['msg']}") from None


def _refusal(e: Refused) -> Answer:
    error = {"message": e.message, "type": "invalid_request_error", "param": None, "code": e.code}
    return Answer(status=e.status, body=json.dumps({"error": error, "baseline": e.baseline}))
