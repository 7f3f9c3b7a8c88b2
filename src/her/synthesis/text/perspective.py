"""Perspective: whose voice a text is in, and what such a text may not do.

Owns the checks of role thinking (the character's own first person), system thinking (about the character, third
person), actions (no pronoun for the actor) and settings. Every refusal has a short reason, under which it is counted.
"""

import re
from collections.abc import Sequence

from her.errors import TeacherError
from her.schema import Turn
from her.synthesis.text.voice import FIRST, SINGULAR, THIRD
from her.synthesis.text.wording import ends_properly, overlap, repeats_itself, shares_run, words

_MARKUP = re.compile(r"[<>{}\[\]*|]|\brole_|\bsystem_")
_TALKED_TO = re.compile(
    r"\b(?:user|assistant|AI|language model|JSON|roleplay|role-play)\b|用户|语言模型|提示词|角色扮演", re.IGNORECASE
)
_FOREIGN = re.compile(r"[\u0400-\u04ff\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]")
_ON_TOPIC = 0.25
"""Share of a text's content words that its context must hold. Chosen by reading what a 135M teacher writes."""
_COPY = 0.6
"""A thought more than so much of whose content stands in the speech only says it again."""


def check_plain(text: str, *, source: str, loop: int = 4) -> None:
    """What no written text may have: markup, talk of its making (unless the source talks so), a script that is foreign
    to the source, a run of `loop` words twice."""
    if _MARKUP.search(text):
        raise TeacherError(text, "markup")
    if talks_of_making(text, source=source):
        raise TeacherError(text, "talks_of_user")
    if _FOREIGN.search(text) and not _FOREIGN.search(source):
        raise TeacherError(text, "other_language")
    if repeats_itself(text, run=loop):
        raise TeacherError(text, "loops")


def talks_of_making(text: str, *, source: str) -> bool:
    """Does a text speak of users, models or role-play, where its source does not?"""
    own = {found.group().lower() for found in _TALKED_TO.finditer(source)}
    return any(found.group().lower() not in own for found in _TALKED_TO.finditer(text))


def _on_topic(text: str, source: str, *, least: float) -> None:
    if overlap(text, source) < least:
        raise TeacherError(text, "off_topic")
    if strangers := unknown_names(text, (), source):
        raise TeacherError(f"{strangers}: {text}", "unknown_name")


def check_thought(
    text: str,
    *,
    name: str,
    speech: str,
    context: str,
    hidden: Sequence[str],
    earlier: Sequence[str],
    max_words: int,
    example: str = "",
) -> str:
    """A character's own thought. `context`: what it was told. `hidden`: others' thoughts, which it cannot know.
    `earlier`: its own past ones."""
    check_plain(text, source=speech)
    if not 4 <= len(words(text)) <= max_words:
        raise TeacherError(text, "length")
    if not set(words(text)) & FIRST:
        raise TeacherError(text, "not_first_person")
    if re.match(rf"{re.escape(name)}\b", text) or re.search(
        rf"\b{re.escape(name)} (?:is|was|feels|thinks|wants|knows)\b", text
    ):
        raise TeacherError(text, "third_person")
    if overlap(text, speech) > _COPY or shares_run(text, speech, length=5):
        raise TeacherError(text, "copies_speech")
    if any(shares_run(text, other, length=6) for other in hidden):
        raise TeacherError(text, "reads_minds")
    if any(overlap(text, past) > 0.8 or shares_run(text, past, length=7) for past in earlier):
        raise TeacherError(text, "repeats")
    if example and shares_run(text, example, length=5):
        raise TeacherError(text, "copies_example")
    _on_topic(text, f"{context} {speech} {name}", least=_ON_TOPIC)
    return text.strip("\"'“”")


def check_plan(
    text: str,
    *,
    name: str,
    aliases: Sequence[str],
    context: str,
    reply: str,
    hidden: Sequence[str],
    earlier: Sequence[str],
    max_words: int,
    example: str = "",
) -> str:
    """System thinking: about the character, in the third person. `reply`: its words, which the plan leads to and
    does not quote. `hidden`: others' thoughts. `earlier`: plans for this character's turns before."""
    check_plain(text, source=reply or name)
    if not 6 <= len(words(text)) <= max_words:
        raise TeacherError(text, "length")
    if set(words(text)) & SINGULAR:
        raise TeacherError(text, "not_third_person")
    names_it = any(re.search(rf"\b{re.escape(form)}\b", text) for form in (name, *aliases))
    if not names_it and not set(words(text)) & THIRD:
        raise TeacherError(text, "not_about_character")
    if reply and shares_run(text, reply, length=6):
        raise TeacherError(text, "quotes_reply")
    if any(shares_run(text, other, length=6) for other in hidden):
        raise TeacherError(text, "reads_minds")
    _on_topic(text, f"{context} {reply} {name}", least=_ON_TOPIC)
    if any(shares_run(text, past, length=10) for past in earlier):
        raise TeacherError(text, "repeats")
    if example and shares_run(text, example, length=6):
        raise TeacherError(text, "copies_example")
    return text.strip("\"'“”")


def check_action(text: str, *, name: str) -> str:
    """What a character does, without naming who does it."""
    check_plain(text, source=name)
    bare = text.strip().rstrip(".!").strip()
    w = words(bare)
    if not 2 <= len(w) <= 14:
        raise TeacherError(text, "length")
    if w[0] in FIRST | {"he", "she", "they", "it", "the", "a", "an"} or set(w) & SINGULAR or bare.startswith(name):
        raise TeacherError(text, "names_actor")
    if re.search(r"[\"“”]|\b(?:says?|said|asks?|asked|thinks?|thought)\b", bare):
        raise TeacherError(text, "speech_in_action")
    return bare


def check_setting(text: str, *, dialogue: Sequence[str], max_words: int, example: str = "") -> str:
    """A sentence of a scene's card. It says what is so before the first word, and so quotes nothing that follows."""
    check_plain(text, source=" ".join(dialogue))
    if not 3 <= len(words(text)) <= max_words:
        raise TeacherError(text, "length")
    if not ends_properly(text):
        raise TeacherError(text, "unfinished")
    if set(words(text)) & SINGULAR:
        raise TeacherError(text, "not_third_person")
    if any(shares_run(text, said, length=6) for said in dialogue):
        raise TeacherError(text, "quotes_dialogue")
    if example and shares_run(text, example, length=5):
        raise TeacherError(text, "copies_example")
    return text


def thoughts_of_others(before: Sequence[Turn], name: str) -> list[str]:
    """What `name` cannot know of the turns before. For checks alone: an answer that repeats one has read a mind."""
    return [p.text for t in before if t.speaker != name for p in t.parts if p.kind == "thought"]


def unknown_names(text: str, known: Sequence[str], source: str) -> list[str]:
    """Capitalised words inside sentences that stand neither among the known names nor in the source."""
    candidates = re.findall(r"(?<=[a-z,;] )([A-Z][a-z]{2,})\b", text)
    pool = " ".join([*known, source])
    return [c for c in candidates if not re.search(rf"\b{c}", pool)]
