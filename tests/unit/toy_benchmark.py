"""A benchmark that exists for tests alone: one line is spoken, and a judge gives it 1 to 5."""

import re
from pathlib import Path
from typing import ClassVar

from her.evals.benchmarks import Benchmark, Card, Cast, Exam, Item, Judged, Line, Mark, Play, Profile, Scored, Source
from her.evals.benchmarks.asked import Asked, Lost, Response, ask_judge, ask_once
from her.evals.benchmarks.item import DataUsed
from her.evals.benchmarks.mark import Control, Finding, Unscored
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.controls import dialogue_controls
from her.llm import ChatModel, Request
from her.renderers.tags import read_lenient
from her.schema import Message


class ToyItem(Item):
    """Something to answer."""

    cue: str


class Toy(Benchmark[ToyItem]):
    """Judged by one question."""

    item = ToyItem
    card: ClassVar[Card] = Card(
        name="toy",
        title="Toy",
        family="scenes",
        measures="nothing",
        paper="none",
        language="English",
        sources=(Source(where="nowhere", licence="CC0-1.0", url=None, sha256=None),),
        mini="none",
        headline="quality",
        scale=(1.0, 5.0),
        higher_is_better=True,
        parts=("user",),
        judged=True,
        uses=("thoughts",),
        whole_clusters=False,
        profiles=(Profile(name="fixed", meaning="ours", options={}),),
        one_profile="nobody publishes it",
        differences=(),
        options=(),
        published=(),
    )

    def load(self, data: Path, settings: Settings) -> Exam[ToyItem]:
        items = tuple(
            ToyItem(id=f"i{n}", cluster=f"s{n % 3}", title=None, facets={"half": str(n % 2)}, cue=f"cue {n}")
            for n in range(6)
        )
        return Exam(items=items, refused=(), data=DataUsed(name="toy", sha256="0", licence="CC0-1.0", origin="here"))

    async def play(self, item: ToyItem, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        seed = settings.seed_of(item.id, repeat)
        cue = await ask_once(cast.of("user"), request(item.cue, seed=seed), key="cue", role="user")
        said = await ask_once(cast.player, request(item.cue, seed=seed), key="line", role="player")
        lines = []
        if isinstance(said.returned, Response):
            turn = read_lenient(said.returned.text, speaker="Mara", turn_id="t1").turn
            lines.append(Line(speaker="Mara", by="player", visible=turn.speech(), turn=turn))
        return Play(item_id=item.id, repeat=repeat, asked=(cue, said), lines=tuple(lines), counts={})

    def rating(self, returned: Response | Lost) -> int | None:
        """A judge's 1 to 5, alone."""
        found = re.fullmatch(r"[1-5]", returned.text.strip()) if isinstance(returned, Response) else None
        return None if found is None else int(found[0])

    async def judge(self, item: ToyItem, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        shown = " ".join(line.shown(settings.thoughts) for line in play.lines)
        asked = request(f"Rate from 1 to 5: {item.cue} / {shown}", seed=settings.seed_of(item.id, play.repeat))
        return (await ask_judge(judge, asked, key="quality", readable=lambda r: self.rating(r) is not None),)

    def marks(self, item: ToyItem, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        assert judged is not None
        returned = judged.reply("quality").returned
        value = self.rating(returned)
        if value is None:
            reason = "unread" if isinstance(returned, Response) else f"lost:{returned.reason}"
            return (Unscored(metric="quality", reason=reason, judge=judged.judge),)
        return (Scored(metric="quality", value=float(value), judge=judged.judge),)

    def findings(self, item: ToyItem, play: Play, judged: Judged, settings: Settings) -> tuple[Finding, ...]:
        found = Finding(metric="quality", judge=judged.judge, kind="dull", severity=1.0, line=0, text="<b>dull</b>")
        return (found,)

    def controls(self, item: ToyItem, play: Play, settings: Settings) -> tuple[Control, ...]:
        return dialogue_controls(play, reference="nine always nine")


def request(text: str, *, seed: int) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=20, temperature=0.0, seed=seed)


TOY = Toy()
