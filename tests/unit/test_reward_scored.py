"""ScoredJudge: the likelier verdict, over both orders; and what `label:MODEL` opens."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from reward_cases import comparison, turn
from tiny_policy import make_policy

from her.llm import TrainedCard, open_scorer, save_card
from her.llm.model import Score, ScoreItem
from her.reward.brief import FULL, SMALL, Brief
from her.reward.generative import LABEL_PREFILL, LABEL_REST, GenerativeJudge
from her.reward.names import open_judge, save_brief
from her.reward.pack import load_pack
from her.reward.scored import ScoredJudge
from her.schema import Comparison, Decided
from her.train.engine import quiet

PACK = load_pack(None)
LONG, SHORT = turn("It went where stones go, father."), turn("No.")


class PlaceScorer:
    """Likes the verdict for the candidate whose speech is longer, by a nat, and whoever stands first, by `habit`."""

    name = "test:place"
    fingerprint = "place-1"

    def __init__(self, *, habit: float = 0.0) -> None:
        self.habit = habit
        self.items: list[ScoreItem] = []

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        self.items += items
        return [Score(logprob=self._logprob(i.messages[-1].content, i.text), tokens=1) for i in items]

    def _logprob(self, question: str, verdict: str) -> float:
        said = {speech: question.find(speech) for speech in (LONG.speech(), SHORT.speech())}
        first_longer = said[SHORT.speech()] < 0 or 0 <= said[LONG.speech()] < said[SHORT.speech()]
        alike = min(said.values()) < 0
        gap = self.habit + (0.0 if alike else 1.0 if first_longer else -1.0)
        return -5.0 + (gap / 2 if verdict == LABEL_REST[0] else -gap / 2)


def _ask(judge: ScoredJudge, *comparisons: Comparison) -> list[Decided]:
    verdicts = asyncio.run(judge.judge(comparisons))
    assert all(isinstance(v, Decided) for v in verdicts)
    return [v for v in verdicts if isinstance(v, Decided)]


@pytest.mark.parametrize("habit", [0.0, 3.0, -3.0])
def test_swapped_candidates_swap_the_verdict_whatever_the_habit_of_position(habit: float) -> None:
    case = comparison(LONG, SHORT)
    there, back = _ask(ScoredJudge(PlaceScorer(habit=habit), PACK), case, case.swap())
    assert (there.winner, back.winner) == ("cand_1", "cand_2")
    assert there.margin == pytest.approx(1.0)
    assert back.margin == pytest.approx(-1.0)


def test_each_pair_is_asked_in_both_orders_with_both_verdicts() -> None:
    scorer = PlaceScorer()
    _ask(ScoredJudge(scorer, PACK), comparison(LONG, SHORT))
    prompts = [i.messages for i in scorer.items]
    assert [i.text for i in scorer.items] == [*LABEL_REST, *LABEL_REST]
    assert {i.prefill for i in scorer.items} == {LABEL_PREFILL}
    assert prompts[0] == prompts[1] != prompts[2] == prompts[3]
    assert asyncio.run(ScoredJudge(scorer, PACK).judge([])) == []
    assert len(scorer.items) == 4


def test_one_order_is_half_the_questions_and_keeps_the_habit() -> None:
    scorer = PlaceScorer(habit=3.0)
    judge = ScoredJudge(scorer, PACK, swap_average=False)
    there, back = _ask(judge, comparison(LONG, SHORT), comparison(SHORT, LONG))
    assert judge.positional
    assert len(scorer.items) == 4
    assert (there.margin, back.margin) == (pytest.approx(4.0), pytest.approx(2.0))


def test_within_the_band_is_a_tie_and_so_is_a_habit_alone() -> None:
    case = comparison(LONG, SHORT)
    for band, winner in ((0.5, "cand_1"), (1.5, "tie")):
        (verdict,) = _ask(ScoredJudge(PlaceScorer(), PACK, tie_band_nats=band), case)
        assert verdict.winner == winner
        assert verdict.margin == pytest.approx(1.0)
    (same,) = _ask(ScoredJudge(PlaceScorer(habit=2.0), PACK), comparison(SHORT, SHORT))
    assert same == Decided(winner="tie", margin=0.0)


def test_a_fingerprint_knows_all_that_decides() -> None:
    made = [
        ScoredJudge(PlaceScorer(), PACK),
        ScoredJudge(PlaceScorer(), PACK, brief=FULL),
        ScoredJudge(PlaceScorer(), PACK, tie_band_nats=0.1),
        ScoredJudge(PlaceScorer(), PACK, swap_average=False),
    ]
    assert len({j.fingerprint for j in made}) == 4


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("tiny") / "base")


def test_label_is_the_loop_s_judge_where_the_weights_are(base: Path) -> None:
    opened = open_judge(f"label:hf:{base}", PACK, brief=SMALL)
    assert isinstance(opened, ScoredJudge)
    looped = ScoredJudge(open_scorer(f"hf:{base}"), PACK, brief=SMALL)
    assert (opened.name, opened.fingerprint) == (looped.name, looped.fingerprint)
    case = comparison(LONG, SHORT)
    assert _ask(opened, case, case.swap()) == _ask(looped, case, case.swap())


def test_label_of_a_trained_judge_keeps_its_brief(base: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder, brief = tmp_path / "judge" / "model", Brief(max_principles=2, max_turns=1)
    with quiet():
        fresh = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=2, target_modules=["q_proj"]))
        fresh.save_pretrained(folder / "peft")
    save_brief(folder, brief)
    card = TrainedCard(
        base=f"hf:{base}",
        base_fingerprint="tiny",
        adapter=None,
        peft="peft",
        history_policy="drop_own_system",
        system_thinking=False,
        stage="judge",
        her_version="0",
    )
    save_card(folder, card)
    opened = open_judge(f"label:run:{tmp_path}", PACK)
    looped = ScoredJudge(open_scorer(f"run:{folder}"), PACK, brief=brief)
    assert (opened.name, opened.fingerprint) == (looped.name, looped.fingerprint)


def test_label_of_an_endpoint_or_a_script_is_one_token(tmp_path: Path) -> None:
    script = tmp_path / "judge.jsonl"
    script.write_text(json.dumps({"text": 'cand_1"}'}) + "\n")
    assert isinstance(open_judge(f"label:scripted:{script}", PACK), GenerativeJudge)
    assert isinstance(open_judge("label:openai:m@http://127.0.0.1:9/v1", PACK), GenerativeJudge)
