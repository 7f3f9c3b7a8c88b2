"""What synthesis is asked for and what it hands back: configuration, rejects, verified spans, the report.

Values only. A reject names its stage, its item and the short reason under which it is counted; nothing is lost
silently.
"""

from typing import Literal

from pydantic import Field

from her.renderers.layouts import Layouts
from her.schema import Dialogue, Plot, Record, Span

Stage = Literal[
    "source",
    "curated",
    "reading",
    "speech",
    "speaker",
    "scene",
    "setting",
    "completion",
    "role_thinking",
    "system_thinking",
]
Extraction = Literal["rules", "teacher"]
"""Who finds scenes, speakers and turns in a text: code alone, or the teacher, chunk by chunk."""


class SynthConfig(Record):
    """How a source is worked. The defaults suit a small local teacher."""

    chapters: str | None = None
    """`3`, `1-2` or `1,4-5`; None: all."""
    extract: Extraction | None = None
    """None: as suits the teacher, `rules` for a small one and `teacher` for an endpoint."""
    chunk_tokens: int = Field(default=3000, ge=200)
    """At most so many tokens of the book, as estimated, are read by the teacher at a time."""
    invented: Literal["keep", "drop"] = "drop"
    """What becomes of speech that an extracting teacher wrote and the text does not say. Kept, it is marked."""
    max_scenes: int | None = Field(default=None, gt=0)
    max_turns: int | None = Field(default=None, gt=0)
    """Turns of one dialogue at most; the rest of a longer scene is left out and counted."""
    concurrency: int = Field(default=4, gt=0)
    """Calls in flight. It changes the speed and nothing else."""
    seed: int = 0
    history_turns: int = Field(default=5, gt=0)
    """So many turns of history are shown to the teacher."""
    retries: int = Field(default=2, ge=0)
    """So many further attempts after a refused answer."""
    tell_faults: bool = False
    """Is a retry told why the last answer was refused? A very small model copies the complaint instead."""
    guided: bool = True
    """Are answers led by the hand: fixed openings, the book's own sentences chosen by number? For models of a few
    hundred million parameters; a stronger teacher writes freely."""
    temperature: float = Field(default=0.5, ge=0)
    thought_words: int = Field(default=40, gt=0)
    """Longest thought of a guided teacher."""
    system_words: int = Field(default=45, gt=0)
    """Longest plan of a guided teacher."""
    reply_tokens: int = Field(default=2048, gt=0)
    """Room for any answer of a teacher that writes freely, its own thinking included. Unused room costs nothing."""
    scene_turns: int = Field(default=16, gt=0)
    """So many turns of history are shown to a teacher that writes freely."""
    window_tokens: int = Field(default=4000, ge=200)
    """At most so many tokens of a conversation, as estimated, are enriched by one request."""
    window_overlap: int = Field(default=4, ge=0)
    """So many turns before a window are shown with it and not asked for again."""
    added_words: int = Field(default=70, gt=0)
    """A free teacher's thoughts and actions make a turn longer by at most so many words (HER: 50 to 200 characters of
    Chinese a turn)."""
    speech_kept: float = Field(default=0.9, gt=0, le=1)
    """A free teacher's copy of a speech is taken for that speech from this similarity on. The source's words are kept
    either way."""
    plan_words: int = Field(default=450, gt=0)
    """Longest plan of a free teacher (HER: 580 tokens on average)."""
    source_tokens: int = Field(default=3000, ge=100)
    """At most so many tokens of the source, as estimated, are searched for what a setting lacks."""
    profiles: bool = True
    completion: bool = True
    actions: float = Field(default=0.35, ge=0, le=1)
    """Share of turns without a book's action for which the teacher is asked for one."""


class Reject(Record):
    """Something that was made or found and is not used, and why."""

    stage: Stage
    item_id: str
    """Scene, utterance or turn; `DIALOGUE/TURN` for a turn."""
    reason: str
    detail: str = ""
    """Where the reject came from a teacher: the start of what it wrote."""


class Verified(Record):
    """Where the book says a turn's words. A turn whose words were joined from several places has several spans."""

    dialogue_id: str
    turn_id: str
    spans: tuple[Span, ...]


class SynthReport(Record):
    """Counts of one synthesis."""

    source: str
    title: str
    teacher: str
    fingerprint: str
    chapters: int
    scenes: int
    utterances: int
    attributed: dict[str, int]
    """Utterances by how their speaker was found; `unattributed` for none."""
    turns: int
    spans_verified: int
    """Turns whose speech was found in the text."""
    spans_unverified: int
    invented: int
    """Stretches of speech that an extractor wrote and the text does not say."""
    book_actions: int
    thoughts_kept: int
    drafts: dict[str, int]
    """First plans of a free teacher: `harvested` from its own thinking, or `asked` for."""
    system_thinking_kept: int
    additions_kept: int
    flags: dict[str, int]
    """Doubts about what was kept, by kind."""
    rejected: dict[str, int]
    """`stage.reason` to count of items given up."""
    refused_answers: dict[str, int]
    """`stage.reason` to count of single answers refused, retried ones included."""
    dead_letters: int
    """Requests that were given up for good. The ledger has them, to be sent again."""
    calls: dict[str, int]
    """Stage to calls made."""
    retries: int
    prompt_tokens: dict[str, int]
    """By stage, as the endpoint counted them."""
    completion_tokens: dict[str, int]
    unmetered: dict[str, int]
    """Calls by stage whose tokens the endpoint did not say."""
    layouts_before: Layouts
    """Of the turns as the source has them."""
    layouts_after: Layouts


class SynthResult(Record):
    """Everything one synthesis made."""

    book_id: str
    title: str
    dialogues: tuple[Dialogue, ...]
    rejects: tuple[Reject, ...]
    verified: tuple[Verified, ...]
    report: SynthReport
    plots: tuple[Plot, ...] = ()
    """None where the source has none: a curated file without summaries."""
