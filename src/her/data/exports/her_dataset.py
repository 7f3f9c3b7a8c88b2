"""HER-Dataset's four configurations, in its field names (HER §2.1, §9): what `her data import her` reads back.

The format knows one book, one plot and one conversation a row, people by name, and each turn three times. It does not
know spans, gains, flags, aliases, additions, who made the thoughts, or ids of turns that are not numbers: those are
lost (docs/data-formats.md). `message` is in CoSER's brackets where brackets can say it.
"""

import re

from her.data.exports.chats import sample_messages
from her.errors import TagError
from her.renderers import render_coser, render_turn
from her.schema import ENVIRONMENT, Dialogue, SFTSample, Turn, Viewer

Row = dict[str, object]
CONFIGS = ("full_info", "clean", "sft_multi_turn", "sft_single_turn")
_NUMBERED = re.compile(r"(?P<book>.+)\.p(?P<plot>\d+)\.c(?P<part>\d+)")
_TURN = re.compile(r"t(\d+)")


def file_name(config: str, split: str) -> str:
    """The release's own name for training rows; others say their split."""
    return f"HER_dataset_{config}.jsonl" if split == "train" else f"HER_dataset_{config}.{split}.jsonl"


def conversation_row(dialogue: Dialogue, title: str | None, *, full: bool) -> Row:
    """A row of `full_info` or, without what led to the final text, of `clean`."""
    scene = dialogue.scene
    numbered = _NUMBERED.fullmatch(dialogue.id)
    numbered = numbered if numbered and numbered["book"] == scene.book_id else None
    plot, part = (int(numbered["plot"]), int(numbered["part"])) if numbered else (None, None)
    people = scene.characters
    profiles = {c.name: c.profile or "" for c in people}
    sheets = {
        c.name: {
            "book_name": title,
            "character": c.name,
            "character_profile": c.profile or "",
            "background": c.background or "",
            "scenario": scene.scenario,
            "topic": scene.topic or "",
            "motivation": c.motivation or "",
            "experience": "",
            "description": "",
            "other_character_profiles": {n: p for n, p in profiles.items() if n != c.name},
        }
        for c in people
    }
    speaking = list(dict.fromkeys(t.speaker for t in dialogue.turns))
    conversation = {
        "scenario": scene.scenario,
        "topic": scene.topic or "",
        "key_characters": [{"name": c.name, "motivation": c.motivation or ""} for c in people],
        "i_c": part,
        "speaking_characters_w_env": speaking,
        "major_characters": [name for name in speaking if name != ENVIRONMENT],
        "dialogues": [_turn(turn, place, full=full) for place, turn in enumerate(dialogue.turns)],
    }
    return {
        "trace_id_book_chapter": dialogue.id,
        "book_name": title,
        "chapter": scene.chapter,
        "i_p": plot,
        "plot_index": plot,
        "conv_index": part,
        "text": "",
        "summary": "",
        "key_characters": [{"name": c.name, "description": "", "experience": ""} for c in people],
        "character_datasets": sheets,
        "conversation": [conversation],
    }


class Replies:
    """Samples in a file's order as rows of `sft_single_turn` (one a reply) and `sft_multi_turn` (one a character and
    conversation: its last reply, whose history is the whole chat)."""

    def __init__(self) -> None:
        self._dialogue: str | None = None
        self._last: dict[str, Row] = {}

    def single(self, sample: SFTSample) -> Row:
        trace = f"{sample.dialogue_id}/{sample.character}"
        before = sum(m.role == "assistant" for m in sample.messages)
        return {
            "trace_id": f"{trace}_turn_{before}",
            "messages": sample_messages(sample)["messages"],
            "original_trace_id": trace,
            "turn_index": before,
            "history_turns": before,
        }

    def multi(self, sample: SFTSample) -> list[Row]:
        """The rows of the dialogue before, once `sample` belongs to another."""
        done = self.rest() if sample.dialogue_id != self._dialogue else []
        self._dialogue = sample.dialogue_id
        trace = f"{sample.dialogue_id}/{sample.character}"
        self._last[trace] = {"trace_id": trace, "messages": sample_messages(sample)["messages"]}
        return done

    def rest(self) -> list[Row]:
        """The rows of the last dialogue."""
        done, self._last = list(self._last.values()), {}
        return done


def _turn(turn: Turn, place: int, *, full: bool) -> Row:
    number = _TURN.fullmatch(turn.id)
    tagged = _tagged(turn)
    outside = turn.seen_by(Viewer.reader())
    row: Row = {
        "character": turn.speaker,
        "origin_id": [int(number[1]) if number else place],
        "enhanced_standard_format": tagged,
        "without_think": _tagged(outside) if outside.parts else "",
        "sys_thinking": turn.system_thinking or "",
    }
    return {**row, "message": _bracketed(turn, tagged), "standard_format": tagged} if full else row


def _tagged(turn: Turn) -> str:
    """Without the name, as the release has it; with it where the speech would otherwise be read as one."""
    try:
        return render_turn(turn, name_prefix=False, system_thinking=False)
    except TagError:
        return render_turn(turn, system_thinking=False)


def _bracketed(turn: Turn, tagged: str) -> str:
    try:
        return render_coser(turn)
    except TagError:
        return tagged
