"""The account of a build: the names of its files, and the records that say what is in them and what is not."""

from her.data.gains import GainRule
from her.data.purposes import Group, Purpose, Shares
from her.data.samples import SampleRule
from her.schema import Provenance, Record

SAMPLES: dict[Purpose, str] = {"sft": "sft.jsonl", "valid": "valid.jsonl", "test": "test.jsonl"}
"""SFTSamples of a purpose."""
PROMPTS: dict[Purpose, str] = {
    "judge_sft": "judge_sft.jsonl",
    "judge_rl": "judge_rl.jsonl",
    "policy_rl": "policy_rl.jsonl",
    "test": "test_rl.jsonl",
}
"""RLPrompts of a purpose: places where candidates will be sampled."""
DIALOGUES, USES, HELD_OUT, REJECTS, CONTAMINATION = (
    "dialogues.jsonl",
    "purposes.jsonl",
    "held_out.jsonl",
    "rejects.jsonl",
    "contamination.jsonl",
)
ACCOUNTS = (DIALOGUES, USES, HELD_OUT, REJECTS, CONTAMINATION)
MANIFEST = "manifest.json"
OWN = {*SAMPLES.values(), *PROMPTS.values(), *ACCOUNTS, MANIFEST}
"""Every file that a build may write."""


class BuildConfig(Record):
    """How dialogues become samples."""

    rule: SampleRule = SampleRule()
    gain: GainRule = GainRule()
    shares: Shares = Shares()
    hold_out_titles: bool = True
    """Are the books of a held-out file held out whole? False: its scenes alone and what is near them, which is what
    the paper does with the books that its training and the test set share."""
    by: Group | None = None
    """By what purposes are dealt; None: by books where there are enough of them, else by conversation."""
    seed: int = 0


class Source(Record):
    """An input, and what is known of it."""

    file: str
    sha256: str
    origin: str | None
    """The file it was imported from; None where nothing beside it says so."""
    licence: str | None
    """As an import wrote it down beside the dialogues; None: not recorded."""
    dialogues: int
    provenance: dict[Provenance, int]


class Kept(Record):
    """What is held out by a file."""

    file: str
    sha256: str
    titles: int
    scenes: int
    unread: dict[str, int]
    """Scenes of which the title alone is held out, by why their text could not be read."""


class Assigned(Record):
    """A line of `purposes.jsonl`."""

    dialogue_id: str
    book: str | None
    group: str
    """Everything of one group has one purpose."""
    purpose: Purpose


class Rejected(Record):
    """A line of `rejects.jsonl`."""

    file: str
    """The file it is missing from; `dialogues.jsonl` for a dialogue whose id another had."""
    id: str
    reason: str
    detail: str


class Exposed(Record):
    """A line of `contamination.jsonl`: a book that a model trained on this build has met."""

    title: str
    title_sha256: str
    """Of the title's letters without subtitle, edition and articles, as `her.data.titles` folds it."""
    dialogues: dict[Purpose, int]
    """Purpose to count."""


class FileCount(Record):
    """What one file of samples or prompts holds. `targets` is `kept` and everything in `left`."""

    purpose: Purpose
    targets: int
    kept: int
    left: dict[str, int]
    """Reason to count."""
    provenance: dict[Provenance, int]
    """Of what was kept."""
    flags: dict[str, int]
    """Kind of doubt to samples that show it."""
    sha256: str


class Dealt(Record):
    """What one purpose got."""

    asked: float
    """Share of the data that was asked for."""
    achieved: float
    """Share of the target turns that it has."""
    books: int
    conversations: int
    dialogues: int
    targets: int


class Built(Record):
    """The account of a build, without clocks or paths: the same inputs give the same bytes."""

    her_version: str
    config: BuildConfig
    tokenizer: str | None
    """Fingerprint of the tokenizer by which lengths were counted; None: they were not."""
    sources: tuple[Source, ...]
    hold_outs: tuple[Kept, ...]
    held_out: dict[str, int]
    """Reason to conversations kept out."""
    by: Group
    books: int
    duplicates: int
    """Dialogues whose id another had."""
    purposes: dict[Purpose, Dealt]
    files: dict[str, FileCount]
    outputs: dict[str, str]
    """The other files, by sha256."""
