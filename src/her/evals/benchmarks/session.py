"""Session: one character and one simulated user who talk in turn. MiniMax's bench and DynSess are both played here.

Owns whose turn it is, what each of the two is shown, and what becomes of a reply that cannot be read. The character is
asked as everywhere (`Actor`), or plainly, as published benchmarks ask. Hidden layers never reach the user. A turn of
the character of which nothing can be perceived is a silence, kept and counted; a call that was given up, or a user who
cannot be read even when asked again, breaks the session off: nobody can tell what would have been said.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from her.errors import ConfigError, InputError, TagError
from her.evals.benchmarks.answer import spoken
from her.evals.benchmarks.asked import Asked, Lost, Response, ask, ask_once
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.figure import Figure, mean_figure, mean_figures
from her.evals.benchmarks.item import AnyItem, Refused
from her.evals.benchmarks.mark import ItemScore
from her.evals.benchmarks.play import Line, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.wording import wording
from her.llm.model import ChatModel, Reply, Request
from her.renderers.tags import read_lenient
from her.schema import Character, Message, Scene, Turn, Viewer
from her.simulation import Actor

PROTOCOL = "protocol"
SILENCE = "(says nothing)"
"""What a silent turn is to the other side and to a judge."""
_AGAIN = 10_007
_USER_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Who meets, and what was said before the examined model comes in."""

    id: str
    character: str
    setting: str
    user: str
    known_of_user: str | None
    """What the character knows of the user."""
    user_prompt: str
    """The simulated user's system prompt."""
    given: tuple[tuple[str, str], ...]
    """(speaker, text) of the lines of the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a session is played."""

    turns: int
    """Lines to be played, both sides counted."""
    plain: bool
    """Is the character asked as a plain chat, its setting the system prompt, instead of in HER's form?"""
    system_thinking: bool
    seed: int
    max_tokens: int
    temperature: float
    user_max_tokens: int
    user_temperature: float
    mend_user: Callable[[str], str] = field(default=str.strip)
    """What is left of a user's text."""
    ends: Callable[[str], bool] = field(default=lambda _: False)
    """Does the character's visible text end the session?"""


async def play_session(opening: Opening, cast: Cast, rules: Rules, *, repeat: int) -> Play:
    """Play `rules.turns` lines after the given ones. Whoever did not speak last begins, the user where nobody spoke."""
    scene = scene_of(opening)
    actor = Actor(cast.player, system_thinking=rules.system_thinking and not rules.plain)
    user_model = cast.of("user")
    asked: list[Asked] = []
    lines = [Line(speaker=who, by="given", visible=text.strip(), turn=None) for who, text in opening.given]
    history = [
        t for n, (who, text) in enumerate(opening.given) if (t := read_line(text, who, f"given-{n}")) is not None
    ]
    counts = {"silent_turns": 0, "user_asked_again": 0, "ended_early": 0, "broken_off": 0}
    last = lines[-1].speaker if lines else opening.character
    for number in range(1, rules.turns + 1):
        if last == opening.character:
            said, text = await _user(user_model, opening, lines, rules, number=number)
            asked.append(said)
            counts["user_asked_again"] += said.tries - 1
            if text is None:
                counts["broken_off"] = 1
                break
            turn = read_line(text, opening.user, f"user-{number}")
            lines.append(Line(speaker=opening.user, by="user", visible=text, turn=None))
            last = opening.user
        else:
            said = await _character(actor, scene, opening, history, rules, number=number)
            asked.append(said)
            if isinstance(said.returned, Lost):
                counts["broken_off"] = 1
                break
            turn = _read(actor, said.returned, scene, opening.character, number=number)
            seen = None if turn is None else turn.seen_by(Viewer.reader())
            visible = "" if seen is None else staged(seen)
            counts["silent_turns"] += not visible
            lines.append(Line(speaker=opening.character, by="player", visible=visible, turn=turn))
            last = opening.character
            if rules.ends(visible):
                counts["ended_early"] = 1
                break
        if turn is not None:
            history.append(turn)
    return Play(item_id=opening.id, repeat=repeat, asked=tuple(asked), lines=tuple(lines), counts=counts)


def broken(play: Play) -> str | None:
    """Why a session was broken off; None where it was not."""
    if not play.counts.get("broken_off"):
        return None
    last = play.asked[-1]
    return f"{last.role} lost:{last.returned.reason}" if isinstance(last.returned, Lost) else f"{last.role} unread"


def playable(
    found: Iterable[tuple[str, AnyItem]], opening: Callable[[AnyItem], "Opening"]
) -> tuple[tuple[AnyItem, ...], tuple[Refused, ...]]:
    """Of items with their places in the data, those whose opening makes a scene; the others with the reason."""
    items: list[AnyItem] = []
    refused: list[Refused] = []
    for where, item in found:
        try:
            scene_of(opening(item))
        except InputError as e:
            refused.append(Refused(where=where, reason=str(e)))
        else:
            items.append(item)
    return tuple(items), tuple(refused)


def scene_of(opening: Opening) -> Scene:
    """The scene in which the character is asked. An InputError where a name cannot be a character's."""
    try:
        return Scene(
            id=opening.id,
            book_id=None,
            chapter=None,
            scenario="",
            characters=(
                Character(name=opening.character, profile=opening.setting),
                Character(name=opening.user, profile=opening.known_of_user),
            ),
        )
    except ValueError as e:
        raise InputError(f"{opening.id}: {opening.character!r} and {opening.user!r} cannot meet in a scene: {e}") from e


def read_line(text: str, speaker: str, turn_id: str) -> Turn | None:
    """A given or a user's line as a turn, without what nobody could perceive; None where that is all of it."""
    try:
        seen = read_lenient(text, speaker=speaker, turn_id=turn_id).turn.seen_by(Viewer.reader())
    except TagError:
        return None
    return seen if seen.parts else None


def staged(seen: Turn) -> str:
    """A turn for a user or a judge: actions in brackets, speech as it is. Nothing reads this back."""
    return " ".join(f"({p.text})" if p.kind == "action" else p.text for p in seen.parts)


def mend(text: str, opening: Opening) -> str:
    """A user's text without its own name before it, without tags, and without lines written for the character."""
    own = re.sub(rf"\A\s*{re.escape(opening.user)}\s*[:\uff1a]\s*", "", text)
    own = re.split(rf"(?m)^\s*{re.escape(opening.character)}\s*[:\uff1a]", own)[0]
    turn = read_line(own, opening.user, "user")
    return "" if turn is None else staged(turn).strip()


async def _character(
    actor: Actor, scene: Scene, opening: Opening, history: Sequence[Turn], rules: Rules, *, number: int
) -> Asked:
    messages = _plain(opening, history) if rules.plain else actor.messages(scene, history, opening.character)
    request = Request(
        messages=messages,
        max_tokens=rules.max_tokens,
        temperature=rules.temperature,
        seed=rules.seed,
        sample_index=number,
    )
    return await ask_once(actor.model, request, key=f"turn-{number}", role="player")


def _plain(opening: Opening, history: Sequence[Turn]) -> tuple[Message, ...]:
    """The character's side as any chat model knows it."""
    system = wording("session_plain", name=opening.character, setting=opening.setting)
    seen = [t.seen_by(Viewer.reader()) for t in history]
    return _chat(
        system, [("assistant" if t.speaker == opening.character else "user", staged(t) or SILENCE) for t in seen]
    )


async def _user(
    model: ChatModel, opening: Opening, lines: Sequence[Line], rules: Rules, *, number: int
) -> tuple[Asked, str | None]:
    """What the user says: asked again, on another sample, until something can be read; None where nothing can."""
    turns = [("assistant" if line.speaker == opening.user else "user", line.visible or SILENCE) for line in lines]
    request = Request(
        messages=_chat(opening.user_prompt, turns),
        max_tokens=rules.user_max_tokens,
        temperature=rules.user_temperature,
        seed=rules.seed,
        sample_index=number,
    )
    returned: Response | Lost = Lost(reason="not_asked")
    for tries in range(1, _USER_TRIES + 1):
        again = request.model_copy(update={"sample_index": number + (tries - 1) * _AGAIN})
        returned = await ask(model, again)
        said = spoken(returned)
        text = rules.mend_user(mend(said, opening)) if isinstance(said, str) else ""
        if text:
            return Asked(key=f"user-{number}", role="user", returned=returned, tries=tries), text
        if isinstance(returned, Lost) and returned.reason != "no_reply":
            break
    return Asked(key=f"user-{number}", role="user", returned=returned, tries=tries), None


def _chat(system: str, turns: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    """Roles in turn, the user's first and last: what chat templates want."""
    merged: list[tuple[str, str]] = []
    for role, text in turns:
        if merged and merged[-1][0] == role:
            merged[-1] = (role, f"{merged[-1][1]}\n\n{text}")
        else:
            merged.append((role, text))
    if not merged or merged[0][0] == "assistant":
        merged.insert(0, ("user", "(The conversation begins.)"))
    if merged[-1][0] == "assistant":
        merged.append(("user", SILENCE))
    return tuple(Message.model_validate({"role": r, "content": c}) for r, c in (("system", system), *merged))


def _read(actor: Actor, returned: Response, scene: Scene, character: str, *, number: int) -> Turn | None:
    reply = Reply(text=returned.text, reasoning=returned.reasoning, finish_reason=returned.finish_reason)
    return actor.read(reply, scene, character, turn_id=f"play-{number}").turn


def count_of(settings: Settings, option: str, *, least: int) -> int:
    """An option that is a whole number. A ConfigError says what it must be."""
    text = settings.options[option]
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ConfigError(f"{option} is a whole number from {least} on, not {text!r}")
    return int(text)


def shortened(settings: Settings, full: int) -> dict[str, str]:
    """A facet that stands beside every figure of an exam with other than the protocol's `turns`; empty for it."""
    turns = count_of(settings, "turns", least=2)
    return {} if turns == full else {PROTOCOL: f"{turns} of {full} turns, not the full protocol"}


def session_figures(
    scores: Sequence[ItemScore], *, headline: str, seed: int, scale: tuple[float, float]
) -> tuple[Figure, ...]:
    """Every metric's mean, whole and by facet; that an exam is shortened stands beside the headline alone."""
    kept = [s.model_copy(update={"facets": {k: v for k, v in s.facets.items() if k != PROTOCOL}}) for s in scores]
    marked = sorted({s.facets[PROTOCOL] for s in scores if PROTOCOL in s.facets})
    return (
        *(mean_figure(scores, headline, seed=seed, scale=scale, group=f"{PROTOCOL}: {m}") for m in marked),
        *mean_figures(kept, seed=seed, scale=scale),
    )
