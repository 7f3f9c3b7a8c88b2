"""FANToM: what a character knows who was away while the others talked (Kim et al., EMNLP 2023).

Owns the card, the prompt of each kind of question, and which figures stand for it. A question's reading and worth are
in `fantom_reading.py`, sets of questions in `fantom_sets.py`.
"""

import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from her.errors import ConfigError, InputError
from her.evals.benchmarks.asked import ask_once
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.card import PROMPTING, Card, Difference, Option, Profile, Source
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used, read_records
from her.evals.benchmarks.fantom_question import Context, FantomQuestion, Kind, questions_of
from her.evals.benchmarks.fantom_reading import DISTANCE, FACT, SOUL, answer, mark, metric_of
from her.evals.benchmarks.fantom_sets import figures_of, sets_of
from her.evals.benchmarks.figure import Figure, mean_figure, mean_figures
from her.evals.benchmarks.item import Exam, Refused
from her.evals.benchmarks.mark import Control, ItemScore, Mark
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.controls import choice_controls
from her.evals.benchmarks.upstream.fantom import FantomSet
from her.evals.benchmarks.wording import wording
from her.llm.model import Request
from her.schema import Message

_FILE, _LARGEST = "fantom_v1.json", 256 << 20
_ASKED: dict[Kind, str] = {
    "fact": "fantom_sentence",
    "belief distance": "fantom_sentence",
    "belief choice": "fantom_letter",
    "answerability list": "fantom_names",
    "answerability yes/no": "fantom_yes_no",
    "info-access list": "fantom_names",
    "info-access yes/no": "fantom_yes_no",
}


class Fantom(Benchmark[FantomQuestion]):
    """The benchmark."""

    item = FantomQuestion
    card = Card(
        name="fantom",
        title="FANToM",
        family="theory of mind",
        measures="Who knows what in a conversation that people leave and rejoin, asked in seven ways.",
        paper="Kim et al., EMNLP 2023",
        language="English",
        sources=(
            Source(
                where="github.com/skywalker023/fantom, fantom_v1.json in fantom.tar.gz",
                licence="code MIT, data for evaluation only",
                url="https://storage.googleapis.com/ai2-mosaic-public/projects/fantom/fantom.tar.gz",
                sha256="1d08dfa0ea474c7f83b9bc7e3a7b466eab25194043489dd618b4c5223e1253a4",
            ),
        ),
        mini="theory_of_mind/fantom.jsonl",
        headline=SOUL,
        scale=(0.0, 1.0),
        higher_is_better=True,
        parts=(),
        judged=False,
        uses=(),
        whole_clusters=True,
        profiles=(
            Profile(name="fixed", meaning="ours: what cannot be read is unscored", options={}),
            Profile(
                name="upstream",
                meaning="as the original grades: by how a reply begins and what letters it contains",
                options={"form": "plain"},
            ),
            Profile(
                name="soul",
                meaning="as SOUL asks and grades: step by step, no fact and no free belief question; no answer tag "
                "is a wrong answer",
                options={"prompting": "cot", "questions": "soul"},
            ),
        ),
        one_profile=None,
        differences=(
            Difference(
                what="a reply without a readable answer",
                upstream="wrong; in SOUL whatever is not in a closed <answer> tag is",
                fixed="unscored and counted; a letter, its text, a yes or no at the start are read as well",
                why="a format is not a theory of mind: CoSER-8B scores .03 where guessing earns far more",
            ),
            Difference(
                what="distance of a free belief answer",
                upstream="cosine of all-roberta-large-v1 embeddings to the right and to the wrong answer",
                fixed="in all profiles: the answer more of whose own words the reply has; as near to both is unscored "
                "(in upstream wrong). The metrics that rest on it are named lexical",
                why="no embedding model runs here; published distance and ALL* do not compare, ALL does",
            ),
            Difference(
                what="names in list answers",
                upstream="the letters anywhere in the reply: Al is in Alice (SOUL: whole words)",
                fixed="whole words",
                why="a name inside another was not given",
            ),
            Difference(
                what="both yes and no in one reply",
                upstream="a yes (SOUL: wrong)",
                fixed="unscored",
                why="nobody can tell which was meant",
            ),
            Difference(
                what="an answer form to keep to",
                upstream="none is asked for (SOUL: an <answer> tag)",
                fixed="an <answer> tag; `--set form=plain` for none",
                why="a tag keeps reasoning and answer apart",
            ),
            Difference(
                what="order of the two options",
                upstream="drawn in sequence from one seed",
                fixed="in all profiles: drawn from the set's id",
                why="a limit or another order of records must not turn the options",
            ),
            Difference(
                what="questions whose right and wrong answer are the same (13 facts of the published file)",
                upstream="asked",
                fixed="refused, in all profiles",
                why="one of the two was filed wrongly, and nobody can tell which",
            ),
            Difference(
                what="wording of instructions",
                upstream="the original's",
                fixed="our own words, in all profiles; step by step is one call, not two",
                why="prompts of others are not copied here; a number of another wording is another number",
            ),
        ),
        options=(
            Option(
                name="context",
                choices=("short", "full"),
                default="short",
                meaning="the stretch around what was missed, or the whole conversation",
            ),
            Option(
                name="aggregate",
                choices=("set", "part", "conversation"),
                default="set",
                meaning="over what ALL and ALL* ask for every answer to be right; conversation needs context=full",
            ),
            Option(
                name="questions",
                choices=("all", "soul"),
                default="all",
                meaning="every kind, or those that SOUL averages: no fact, no free belief question",
            ),
            PROMPTING,
            Option(
                name="form",
                choices=("tagged", "plain"),
                default="tagged",
                meaning="ask for an <answer> tag, or for nothing but the answer",
            ),
            Option(
                name="max_tokens",
                choices=(),
                default="auto",
                meaning="longest reply; auto: 128 standard, 1024 step by step",
            ),
        ),
        published=(
            "FANToM (short, by set): human ALL .875; GPT-4-1106 ALL .002, ALL* .000, belief choice .519, belief "
            "distance .203, answerability list .285 and yes/no F1 .506, info-access list .087 and yes/no F1 .778",
            "SOUL mean (18 held-out conversations, 1,086 questions, profile soul): Ditto-8B .95, GPT-5.4 .90, HER-32B "
            ".55, CoSER-8B .03",
        ),
    )

    def load(self, data: Path, settings: Settings) -> Exam[FantomQuestion]:
        """The published archive, the JSON in it (a list of sets), or JSON Lines of sets."""
        options = settings.options
        context: Context = "short" if options["context"] == "short" else "full"
        if options["aggregate"] == "conversation" and context == "short":
            raise ConfigError("fantom: a whole conversation is not in the short context; add --set context=full")
        found: list[FantomQuestion | Refused] = []
        seen: set[str] = set()
        for where, row in _sets(data):
            if row.set_id in seen:
                found.append(Refused(where=where, reason="another set has the same set_id"))
                continue
            seen.add(row.set_id)
            found += questions_of(row, context, where=where)
        items = [f for f in found if isinstance(f, FantomQuestion)]
        if options["questions"] == "soul":
            items = [i for i in items if metric_of(i.kind) == SOUL]
        refused = tuple(f for f in found if isinstance(f, Refused))
        return Exam(items=tuple(items), refused=refused, data=data_used(data, self.card))

    async def play(self, item: FantomQuestion, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """One call."""
        cot = settings.options["prompting"] == "cot"
        longest = settings.options["max_tokens"]
        prompt = wording(
            "fantom",
            how=wording("fantom_cot" if cot else "fantom_standard"),
            conversation=item.conversation,
            question="\n".join(
                (
                    *_target(item),
                    f"Question: {item.question}",
                    *(f"({letter}) {text}" for letter, text in item.options.items()),
                )
            ),
            asked=wording(_ASKED[item.kind]),
            form=wording(f"fantom_{settings.options['form']}"),
        )
        request = Request(
            messages=(Message(role="user", content=prompt),),
            max_tokens=(1024 if cot else 128) if longest == "auto" else int(longest),
            temperature=0.0,
            seed=settings.seed_of(item.id, repeat),
        )
        asked = await ask_once(cast.player, request, key="answer", role="player")
        return Play(item_id=item.id, repeat=repeat, asked=(asked,), lines=(), counts={})

    def marks(self, item: FantomQuestion, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """What the answer is worth by the profile's grader."""
        return (mark(item, play.reply("answer").returned, settings.profile),)

    def controls(self, item: FantomQuestion, play: Play, settings: Settings) -> tuple[Control, ...]:
        """What blind guessers would earn on the questions of the headline. For a list, every choice of names is an
        option: nobody is the shortest, everybody the longest."""
        if item.kind == "belief choice":
            return tuple(c for c in choice_controls(item.options, item.right[0]) if c.name != "first option")
        if metric_of(item.kind) != SOUL:
            return ()
        if item.kind.endswith("list"):
            blind = (1 / 2 ** len((*item.right, *item.wrong)), float(not item.right), float(not item.wrong))
        else:
            blind = (0.5, float(item.right[0] == "no"), float(item.right[0] == "yes"))
        names = ("random option", "shortest option", "longest option")
        return tuple(Control(name=name, value=value) for name, value in zip(names, blind, strict=True))

    def answers(self, item: FantomQuestion, play: Play, settings: Settings) -> tuple[str | None, str | None]:
        """What was read, and what is right; names are joined by `|`."""
        return answer(item, play.reply("answer").returned, settings.profile), "|".join(item.right)

    def derived(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[ItemScore, ...]:
        """Every set whose information somebody cannot know: were all its questions right?"""
        return sets_of(scores, access="inaccessible", aggregate=settings.options["aggregate"])

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """SOUL's mean by kind, accessibility and order; then what is published of inaccessible information, and the
        same of accessible information, which is its control."""
        scale, seed = self.card.scale, settings.seed
        found = [*mean_figures(scores, seed=seed, scale=scale, metrics=(SOUL,))]
        for access in ("inaccessible", "accessible"):
            found += figures_of(scores, access=access, aggregate=settings.options["aggregate"], seed=seed)
        for order in sorted({s.facets["order"] for s in scores if "order" in s.facets}):
            inside = [s for s in scores if s.facets.get("order") == order]
            found.append(mean_figure(inside, DISTANCE, seed=seed, scale=scale, group=f"order: {order}"))
        found.append(mean_figure(scores, FACT, seed=seed, scale=scale))
        return tuple(f for f in found if f.estimate.n or f.unscored)


def _sets(data: Path) -> list[tuple[str, FantomSet]]:
    """Every set with its place; `fantom_v1.json` is taken out of the archive in which it is published."""
    if not data.name.endswith(".tar.gz"):
        return list(read_records(data, FantomSet))
    try:
        with tarfile.open(data, "r:gz") as archive, TemporaryDirectory() as folder:
            member = next((m for m in archive if m.isfile() and Path(m.name).name == _FILE), None)
            file = None if member is None or member.size > _LARGEST else archive.extractfile(member)
            if file is None:
                raise InputError(f"{data.name} has no {_FILE} of at most {_LARGEST >> 20} MiB; give --data {_FILE}")
            path = Path(folder) / _FILE
            path.write_bytes(file.read())
            return list(read_records(path, FantomSet))
    except (tarfile.TarError, EOFError, zlib.error) as e:
        raise InputError(f"{data.name} is not a whole .tar.gz archive: {e}; fetch it again") from e


def _target(item: FantomQuestion) -> tuple[str, ...]:
    """What a question about knowing refers to: a question that somebody can answer, or a piece of information."""
    if not item.target:
        return ()
    return (f"{'Target' if item.kind.startswith('answerability') else 'Information'}: {item.target}",)


FANTOM = Fantom()
