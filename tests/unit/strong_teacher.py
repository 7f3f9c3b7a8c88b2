"""A teacher that does what a strong model does, without luck: a real `ChatModel` for tests of the free path.

It reads its requests as a model would, from their text alone. Tests make it err by overriding one method.
"""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator

from her.llm import Delta, Reply, Request, Usage
from her.schema import Character, Dialogue, Part, Scene, Turn

NOUNS = ("door", "lamp", "river", "letter", "winter", "bread", "stair", "coat", "bell", "road", "horse", "window")
VERBS = ("leave", "speak", "wait", "forgive", "run", "listen", "pay", "laugh", "sleep", "answer", "hide", "pray")
FEELS = ("weary", "proud", "afraid", "glad", "bitter", "calm", "sorry", "angry", "curious", "lonely")


class Strong:
    """Answers every kind of request well. `requests` keeps them with the kind that was seen in each."""

    name = "test:strong"
    fingerprint = "strong"

    def __init__(self, *, reasoning: bool = False, delay: bool = False) -> None:
        self.requests: list[tuple[str, Request]] = []
        self.reasoning = reasoning
        self._delay = delay

    async def reply(self, request: Request) -> Reply:
        """The reply to one request; the same request always gets the same."""
        kind = kind_of(request)
        self.requests.append((kind, request))
        if self._delay:
            await asyncio.sleep(random.Random(request.model_dump_json()).random() / 500)
        last = request.messages[-1].content
        reply = getattr(self, kind)(last, request)
        assert isinstance(reply, Reply)
        return reply.model_copy(update={"usage": Usage(prompt_tokens=7, completion_tokens=3)})

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The reply in one piece."""
        yield Delta(text=(await self.reply(request)).text, finish_reason="stop")

    async def close(self) -> None:
        """Nothing to close."""

    def window(self, last: str, request: Request) -> Reply:
        """All turns of a window."""
        rows = [self.row(row) for row in asked_rows(last)]
        return said(json.dumps({"turns": rows}, ensure_ascii=False))

    def row(self, row: dict[str, str]) -> dict[str, str]:
        """One enriched turn of a window."""
        return {**row, "turn": self.turn(row["id"], row["speaker"], row["turn"])}

    def alone(self, last: str, request: Request) -> Reply:
        """One turn alone."""
        text = last.rpartition("The turn:\n")[2].partition("\n(It was given")[0]
        speaker = re.search(r"\n(.+?)'s notes: ", last)
        assert speaker is not None
        return said(json.dumps({"turn": self.turn(f"alone {text}", speaker[1], text)}, ensure_ascii=False))

    def turn(self, seed: str, speaker: str, text: str) -> str:
        """A turn with a thought, and an action every other time."""
        rng = random.Random(seed)
        (a, b), (c, d) = rng.sample(VERBS, 2), rng.sample(NOUNS, 2)
        # No six words in a row are the same for two turns.
        thought = rng.choice(
            (
                f"I would {a} by the {c} and not {b}",
                f"Let the {c} {a}, my own {d} can {b}",
                f"If I {a}, who minds the {c} or {d}",
                f"My {c} taught me to {a}, not to {b}",
                f"Why should I {a} for a {c}",
                f"I might {b}, as every {d} does",
            )
        )
        action = f"<role_action>turns to the {rng.choice(NOUNS)}</role_action>" if rng.random() < 0.5 else ""
        return f"<role_thinking>{thought}</role_thinking>{action if '<role_action>' not in text else ''}{text}"

    def played(self, last: str, request: Request) -> Reply:
        """A turn played before the real one is known."""
        found = re.search(r"You are ([^\n.]+?)\.", request.messages[0].content)
        assert found is not None, request.messages[0].content
        plan = plan_text(f"{found[1]}/{last}", found[1], words=60)
        if self.reasoning:
            return Reply(text=f"{found[1]}: Well.", reasoning=plan, finish_reason="stop")
        return said(f"<system_thinking>{plan}</system_thinking>{found[1]}: Well.")

    def plan(self, last: str, request: Request) -> Reply:
        """The plan that leads to a turn."""
        name, words = re.search(r"The turn of (.+?):", last), re.search(r"Write about (\d+) words", last)
        assert name is not None
        assert words is not None
        scene = re.search(r"Scene: (.*)", last)
        where = f"{name[1]} has come to this: {scene[1]} " if scene and "first turn here" in last else ""
        return said(json.dumps({"plan": where + plan_text(last, name[1], words=int(words[1]))}, ensure_ascii=False))

    def small(self, last: str, request: Request) -> Reply:
        """Any small question of extraction, answered in its form."""
        fields = json.loads(request.json_schema or "{}")["properties"]
        return said(json.dumps({name: kind.get("enum", ["Nobody can tell."])[0] for name, kind in fields.items()}))

    def setting(self, last: str, request: Request) -> Reply:
        """What the setting lacks: nothing."""
        return said('{"additions": []}')


def said(text: str) -> Reply:
    """A reply that ended by itself."""
    return Reply(text=text, finish_reason="stop")


def kind_of(request: Request) -> str:
    """Which of the free path's requests this is."""
    system, last = request.messages[0].content, request.messages[-1].content
    if system.startswith("You edit the script"):
        return "window" if "\nTurns:\n" in last else "alone"
    if system.startswith("You direct an actor"):
        return "plan"
    if system.startswith("You complete the setting"):
        return "setting"
    return "played" if request.json_schema is None else "small"


def asked_rows(last: str) -> list[dict[str, str]]:
    """The rows of a window that are asked for."""
    body = last.rpartition("\nTurns:\n")[2]
    return [json.loads(line) for line in body.split("\n") if line.startswith("{")]


def plan_text(seed: str, name: str, *, words: int) -> str:
    """A plan of about so many words about `name`, unlike any other: its things have names of their own."""
    rng = random.Random(seed)

    def thing() -> str:
        return "".join(rng.choice("bdfklmnprst") + rng.choice("aeiou") for _ in range(3))

    sentences: list[str] = []
    while sum(len(s.split()) for s in sentences) < words * 0.9:
        sentences.append(
            f"{name} would have the {thing()} but for {thing()}, and so is {rng.choice(FEELS)} of {thing()}."
        )
    return " ".join(sentences)


SAID = (
    "The boat was late again. Nobody told the harbour master.", "Then somebody must tell him tonight.",
    "Not before the lamps are lit. He reads nothing in the dark.", "He can hear well enough. You are afraid of him.",
    "I have owed him two barrels since spring.", "Two barrels! You said it was one.",
    "It was one when I said it. Sit down and eat.", "How can anyone eat with that hanging over the house?",
    "With a spoon. The soup does not know what we owe.", "You will make me laugh, and I did not come to laugh.",
)  # fmt: skip


def talk(*, turns: int = 10, ident: str = "d1") -> Dialogue:
    """A scene of two people that no book tells."""
    scene = Scene(
        id=ident,
        book_id=None,
        chapter=None,
        scenario="A kitchen above the harbour at dusk, after a storm; Anna and Paul wait for the ferry.",
        characters=(
            Character(
                name="Anna", profile="A net maker.", background="Anna pawned the silver clock.", motivation="Peace."
            ),
            Character(
                name="Paul", profile="A cooper.", background="Paul means to sail in May.", motivation="The truth."
            ),
        ),
    )
    spoken = [
        Turn(id=f"t{k}", speaker=("Anna", "Paul")[k % 2], parts=(Part(kind="speech", text=SAID[k % len(SAID)]),))
        for k in range(turns)
    ]
    return Dialogue(id=ident, scene=scene, turns=tuple(spoken), provenance="book")
