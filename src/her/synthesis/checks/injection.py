"""Injection: instructions to a model inside a novel, a card or a teacher's answer.

Owns what counts as one. A finding is a flag and nothing is cut: a novel may quote a command, and then the sample says
so. Text is read as a model might read it: without what cannot be seen, look-alike letters as what they pass for, and
decoded where it is coded. The rules are `lexicons/injection.toml`. No list of rules is complete: of commands worded in
ways that its author did not think of it finds about one in five. What bounds the damage is that a teacher has no
tools, that its answers are checked in code, and that control tokens are defused at the engines' door
(`her.llm.chatml`). This file makes what came through countable.
"""

import re
from collections.abc import Iterable, Iterator

from her.renderers.marks import OPENERS, Mark, match
from her.schema import Flag, Scene, Turn
from her.synthesis.checks.disguise import decoded, folded, plain, respelt
from her.synthesis.checks.lexicon import any_of, phrases

KIND = "injection"
_DETAIL = 200

_RULES = {name: re.compile(any_of("injection", name), re.DOTALL) for name in phrases("injection") if name[0] != "_"}
_ABROAD = {
    f"in_{name}": re.compile(any_of("injection_abroad", name), re.IGNORECASE) for name in phrases("injection_abroad")
}
_TOLD = re.compile(any_of("injection", "_told"))
_COMMAND = re.compile(rf"\b{any_of('injection', '_command')}\b")
_ABOUT_TEXT = re.compile(rf"\b{any_of('injection', '_about_text')}\b")
_SQUEEZED = re.compile(any_of("injection", "_squeezed"))
_WINDOW = 300
"""Characters within which three weak signs make a strong one."""
_CODED = ("override", "to_a_model", "persona", "leak", "output")
"""The rules for text that was reversed or respelt: the others would find markup where there is none."""


def find(text: str, where: str) -> tuple[Flag, ...]:
    """Flags of a text, one a rule; `where` is the field it stands in."""
    found: dict[str, str] = {}
    for rule, evidence in _findings(text):
        found.setdefault(rule, evidence)
    return tuple(
        Flag(kind=KIND, where=where, detail=f"{rule}: {' '.join(plain(evidence).split())}"[:_DETAIL])
        for rule, evidence in found.items()
    )


def in_turn(turn: Turn) -> tuple[Flag, ...]:
    """Flags of every layer of a turn. Parts of a kind are read once more together, for a command may be broken off by
    `he said` and go on behind it."""
    texts: list[tuple[str, str]] = [(p.kind, p.text) for p in turn.parts]
    if turn.system_thinking is not None:
        texts.append(("system_thinking", turn.system_thinking))
    for kind in ("thought", "action", "speech"):
        same = [p.text for p in turn.parts if p.kind == kind]
        if len(same) > 1:
            texts.append((kind, " ".join(same)))
    return _flags(texts)


def in_scene(scene: Scene) -> tuple[Flag, ...]:
    """Flags of every field of a scene's card."""
    texts = [("scenario", scene.scenario), ("topic", scene.topic or "")]
    for c in scene.characters:
        texts += [(f"{c.name}.name", " ".join((c.name, *c.aliases)))]
        for name, text in (("profile", c.profile), ("background", c.background), ("motivation", c.motivation)):
            texts.append((f"{c.name}.{name}", text or ""))
    return _flags(texts)


def _flags(texts: Iterable[tuple[str, str]]) -> tuple[Flag, ...]:
    found: dict[tuple[str, str], Flag] = {}
    for where, text in texts:
        for flag in find(text, where) if text else ():
            found.setdefault((where, flag.detail.partition(":")[0]), flag)
    return tuple(found.values())


def _findings(text: str) -> Iterator[tuple[str, str]]:
    for opener in OPENERS.finditer(text):
        if isinstance(match(text, opener.start(), final=True), Mark):
            yield "tag", text[opener.start() : opener.start() + 80]
    bare = plain(text)
    yield from _matches(_RULES, folded(bare))
    if (weak := _weak_signs(folded(bare))) is not None:
        yield "override", weak
    yield from _matches(_ABROAD, bare)
    for coded in decoded(text):
        # Whatever it says: readable words that had to be decoded were hidden from somebody.
        yield "encoded", coded
    for spelling in respelt(bare):
        yield from _matches({name: _RULES[name] for name in _CODED}, folded(spelling))
        if squeezed := _SQUEEZED.search(re.sub(r"\W+", "", folded(spelling))):
            yield "override", squeezed.group()


def _weak_signs(text: str) -> str | None:
    """What was told before is dropped or asked for, something is to be written, and it is about a text."""
    for told in _TOLD.finditer(text):
        near = text[max(0, told.start() - _WINDOW // 3) : told.start() + _WINDOW]
        rest = near.replace(told.group(), told.group().split()[-1], 1)
        if _COMMAND.search(rest) and _ABOUT_TEXT.search(near):
            return text[told.start() : told.start() + 120]
    return None


def _matches(rules: dict[str, re.Pattern[str]], text: str) -> Iterator[tuple[str, str]]:
    for name, rule in rules.items():
        if hit := rule.search(text):
            yield name, text[hit.start() : hit.start() + 120]
