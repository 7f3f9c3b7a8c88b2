"""Playing a scene as the released evaluators do, mistakes included: CoSER's `gca_evaluation` and HER's variant of it.

Owns their loop: everyone keeps an own list of messages, what is said goes to all others without thoughts, a failed
reply is an empty turn, and a next speaker who cannot be read is drawn. Their draws come from one global
generator over a set, so that order and hash seed matter; ours follow from the scene's seed. The wording of prompts is
ours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from her.errors import TagError
from her.evals.benchmarks.asked import Asked, Lost, ask_once
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.coser_play import NOBODY, acted, lost
from her.evals.benchmarks.coser_scene import CoserItem, CoserRole, number, temperature, without_thoughts
from her.evals.benchmarks.play import Line, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.wording import wording
from her.llm.model import ChatModel, Request
from her.renderers.coser import read_coser
from her.renderers.roleplay import CONVERSATION_START
from her.renderers.tags import read_lenient, render_turn
from her.schema import ENVIRONMENT, Message, Turn
from her.simulation.next_speaker import END_CHAT

_MAY_END_FROM = 5
"""Index of the round from which the scene may end."""
_LONGEST_CALL = 1500
"""Characters of a next-speaker reply beyond which HER's variant does not read it."""
_CALL = re.compile(r"next speaker:[ \t]*([^\n]+)", re.IGNORECASE)
_WORDS = {"coser": "60", "her": "200"}
Released = Literal["coser", "her"]


@dataclass(slots=True, kw_only=True)
class Agent:
    """One who is asked, with everything it was told."""

    model: ChatModel
    role: str
    heard: list[Message] = field(default_factory=list)

    def told(self, role: Literal["system", "user", "assistant"], content: str) -> None:
        """One more message."""
        self.heard.append(Message(role=role, content=content))


async def play_released(item: CoserItem, cast: Cast, settings: Settings, *, kind: Released, repeat: int) -> Play:
    """The scene, played to its end or through its rounds."""
    draw = Random(f"{settings.seed_of(item.id, repeat)}:{item.id}")
    agents = _agents(item, cast, settings, kind)
    caller = Agent(model=cast.of("next_speaker"), role="next_speaker")
    caller.told("system", wording("coser_next_speaker", names=", ".join(item.speakers), scenario=item.scenario))
    for agent in (*agents.values(), caller):
        agent.told("user", f"{CONVERSATION_START}\n\n")
    asked: list[Asked] = []
    lines: list[Line] = []
    drawn = rounds = 0
    speaker = item.speakers[0]
    for index in range(number(settings, "rounds")):
        rounds += 1
        text = await _ask(agents[speaker], asked, settings, kind, sample=index, seed=settings.seed_of(item.id, repeat))
        line, heard = _said(speaker, text, kind)
        lines.append(line)
        for name, agent in agents.items():
            if name == speaker:
                agent.told("assistant", text)
            else:
                agent.told("user", _named(heard, speaker))
        caller.told("user", _named(heard, speaker))
        answer = await _ask(caller, asked, settings, kind, sample=index, seed=settings.seed_of(item.id, repeat))
        called = _called(answer, item.speakers, kind)
        if called == END_CHAT and index >= _MAY_END_FROM:
            break
        read = called in item.speakers and called != speaker
        if not read:
            others = sorted({*item.majors, ENVIRONMENT} - {speaker}) or sorted({*item.speakers} - {speaker})
            drawn += 1
            speaker = draw.choice([o for o in others if o in agents] or [speaker])
        caller.told("assistant", answer if read and kind == "coser" else called)
        if not read and kind == "coser":
            caller.told("user", caller.heard[0].content)
        speaker = called if read else speaker
    ended = rounds < number(settings, "rounds")
    return Play(
        item_id=item.id,
        repeat=repeat,
        asked=tuple(asked),
        lines=tuple(lines),
        counts={
            "rounds": rounds,
            "unread_turns": sum(line.by == "player" and not line.visible for line in lines),
            "drawn_speakers": drawn,
            "lost_replies": lost(asked),
            "ended_early": int(ended),
        },
    )


def _agents(item: CoserItem, cast: Cast, settings: Settings, kind: Released) -> dict[str, Agent]:
    agents = {role.name: Agent(model=cast.player, role="player") for role in item.roles}
    agents[ENVIRONMENT] = Agent(model=cast.of("environment"), role="environment")
    for role in item.roles:
        agents[role.name].told("system", _actor_prompt(item, role, settings, kind))
    agents[ENVIRONMENT].told(
        "system", wording("coser_environment", majors=", ".join(item.majors), scenario=item.scenario)
    )
    return agents


def _actor_prompt(item: CoserItem, role: CoserRole, settings: Settings, kind: Released) -> str:
    """`motivation` is read and the published file says `thought`: the section is empty there, as it is upstream."""
    form = "coser_brackets" if kind == "coser" else "coser_tags_planned" if settings.system_thinking else "coser_tags"
    others = [f"{r.name}: {r.known()}" for r in item.roles if r.name != role.name and r.known()]
    return wording(
        "coser_actor",
        name=role.name,
        book=item.book,
        profile=role.known(),
        scenario=item.scenario,
        others="\n\n".join(others),
        motivation=role.motivation or "",
        form=wording(form),
        words=_WORDS[kind],
    )


async def _ask(agent: Agent, asked: list[Asked], settings: Settings, kind: Released, *, sample: int, seed: int) -> str:
    """What an agent answers; empty where there was no reply."""
    request = Request(
        messages=_merged(agent.heard) if kind == "coser" else tuple(agent.heard),
        max_tokens=number(settings, "max_tokens"),
        temperature=temperature(settings),
        seed=seed,
        sample_index=sample,
    )
    key = f"{agent.role}-{1 + sum(a.role == agent.role for a in asked)}"
    asked.append(await ask_once(agent.model, request, key=key, role=agent.role))
    returned = asked[-1].returned
    return "" if isinstance(returned, Lost) else returned.text


def _merged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Users' messages in a row as one, with nothing between them."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role == "user":
            found[-1] = Message(role="user", content=found[-1].content + message.content)
        else:
            found.append(message)
    return tuple(found)


def _said(speaker: str, text: str, kind: Released) -> tuple[Line, str]:
    """The line as it is recorded, and what others hear of it."""
    if speaker == ENVIRONMENT:
        plain = text if kind == "coser" else _plain(text)
        return Line(speaker=speaker, by="environment", visible=plain, turn=None), without_thoughts(plain)
    turn = _read(speaker, text, kind)
    if kind == "coser":
        heard = without_thoughts(text)
        return Line(speaker=speaker, by="player", visible=heard, turn=turn), heard
    seen = None if turn is None else turn.seen_by(NOBODY)
    shown = "" if seen is None or not seen.parts else acted(seen)
    heard = "" if seen is None or not seen.parts else render_turn(seen, name_prefix=False)
    return Line(speaker=speaker, by="player", visible=shown, turn=turn), heard


def _read(speaker: str, text: str, kind: Released) -> Turn | None:
    try:
        if kind == "coser":
            return read_coser(text, speaker=speaker, turn_id="said")
        return read_lenient(text, speaker=speaker, turn_id="said").turn
    except TagError:
        return None


def _plain(text: str) -> str:
    """The Environment's reply without what it may have thought."""
    return re.sub(r"<think>.*?(?:</think>|\Z)", "", text, flags=re.DOTALL).strip()


def _named(text: str, speaker: str) -> str:
    """With the speaker's name before it, unless a line begins with it."""
    if any(line.strip().startswith((f"{speaker}:", f"{speaker}：")) for line in text.split("\n")):  # noqa: RUF001
        return text
    return f"{speaker}: {text}"


def _called(answer: str, speakers: Sequence[str], kind: Released) -> str:
    """Who is called, as each of them reads it. Whether that is somebody is the caller's to see."""
    if kind == "her" and len(answer) > _LONGEST_CALL:
        return "random"
    if named := _CALL.findall(answer):
        return str(named[-1]).strip(" *\"'.")
    if kind == "coser":
        return answer.split(":")[0].strip() if ":" in answer else answer
    first = answer.strip().split("\n")[0].strip()
    if first in (*speakers, END_CHAT):
        return first
    return next((name for name in speakers if name in answer), first)
