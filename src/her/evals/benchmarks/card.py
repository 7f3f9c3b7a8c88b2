"""Card: what a benchmark is, said in data: `her eval describe` prints it and a law test checks it."""

from typing import Literal

from her.errors import ConfigError
from her.evals.benchmarks.cast import Part
from her.evals.benchmarks.settings import Settings
from her.schema import Record

Family = Literal["theory of mind", "choices", "persona", "user", "scenes"]
SOCIAL_SKILLS: tuple[Family, ...] = ("theory of mind", "choices")
"""What narrow role-play training destroys first, and the gate guards."""


class Difference(Record):
    """One point in which two profiles differ."""

    what: str
    upstream: str
    fixed: str
    why: str


class Profile(Record):
    """A way of holding the exam."""

    name: str
    meaning: str
    options: dict[str, str]
    """Options that this profile sets otherwise than by default."""


class Option(Record):
    """A setting of one benchmark, `--set NAME=VALUE`."""

    name: str
    choices: tuple[str, ...]
    """Empty: any text."""
    default: str
    meaning: str


PROMPTING = Option(
    name="prompting",
    choices=("standard", "cot"),
    default="standard",
    meaning="ask for the answer alone, or for thinking step by step",
)
"""Of every benchmark that asks questions."""


class Source(Record):
    """Where the published data are. They are read from disk or the hub, and never shipped."""

    where: str
    """For people: repository or data set, and file."""
    licence: str
    url: str | None
    """What `--data hub` reads: an https URL, or `hf:OWNER/NAME@REVISION/PATH`. None: it has to be fetched by hand."""
    sha256: str | None
    """Of the file at `url`; None where nobody has published it. What was read is hashed either way."""


class Card(Record):
    """A benchmark's card."""

    name: str
    title: str
    family: Family
    measures: str
    paper: str
    language: str
    sources: tuple[Source, ...]
    mini: str
    """Our own set in the same schema, below `evals/mini/`."""
    headline: str
    """The metric that comparisons and the gate are about."""
    scale: tuple[float, float]
    """Least and greatest value of the headline."""
    higher_is_better: bool
    parts: tuple[Part, ...]
    """Who plays, besides the examined model."""
    judged: bool
    """Does a judge model score it?"""
    uses: tuple[Literal["thoughts", "system_thinking"], ...]
    """Which of the two settings mean something here."""
    whole_clusters: bool
    """Does a limit have to keep clusters entire?"""
    profiles: tuple[Profile, ...]
    one_profile: str | None
    """Why there is only one profile; None where there are several."""
    differences: tuple[Difference, ...]
    options: tuple[Option, ...]
    published: tuple[str, ...]
    """Published numbers that one may want to compare with, each with what stands in the way."""

    def settle(self, settings: Settings) -> Settings:
        """Settings with every option of the benchmark filled in. Refuses unknown profiles, options and values."""
        profile = next((p for p in self.profiles if p.name == settings.profile), None)
        if profile is None:
            known = ", ".join(p.name for p in self.profiles)
            raise ConfigError(f"{self.name} has no profile {settings.profile!r}; choose one of: {known}")
        known_options = {o.name: o for o in self.options}
        for name, value in settings.options.items():
            if name not in known_options:
                raise ConfigError(
                    f"{self.name} has no option {name!r}; its options: {', '.join(known_options) or 'none'}"
                )
            choices = known_options[name].choices
            if choices and value not in choices:
                raise ConfigError(f"{self.name}: {name} is one of {', '.join(choices)}, not {value!r}")
        defaults = {o.name: o.default for o in self.options}
        return settings.model_copy(update={"options": {**defaults, **profile.options, **settings.options}})
