"""Gains: the arithmetic, what is scored and under which prefill, controls, and what cannot be measured."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tiny_policy import make_policy

from her.cli.loop import gain as gain_stage
from her.cli.loop.board import Board
from her.cli.loop.loop import Loop
from her.cli.loop.whole import run_loop
from her.cli.recipe import GainSettings, Recipe, RunSettings, load_recipe
from her.errors import ConfigError, DeadLetterError, EndpointError, ModelNameError
from her.llm import Ledger, LedgerScorer, Score, ScoreItem, open_scorer
from her.renderers import render_turn
from her.schema import Character, Dialogue, Part, Scene, Span, Turn
from her.stage import RunFolder
from her.store import canonical, read_jsonl, write_jsonl
from her.synthesis.gain.case import OUT_OF_ORDER, Case, GainConfig, Unmeasured, copied_share, places, source_parts
from her.synthesis.gain.measure import GainResult, gain_of, measure_gains
from her.synthesis.gain.report import GainReport, GainSummary
from her.synthesis.text.wording import words

CONFIG = GainConfig(controls=1, copy_weight=1.0)
THOUGHTS = (
    "He knows about the ninth lantern and wants me to say it.",
    "If I look at the river now he will look there as well.",
    "Nobody came up these stairs since my father went away.",
)


def say(text: str, **more: object) -> Part:
    return Part.model_validate({"kind": "speech", "text": text, **more})


def think(text: str) -> Part:
    return Part(kind="thought", text=text)


def act(text: str, **more: object) -> Part:
    return Part.model_validate({"kind": "action", "text": text, **more})


def scene(name: str = "s1", *, told: bool = True) -> Scene:
    return Scene(
        id=name,
        book_id="lamp",
        chapter=1,
        scenario="A lamp room at night.",
        characters=(Character(name="Ann", motivation="to hide the lantern"), Character(name="Ben")),
        span=Span(start=0, end=500) if told else None,
    )


def dialogue(*turns: Sequence[Part], name: str = "s1", told: bool = True) -> Dialogue:
    speakers = ("Ann", "Ben")
    return Dialogue(
        id=name,
        scene=scene(name, told=told),
        provenance="teacher",
        turns=tuple(Turn(id=f"t{i}", speaker=speakers[i % 2], parts=tuple(p)) for i, p in enumerate(turns)),
    )


STORY = dialogue(
    (think(THOUGHTS[0]), say("There are eight lamps, sir.")),
    (say("I counted nine."), think(THOUGHTS[1])),
    (say("Then you counted the moon."), think("Nobody came up these stairs."), say("Go home."), think("Hide the oil.")),
)


class EchoScorer:
    """A word is likely (-1 nat) where the turn has said it or the chat has, else not (-3); the end costs half a nat."""

    name = "test:echo"
    fingerprint = "echo-1"

    def __init__(self, *, fails_after: int | None = None) -> None:
        self.items: list[ScoreItem] = []
        self.calls = 0
        self.fails_after = fails_after

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        if self.fails_after is not None and self.calls == self.fails_after:
            raise EndpointError("out of memory")
        self.calls += 1
        self.items += items
        return [self._score(item) for item in items]

    def _score(self, item: ScoreItem) -> Score:
        heard = " ".join([item.prefill, *(m.content for m in item.messages)]).lower()
        said = item.text.lower().split()
        return Score(logprob=sum(-1.0 if w in heard else -3.0 for w in said) - 0.5, tokens=len(said) + 1)


def measured(*dialogues: Dialogue, config: GainConfig = CONFIG) -> GainResult:
    return asyncio.run(measure_gains(dialogues, scorer=EchoScorer(), config=config))


def report(*dialogues: Dialogue) -> GainReport:
    summary = GainSummary(scorer="test:echo", fingerprint="echo-1", config=CONFIG)
    summary.add(measured(*dialogues))
    return summary.report()


def cases(*dialogues: Dialogue, config: GainConfig = CONFIG) -> list[Case]:
    return [c for p in places(dialogues, config) for c in p.cases if isinstance(c, Case)]


def test_the_arithmetic() -> None:
    case = Case(layer="thought", messages=(), text="x", without="", given="", controls=("", ""), copied=0.25)
    gain = gain_of(
        case,
        given=Score(logprob=-10.0, tokens=5),
        without=Score(logprob=-15.0, tokens=6),  # one token more at the border: the divisor stays that of `given`
        controls=[Score(logprob=-12.0, tokens=5), Score(logprob=-13.0, tokens=5)],
        copy_weight=0.4,
        scorer="echo-1",
    )
    assert (gain.given, gain.without, gain.shuffled) == (-2.0, -3.0, -2.5)
    assert gain.value == pytest.approx(-2.0 - -2.5 - 0.4 * 0.25)
    assert gain.tokens == 5


def test_a_gain_end_to_end_by_hand() -> None:
    """Ben says `I counted nine.`: three words and the end, four tokens. Ann's prompt knows no word of it but "i", which
    stands inside others; neither thought says "counted" or "nine."."""
    turn = measured(STORY).dialogues[0].turns[1]
    (gain,) = turn.gains
    assert gain.tokens == 4
    assert gain.without == pytest.approx((-1 - 3 - 3 - 0.5) / 4)
    assert gain.given == gain.without == gain.shuffled
    assert gain.copied == 0.0
    assert gain.value == 0.0


def test_every_prefill_goes_on_to_the_same_words_and_is_how_turns_are_written() -> None:
    for case, turn in zip(cases(STORY), STORY.turns, strict=True):
        bare = Turn(id=turn.id, speaker=turn.speaker, parts=source_parts(turn, STORY))
        assert case.without + case.text == render_turn(bare)
        thought = " ".join(p.text for p in turn.parts if p.kind == "thought")
        whole = bare.model_copy(update={"parts": (think(thought), *bare.parts)})
        assert case.given + case.text == render_turn(whole)
    last = cases(STORY)[-1]
    assert last.text == "Then you counted the moon. Go home."
    assert "Nobody came up these stairs. Hide the oil." in last.given


def test_only_what_the_source_says_is_scored() -> None:
    turn = Turn(
        id="t",
        speaker="Ann",
        parts=(
            say("Eight."),
            act("counts on her fingers", span={"start": 3, "end": 9}),
            act("smiles, thinly"),
            say("Or nine, who knows?", invented=True),
        ),
    )
    made = dialogue(turn.parts)
    assert [p.text for p in source_parts(turn, made)] == ["Eight.", "counts on her fingers"]
    for real in (dialogue(turn.parts, told=False), made.model_copy(update={"provenance": "gold"})):
        assert [p.text for p in source_parts(turn, real)][2:] == ["smiles, thinly"]


def test_the_prompt_is_the_character_s_own_and_ends_before_the_turn() -> None:
    first, second, _ = cases(STORY)
    assert "hide the lantern" in first.messages[0].content
    assert "hide the lantern" not in second.messages[0].content
    assert THOUGHTS[0] not in "".join(m.content for m in second.messages)
    assert "I counted nine." not in "".join(m.content for m in second.messages)


def test_system_thinking_is_measured_beside_the_thought_in_one_call() -> None:
    plans = ("Ann should deny it and stay polite.", "Ben is sure of it, so he says the number.")
    planned = STORY.model_copy(
        update={
            "turns": tuple(
                t.model_copy(update={"system_thinking": p}) for t, p in zip(STORY.turns[:2], plans, strict=True)
            )
        }
    )
    scorer = EchoScorer()
    config = CONFIG.model_copy(update={"layers": ("thought", "system_thinking")})
    result = asyncio.run(measure_gains([planned], scorer=scorer, config=config))
    assert [[g.layer for g in t.gains] for t in result.dialogues[0].turns] == [["thought", "system_thinking"]] * 2
    assert scorer.calls == 2
    plan = next(i for i in scorer.items if plans[0] in i.prefill and "lamps" in i.text)
    assert plan.prefill == f"<system_thinking>{plans[0]}</system_thinking>Ann: "


@given(st.permutations(range(4)), st.integers(0, 3))
def test_a_control_is_another_turn_s_thought_of_like_length_whatever_the_order(order: list[int], seed: int) -> None:
    long = "This is a very long thought indeed, " * 8 + "and it ends."
    stories = [
        dialogue((think(THOUGHTS[0]), say("One.")), (think(THOUGHTS[0]), say("Two.")), name="a"),
        dialogue((think(THOUGHTS[1]), say("Three.")), name="b"),
        dialogue((think(THOUGHTS[2]), say("Four.")), (think(long), say("Five.")), name="c"),
        dialogue((say("Six."),), name="d"),
    ]
    config = GainConfig(controls=3, seed=seed)
    found = {p.dialogue.id + p.turn.id: p.cases[0] for p in places([stories[i] for i in order], config)}
    for place in places(stories, config):
        outcome = place.cases[0]
        assert found[place.dialogue.id + place.turn.id] == outcome
        if isinstance(outcome, Case):
            own = outcome.given.partition("<role_thinking>")[2]
            assert outcome.controls
            assert all(c.partition("<role_thinking>")[2] != own for c in outcome.controls)
            assert all(len(c) <= 1.5 * len(outcome.given) for c in outcome.controls)
    assert found["ct1"] == Unmeasured(dialogue_id="c", turn_id="t1", layer="thought", reason="no_control")
    assert found["dt0"] == Unmeasured(dialogue_id="d", turn_id="t0", layer="thought", reason="no_layer")


def test_of_one_character_s_account_only_its_own_turns_are_weighed() -> None:
    account = STORY.model_copy(update={"perspective": "Ann"})
    result = measured(account)
    assert [len(t.gains) for t in result.dialogues[0].turns] == [1, 0, 1]
    assert (report(account).turns, result.unmeasured) == (2, ())


def test_what_cannot_be_measured_has_a_reason_and_no_number() -> None:
    story = dialogue(
        (think(THOUGHTS[0]), say("Eight.")),
        (say("Nine."),),
        (think(THOUGHTS[1]), act("smiles")),
        (think(THOUGHTS[2]), say("Read </role_thinking> aloud.")),
    )
    result = measured(story)
    assert [len(t.gains) for t in result.dialogues[0].turns] == [1, 0, 0, 0]
    found = report(story)
    (layer,) = found.layers
    assert layer.unmeasured == {"no_layer": 1, "no_reply": 1, "not_renderable": 1}
    assert layer.value.n == layer.positive.n == 1
    assert [(c.name, c.value.n) for c in layer.characters] == [("Ann", 1)]
    assert found.turns == 4
    assert report(dialogue((say("Nine."),))).layers[0].value.value is None


def test_over_the_scorer_s_context_is_a_reason_and_any_other_fault_ends_the_run() -> None:
    class Narrow(EchoScorer):
        async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
            if any("lamps" in i.text for i in items):
                raise DeadLetterError("884 tokens exceed 512", reason="too_long", attempts=1)
            return await super().score(items)

    result = asyncio.run(measure_gains([STORY], scorer=Narrow(), config=CONFIG))
    assert [u.reason for u in result.unmeasured] == ["too_long"]
    with pytest.raises(EndpointError, match="memory"):
        asyncio.run(measure_gains([STORY], scorer=EchoScorer(fails_after=1), config=CONFIG))


@pytest.mark.parametrize(
    ("reply", "thought", "share"),
    [
        ("The ninth lantern burns.", "Say that the ninth lantern burns.", 1.0),
        ("The ninth lantern burns.", "He must not see the lantern.", OUT_OF_ORDER / 4),
        ("The ninth lantern burns.", "Burns, does it, lantern the ninth?", 3 * OUT_OF_ORDER / 4),
        ("Nobody lit the ninth lantern.", "The ninth lantern was dark.", 3 / 5),
        ("No.", "I shall say no.", 1.0),
        ("No.", "I shall refuse him.", 0.0),
        ("第九盏灯亮了", "第九盏灯不能亮", 4 / 6),
        ("...", "I shall say nothing.", 0.0),
    ],
)
def test_copied_is_the_share_of_the_reply_s_words_already_said(reply: str, thought: str, share: float) -> None:
    assert copied_share(reply, thought) == pytest.approx(share)


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=50)
def test_copied_is_a_share(reply: str, thought: str) -> None:
    assert 0.0 <= copied_share(reply, thought) <= 1.0
    assert copied_share(reply, reply) == pytest.approx(float(bool(words(reply))))


def test_reciting_the_reply_is_worth_less_than_a_thought_that_half_foretells_it() -> None:
    recited = dialogue(
        (think("I say: there are eight lamps, sir, and no more than that."), say("There are eight lamps, sir.")),
        (say("I counted nine."), think(THOUGHTS[1])),
    )
    (gain,) = measured(recited).dialogues[0].turns[0].gains
    assert gain.copied == 1.0
    assert gain.given > gain.shuffled
    assert gain.value < gain.given - gain.shuffled - 0.9


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"hf:{make_policy(tmp_path_factory.mktemp('tiny') / 'model')}"


def test_a_run_that_was_killed_ends_with_the_same_bytes(tiny: str, tmp_path: Path) -> None:
    class Killed(LedgerScorer):
        left = 2

        async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return await super().score(items)

    def bytes_of(result: GainResult) -> str:
        return canonical(result.model_dump(mode="json"))

    scorer = open_scorer(tiny)
    whole = asyncio.run(measure_gains([STORY], scorer=scorer, config=CONFIG))
    with Ledger(tmp_path / "ledger") as ledger:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(measure_gains([STORY], scorer=Killed(scorer, ledger, stage="gain"), config=CONFIG))
        kept = ledger.tally("gain").calls
        resumed = asyncio.run(measure_gains([STORY], scorer=LedgerScorer(scorer, ledger, stage="gain"), config=CONFIG))
    assert kept == 6
    assert bytes_of(resumed) == bytes_of(whole)


def test_the_stage_writes_gains_and_what_it_could_not_measure(tiny: str, tmp_path: Path) -> None:
    silent = dialogue((say("Nobody thinks here."),), name="s2")
    recipe = Recipe(run=RunSettings(seed=3), gain=GainSettings(measure=True, scorer=tiny, controls=1))
    gain_stage.check(recipe)
    with RunFolder(tmp_path / "run") as run, Ledger(tmp_path / "run" / "ledger.sqlite") as ledger:
        (tmp_path / "run" / "synth").mkdir()
        write_jsonl(tmp_path / "run" / "synth" / "dialogues.jsonl", [STORY, silent])
        loop = Loop(run=run, recipe=recipe, ledger=ledger, board=Board(Console(file=io.StringIO())))
        first = gain_stage.stage(loop)
        again = gain_stage.stage(loop)
    assert (first.manifest.kept, first.manifest.rejected) == (3, {"thought.no_layer": 1})
    assert again.skipped
    made = read_jsonl(gain_stage.made(loop), Dialogue)
    assert [[g.scorer[:3] for g in t.gains] for d in made for t in d.turns] == [["hf:"]] * 3 + [[]]


def test_a_recipe_asks_for_gains_and_a_run_without_them_has_no_such_stage(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[gain]\nmeasure = true\nlayers = ['thought', 'system_thinking']\ncontrols = 3\n")
    asked = load_recipe(path).gain
    assert (asked.measure, asked.controls, asked.layers) == (True, 3, ("thought", "system_thinking"))
    assert not Recipe().gain.measure
    with pytest.raises(ConfigError, match="no stage of this run is called 'gain'"):
        run_loop(Recipe(), tmp_path / "run", board=Board(Console(file=io.StringIO())), until="gain")


def test_a_scorer_without_weights_is_refused_before_anything_is_spent() -> None:
    settings = GainSettings(measure=True, scorer="openai:m@http://127.0.0.1:1/v1")
    with pytest.raises(ModelNameError, match="cannot score"):
        gain_stage.check(Recipe(gain=settings))
    gain_stage.check(Recipe(gain=settings.model_copy(update={"measure": False})))
