"""Cohorts: groups that arrive one member at a time, and what becomes of those who come late or not at all.

Owns waiting. The first member to arrive starts the clock; when all are there, or the deadline passes, whoever is there
is scored and the others are named as absent. A trainer whose one sampler died would otherwise wait for ever with all
its siblings. Members must agree on prompt and size; one that is sent again unchanged gets the same answer (a client
that lost its connection), changed it is refused.

Cohorts live in memory: after a crash the trainer sends its members again, and the ledger behind the judge has kept
every verdict that was paid for.
"""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from her.reward.group import GroupReward
from her.reward.service.wire import GroupIn, GroupOut, MemberIn, MemberOut, ReplyIn, group_out, member_out
from her.schema import Record, RLPrompt


class Refused(Exception):
    """A request that cannot be scored, with its HTTP status. It ends at the service's border."""

    def __init__(self, status: int, code: str, message: str, *, baseline: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.baseline = baseline


class Tally(Record):
    """What the service has seen. Nothing that went wrong is missing here."""

    groups: int
    """Scored, cohorts among them."""
    open: int
    """Cohorts that wait or are being judged."""
    partial: int
    """Cohorts scored without all of their members."""
    absent: int
    late: int
    repeated: int
    """Members sent again unchanged."""
    refused: dict[str, int]
    """By code."""
    replies: int
    unknown: int
    """Replies without a reward."""
    gated: dict[str, int]
    """By the first fault."""
    games: int
    unread: dict[str, int]
    """Games without a verdict, by reason."""
    failed: int
    """Groups whose judge could not be reached."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Cohort:
    name: str
    size: int
    prompt: RLPrompt
    deadline_s: float
    members: dict[int, ReplyIn] = field(default_factory=dict)
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    work: "asyncio.Task[GroupOut] | None" = None


class Cohorts:
    """Scores whole groups, and gathers those that come in pieces. `keep`: finished cohorts remembered."""

    def __init__(
        self, reward: GroupReward, *, deadline_s: float = 120.0, most_open: int = 1024, keep: int = 4096
    ) -> None:
        self._reward = reward
        self._deadline_s = deadline_s
        self._most_open = most_open
        self._keep = keep
        self._cohorts: OrderedDict[str, _Cohort] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._gated: Counter[str] = Counter()
        self._unread: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    async def group(self, asked: GroupIn) -> GroupOut:
        """Score a whole group at once."""
        self._check(asked.prompt)
        return await self._score(asked.prompt, dict(enumerate(asked.replies)), cohort=None, size=len(asked.replies))

    async def member(self, asked: MemberIn) -> MemberOut:
        """Wait with one member for the rest of its cohort. Raises Refused."""
        self._check(asked.prompt)
        if asked.index >= asked.size:
            raise self._refusal(400, "bad_index", f"index {asked.index} in a cohort of {asked.size}; count from 0")
        cohort = self._cohorts.get(asked.cohort)
        if cohort is None:
            cohort = self._open(asked)
        if cohort.size != asked.size:
            raise self._refusal(409, "cohort_size", f"this cohort has {cohort.size} members, not {asked.size}")
        if cohort.prompt != asked.prompt:
            raise self._refusal(409, "cohort_prompt", "this cohort has another prompt; name each group anew")
        known = cohort.members.get(asked.index)
        if known is not None and known != asked.reply:
            raise self._refusal(409, "duplicate_member", f"member {asked.index} is here already, with another reply")
        if known is None and cohort.closed:
            raise await self._late(cohort, asked.index)
        if known is not None:
            self._counts["repeated"] += 1
        cohort.members[asked.index] = asked.reply
        if len(cohort.members) == cohort.size:
            cohort.whole.set()
        assert cohort.work is not None
        return member_out(await asyncio.shield(cohort.work), asked.index)

    def tally(self) -> Tally:
        counts = self._counts
        return Tally(
            groups=counts["groups"],
            open=sum(c.work is not None and not c.work.done() for c in self._cohorts.values()),
            partial=counts["partial"],
            absent=counts["absent"],
            late=counts["late"],
            repeated=counts["repeated"],
            refused=dict(sorted(self._refused.items())),
            replies=counts["replies"],
            unknown=counts["unknown"],
            gated=dict(sorted(self._gated.items())),
            games=counts["games"],
            unread=dict(sorted(self._unread.items())),
            failed=counts["failed"],
        )

    async def close(self) -> None:
        """Stop whatever still waits."""
        tasks = [c.work for c in self._cohorts.values() if c.work is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def refuse(self, code: str) -> None:
        """Count a request that was refused before it got here."""
        self._refused[code] += 1

    def _open(self, asked: MemberIn) -> _Cohort:
        done = [name for name, c in self._cohorts.items() if c.work is not None and c.work.done()]
        if len(self._cohorts) - len(done) >= self._most_open:
            raise self._refusal(429, "too_many_cohorts", f"{self._most_open} cohorts are open; come back later")
        for name in done[: max(0, len(done) - self._keep)]:
            del self._cohorts[name]
        cohort = _Cohort(
            name=asked.cohort,
            size=asked.size,
            prompt=asked.prompt,
            deadline_s=asked.deadline_s or self._deadline_s,
        )
        cohort.work = asyncio.create_task(self._run(cohort))
        self._cohorts[asked.cohort] = cohort
        return cohort

    async def _run(self, cohort: _Cohort) -> GroupOut:
        try:
            async with asyncio.timeout(cohort.deadline_s):
                await cohort.whole.wait()
        except TimeoutError:
            self._counts["partial"] += 1
            self._counts["absent"] += cohort.size - len(cohort.members)
        cohort.closed = True
        members = dict(sorted(cohort.members.items()))
        try:
            return await self._score(cohort.prompt, members, cohort=cohort.name, size=cohort.size)
        except BaseException:
            # Whoever asks again begins anew; what was paid for is in the ledger.
            if self._cohorts.get(cohort.name) is cohort:
                del self._cohorts[cohort.name]
            raise

    async def _score(self, prompt: RLPrompt, members: dict[int, ReplyIn], *, cohort: str | None, size: int) -> GroupOut:
        texts = [r.text for r in members.values()]
        try:
            score = await self._reward.score(prompt, texts, [r.finish_reason for r in members.values()])
        except Exception:
            self._counts["failed"] += 1
            raise
        self._counts["groups"] += 1
        self._counts["replies"] += len(members)
        self._counts["games"] += len(score.games)
        self._counts["unknown"] += sum(r.reward is None for r in score.replies)
        self._gated.update(r.gated for r in score.replies if r.gated is not None)
        self._unread.update(g.verdict.reason for g in score.games if g.verdict.kind == "unparsed")
        return group_out(score, list(members), cohort=cohort, size=size)

    async def _late(self, cohort: _Cohort, index: int) -> Refused:
        self._counts["late"] += 1
        assert cohort.work is not None
        group = await asyncio.shield(cohort.work)
        message = f"member {index} came after the cohort was closed, and was not scored"
        return self._refusal(409, "late_member", message, baseline=group.baseline)

    def _check(self, prompt: RLPrompt) -> None:
        if prompt.character not in prompt.scene.names():
            raise self._refusal(400, "bad_prompt", "prompt.character is nobody in prompt.scene; mend the prompt")

    def _refusal(self, status: int, code: str, message: str, *, baseline: float | None = None) -> Refused:
        self._refused[code] += 1
        return Refused(status, code, message, baseline=baseline)
