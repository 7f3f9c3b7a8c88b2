"""`her chat`: talk to a character in the terminal.

Owns the loop, the commands and how a reply looks on a screen. What a chat *is* (history, retry, edit, save) is
`serve.session`. Text from models and people is printed without markup and without control characters.
"""

import asyncio
import contextlib
import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from her.cli.scenes import known_scenes
from her.errors import HerError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from her.llm import ChatModel
    from her.schema import Scene, Turn, Viewer
    from her.serve.session import ChatSession
    from her.simulation import Actor, Spoken

HELP = """\
Say something, or *do something* between asterisks. Commands:
  /role            show or hide the character's own thoughts
  /think           show or hide the model's plan (system thinking)
  /retry           another reply in place of the last
  /edit TEXT       rewrite the character's last reply;  /edit N TEXT rewrites turn N (a number first is always N)
  /history         what was said, with numbers
  /scene           where you are;  /scene ID begins another scene
  /save [FILE]     write the chat as a Dialogue record (JSONL)
  /help  /quit"""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_STYLES = {"speech": "", "action": "italic", "thought": "dim italic", "system_thinking": "dim"}
_AROUND = {"speech": ("", ""), "action": ("*", "*"), "thought": ("(", ")"), "system_thinking": ("[", "]\n")}


def chat(
    model: Annotated[str, typer.Option(help="Who plays: run:DIR, local:NAME, openai:MODEL@URL, scripted:FILE.")],
    character: Annotated[str, typer.Option(help="Whom it plays.")],
    scene: Annotated[str | None, typer.Option(help="A scene of the story; default: the character's first.")] = None,
    as_: Annotated[str | None, typer.Option("--as", help="Who you are; default: another of the scene's cast.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, max=5.0)] = 0.8,
    max_tokens: Annotated[int, typer.Option(min=1)] = 600,
    seed: Annotated[int, typer.Option()] = 0,
    eager: Annotated[bool, typer.Option(help="Words as they come, before it is certain they are no thought.")] = False,
) -> None:
    """Talk to a character in the terminal."""
    from rich.console import Console

    from her.llm import open_model
    from her.serve.casting import find_scene, ways_of
    from her.serve.session import ChatSession, companion
    from her.simulation import Actor

    scenes = known_scenes(model)
    place = find_scene(scenes, scene, character)
    ways = ways_of(model)
    session = ChatSession(scene=place, character=character, user=as_ or companion(place, character))
    opened = open_model(model)
    actor = Actor(
        opened,
        history_policy=ways.history_policy,
        system_thinking=ways.system_thinking,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
    )
    console = Console(highlight=False, soft_wrap=not sys.stdin.isatty())
    talk = Talk(session=session, actor=actor, scenes=scenes, console=console, eager=eager)
    with asyncio.Runner() as runner:
        try:
            talk.run(runner)
        finally:
            runner.run(_close(opened))


async def _close(model: "ChatModel") -> None:
    await model.close()


class Talk:
    """The terminal's side of a chat."""

    def __init__(
        self, *, session: "ChatSession", actor: "Actor", scenes: "list[Scene]", console: "Console", eager: bool
    ) -> None:
        self.eager = eager
        self.session = session
        self.actor = actor
        self.scenes = scenes
        self.console = console
        self.role_thinking = False
        self.system_thinking = False
        self.attempts = 0
        self.saved: Path | None = None

    def run(self, runner: asyncio.Runner) -> None:
        """Read lines until the end: `/quit`, end of input, or Ctrl-C at the prompt."""
        if isinstance(sys.stdin, io.TextIOWrapper):
            # A pipe carries UTF-8 whatever the locale says; a byte that is none must not end the chat.
            sys.stdin.reconfigure(encoding=sys.stdin.encoding if sys.stdin.isatty() else "utf-8", errors="replace")
        self._introduce()
        with contextlib.suppress(KeyboardInterrupt):
            while (line := self._line()) is not None and not self._turn(line, runner):
                continue
        self._note("The chat ends here.")

    def _turn(self, line: str, runner: asyncio.Runner) -> bool:
        """Do what one line asks; True ends the chat."""
        try:
            if line.startswith("/"):
                return self._command(line, runner)
            if line:
                self.session.say(line)
                self._reply(runner)
        except HerError as e:
            self._note(f"error: {e}", style="red")
        return False

    def _line(self) -> str | None:
        terminal = sys.stdin.isatty()
        if terminal:
            import readline  # noqa: F401 - gives `input` its line editing
        try:
            line = input(f"{self.session.user}: " if terminal else "")
        except (EOFError, KeyboardInterrupt):
            self.console.print()
            return None
        return clean(line).strip()

    def _command(self, line: str, runner: asyncio.Runner) -> bool:
        """Do what a `/word` says; True ends the chat."""
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        match word.lower():
            case "/quit" | "/exit" | "/q":
                return True
            case "/help":
                self._note(HELP)
            case "/role":
                self.role_thinking = not self.role_thinking
                self._toggled("role thinking", self.role_thinking)
            case "/think":
                self.system_thinking = not self.system_thinking
                self._toggled("system thinking", self.system_thinking)
            case "/retry":
                self._reply(runner, retry=True)
            case "/edit":
                self._edit(rest)
            case "/history":
                for number, turn in enumerate(self.session.turns, start=1):
                    self._show(turn, number=number)
            case "/scene":
                self._scene(rest)
            case "/save":
                self._save(rest)
            case _:
                self._note(f"there is no command {word}; /help lists them")
        return False

    def _reply(self, runner: asyncio.Runner, *, retry: bool = False) -> None:
        if not self.session.turns:
            self._note("nothing has been said yet; say something first")
            return
        self.attempts += 1
        try:
            spoken = runner.run(self._stream(retry=retry))
        except KeyboardInterrupt:
            self._note("\nstopped; the history is as before: /retry asks again")
            return
        except HerError:
            self.console.print()
            self._note("the history is as before; /retry asks again")
            raise
        self.console.print()
        if spoken.turn is None or not any(p.kind != "thought" for p in spoken.turn.parts):
            why = "it was empty" if spoken.unread == "nothing" else "it never came to speech or action"
            cut = "; it ran into --max-tokens" if spoken.finish_reason == "length" else ""
            self._note(
                f"{self.session.character}'s reply could not be read ({why}{cut}). "
                "The history is as before; /retry asks again.",
                style="yellow",
            )
            return
        self.session.keep(spoken.turn, retry=retry)
        if self.eager and not self.role_thinking and "orphan_close" in spoken.repairs:
            self._note("(a tag was lost: some of this may have been a thought, and is kept as one)", style="yellow")

    async def _stream(self, *, retry: bool) -> "Spoken":
        """Print a reply as it comes; what may not be seen never gets here."""
        from her.simulation import Spoken

        ink = Ink(self.console, self.session.character)
        pieces = self.actor.stream(
            self.session.scene,
            self.session.before_reply(retry=retry),
            self.session.character,
            turn_id=self.session.reply_id,
            viewer=self._viewer(),
            eager=self.eager,
            sample_index=self.attempts,
        )
        spoken: Spoken | None = None
        async with contextlib.aclosing(pieces) as stream:  # type: ignore[type-var]
            async for piece in stream:
                if isinstance(piece, Spoken):
                    spoken = piece
                else:
                    ink.write(piece.kind, piece.text, opens=piece.opens)
        ink.end()
        assert spoken is not None, "a stream ends with Spoken or an error"
        return spoken

    def _edit(self, rest: str) -> None:
        number, text = None, rest
        if found := re.match(r"(\d{1,6})\s+(\S.*)", rest):
            number, text = int(found[1]), found[2]
        if not text:
            raise InputError("/edit needs the new text: /edit TEXT, or /edit N TEXT")
        self._show(self.session.edit(text, number=number))

    def _scene(self, rest: str) -> None:
        if rest:
            chosen = next((s for s in self.scenes if s.id == rest), None)
            if chosen is None:
                raise InputError(f"there is no scene {rest!r}; /scene lists them")
            had = len(self.session.turns)
            self.session.switch(chosen)
            self._introduce()
            if had:
                self._note("The chat before is left behind.")
            return
        self._introduce()
        fit = [s for s in self.scenes if self.session.character in s.names()]
        self._note("Scenes with " + self.session.character + ": " + ", ".join(f"{s.id} ({s.topic})" for s in fit))

    def _save(self, rest: str) -> None:
        from her.store import write_jsonl

        if not self.session.turns:
            raise InputError("nothing has been said yet; there is nothing to save")
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        path = Path(rest).expanduser() if rest else self.saved or Path(f"her-chat-{stamp}.jsonl")
        if path.exists() and path != self.saved:
            raise InputError(f"{path} exists and was not saved by this chat; choose another name")
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", self.session.scene.id).strip("-") or "scene"
        write_jsonl(path, [self.session.dialogue(f"chat-{slug}-{stamp}")])
        self.saved = path
        self._note(f"saved to {path}")

    def _toggled(self, what: str, shown: bool) -> None:
        self._note(f"{what} is {'shown' if shown else 'hidden'}")
        last = next((t for t in reversed(self.session.turns) if t.speaker == self.session.character), None)
        if shown and last is not None:
            self._show(last)

    def _viewer(self) -> "Viewer":
        from her.schema import Viewer

        return Viewer.reader(role_thinking=self.role_thinking, system_thinking=self.system_thinking)

    def _show(self, turn: "Turn", *, number: int | None = None) -> None:
        seen = turn.seen_by(self._viewer())
        ink = Ink(self.console, f"[{number}] {turn.speaker}" if number else turn.speaker)
        if seen.system_thinking:
            ink.write("system_thinking", seen.system_thinking)
        for part in seen.parts:
            ink.write(part.kind, part.text)
        ink.end()
        self.console.print()

    def _introduce(self) -> None:
        scene = self.session.scene
        self._note(f"Scene {scene.id}: {scene.scenario}")
        self._note(
            f"You are {self.session.user}; {self.session.character} is played by {self.actor.model.name}. /help helps."
        )

    def _note(self, text: str, *, style: str = "cyan") -> None:
        self.console.print(clean(text), style=style, markup=False)


class Ink:
    """Prints one turn piece by piece: actions between asterisks, thoughts in brackets, plans on lines of their own."""

    def __init__(self, console: "Console", name: str) -> None:
        self._console = console
        self._name = name
        self._kind: str | None = None
        self._named = False

    def write(self, kind: str, text: str, *, opens: bool = True) -> None:
        if not (text := clean(text)):
            return
        if opens or kind != self._kind:
            self._finish()
            if kind != "system_thinking" and not self._named:
                self._print(f"{self._name}: ", "bold")
                self._named = True
            elif self._kind is not None and self._kind != "system_thinking":
                self._print(" ", "")
            self._kind = kind
            self._print(_AROUND[kind][0], _STYLES[kind])
            text = text.lstrip()
        self._print(text, _STYLES[kind])

    def end(self) -> None:
        """Close what is open."""
        self._finish()

    def _finish(self) -> None:
        if self._kind is not None:
            self._print(_AROUND[self._kind][1], _STYLES[self._kind])

    def _print(self, text: str, style: str) -> None:
        if text:
            self._console.print(text, style=style, end="", markup=False, soft_wrap=True)
            self._console.file.flush()


def clean(text: str) -> str:
    """Text without what a terminal would obey: escape sequences, carriage returns, reversals of direction."""
    return _CONTROL.sub("", text)
