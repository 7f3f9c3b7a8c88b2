"""People's ratings: a packet tells nothing, a ballot is refused by name, agreement is what it says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rating_case import HOSTILE, PLAN, SECRET, ballot, key_of, make_run, rating_judge, speaking
from session_cases import USER, fault_judge
from typer.testing import CliRunner

from her.cli.eval import app
from her.errors import HerError, InputError
from her.evals.benchmarks.minimax import MINIMAX
from her.evals.benchmarks.rating.agreed import OVERALL, Agreed
from her.evals.benchmarks.rating.ballot import read_ballots
from her.evals.benchmarks.rating.packet import Key, make_packet
from her.llm import ScriptedModel

QUALITIES = ("interactive ability", "human-likeness", "role consistency", "contextual coherence")


def her(*words: object) -> str:
    result = CliRunner().invoke(app, [str(w) for w in words])
    if isinstance(result.exception, HerError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def run(tmp_path: Path) -> Path:
    # Something that differs from session to session, so that there is an order to agree about.
    judge = rating_judge(lambda q: 1 + len(q) % 5)
    return make_run(tmp_path / "run", speaking(f"Stay. {HOSTILE}"), USER, judge, items=6)


def exported(run: Path, *more: object) -> tuple[str, Key]:
    out = run.parent / "out"
    her("rate", "export", run, "--out", out, *more)
    return (out / "rate.html").read_text(), key_of(run)


def agreed(*words: object) -> Agreed:
    return Agreed.model_validate_json(her("rate", "import", *words, "--json"))


def test_the_page_names_no_model_no_run_no_item_and_no_thought(run: Path) -> None:
    page, key = exported(run)
    for secret in ("secret-model", "evil.example/v1", str(run), run.name, SECRET, PLAN, "scripted:", "dynsess"):
        assert secret not in page
    assert not any(f'"{e.item_id}"' in page or f">{e.item_id}<" in page for e in key.entries)
    assert sorted(p.name for p in (run.parent / "out").iterdir()) == ["rate.html"]
    assert key.packet in page
    assert page.count("looks up") == 2 * 6  # the action is for everyone: two turns of six sessions


def test_nothing_a_model_wrote_is_markup_and_only_our_script_may_run(run: Path) -> None:
    page, _ = exported(run)
    assert "<script>document" not in page
    assert "<img" not in page
    assert page.count("<script") == 1
    assert re.search(r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[^']+'; base-uri 'none'", page)
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)


def test_the_order_is_drawn_by_seed_and_the_same_seed_makes_the_same_bytes(run: Path) -> None:
    one, key = make_packet([run], seed=0, limit=None)
    assert (one, key) == make_packet([run], seed=0, limit=None)
    other, _ = make_packet([run], seed=1, limit=None)
    assert other.id != one.id
    items = [e.item_id for e in key.entries]
    assert items != sorted(items)
    assert {e.item_id for e in make_packet([run], seed=0, limit=2)[1].entries} < set(items)


def test_perfect_raters_agree_and_a_reversed_judge_does_not(run: Path, tmp_path: Path) -> None:
    _, key = exported(run)
    by_item = dict(zip(sorted({e.item_id for e in key.entries}), (1, 2, 3, 4, 5, 3), strict=True))
    files = [ballot(tmp_path / f"{r}.json", key, r, lambda item, _: by_item[item]) for r in ("Ada", "Ben")]
    found = agreed(run, *files)
    assert (found.raters, found.dialogues, found.ratings, found.missing) == (("Ada", "Ben"), 6, 48, 0)
    assert [q.quality for q in found.qualities] == [*QUALITIES, OVERALL]
    assert all(q.between.value == 1.0 and q.between.n == 6 for q in found.qualities)
    assert all(q.people.value == 3.0 for q in found.qualities)  # (1 + 2 + 3 + 4 + 5 + 3) / 6
    assert all(r.deviation.value == 0 for r in found.leniency)


def test_alpha_by_hand_and_the_milder_rater(run: Path, tmp_path: Path) -> None:
    _, key = exported(run)
    ada = ballot(tmp_path / "ada.json", key, "Ada", lambda *_: 2)
    ben = ballot(tmp_path / "ben.json", key, "Ben", lambda *_: 3)
    found = agreed(run, ada, ben)
    # Six units of 2 and 3: n2 = n3 = 6, n = 12; Do = 12/12, De = 2*36/(12*11): alpha = 1 - 132/72.
    assert found.qualities[0].between.value == pytest.approx(1 - 132 / 72)
    assert {r.judge: r.deviation.value for r in found.leniency} == {"Ada": -1.0, "Ben": 1.0}
    alone = agreed(run, ada)
    assert (alone.qualities[0].between.value, alone.leniency) == (None, ())


def test_people_are_held_against_the_judge_on_one_scale(run: Path, tmp_path: Path) -> None:
    _, key = exported(run)
    judged = {
        s["item_id"]: {m["metric"]: m["value"] for m in s["marks"] if m["judge"] is None}
        for s in map(json.loads, (run / "score" / "scores.jsonl").read_text().splitlines())
    }
    as_judge: Callable[[str, str], int] = lambda item, quality: int(judged[item][quality])  # noqa: E731
    found = agreed(run, ballot(tmp_path / "a.json", key, "Ada", as_judge))
    assert all(q.with_judge.value == pytest.approx(1.0) for q in found.qualities)
    assert all(q.rho.value == pytest.approx(1.0) and q.rho.n == 6 for q in found.qualities)
    turned = agreed(run, ballot(tmp_path / "a.json", key, "Ada", lambda i, q: 6 - as_judge(i, q)))
    assert all(q.rho.value == pytest.approx(-1.0) for q in turned.qualities)
    assert all(q.with_judge.value is not None and q.with_judge.value < 0 for q in turned.qualities)


def test_a_judge_that_could_not_be_read_is_counted_not_filled_in(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", speaking("Stay."), USER, ScriptedModel(["Hm."]), items=3)
    _, key = exported(run)
    found = agreed(run, ballot(tmp_path / "a.json", key, "Ada", lambda *_: 4))
    assert all((q.judge.value, q.unjudged) == (None, 3) for q in found.qualities)


def test_several_runs_are_mixed_unnamed_and_compared(tmp_path: Path) -> None:
    judge = rating_judge(lambda _: 3)
    runs = [
        make_run(tmp_path / name, speaking(text), USER, judge, items=6, model=f"openai:{name}@https://x.example/v1")
        for name, text in (("alpha-9b", "Stay a while."), ("zeta-70b", "Go, if you must."))
    ]
    her("rate", "export", *runs, "--out", tmp_path / "out", "--limit", 5)
    page, key = (tmp_path / "out" / "rate.html").read_text(), key_of(runs[0])
    assert key == key_of(runs[1])
    assert "alpha-9b" not in page
    assert "zeta-70b" not in page
    assert len(key.entries) == 10
    of = {e.sheet: e.model for e in key.entries}
    path = ballot(tmp_path / "a.json", key, "Ada", lambda *_: 1)
    value = json.loads(path.read_text())
    for rating in value["ratings"]:
        rating["scores"] = dict.fromkeys(rating["scores"], 2 if "alpha" in of[rating["id"]] else 4)
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"zeta-70b@https://x\.example/v1 too; name its folder with --with"):
        agreed(runs[0], path)
    first, second = agreed(runs[0], path, "--with", runs[1]).models
    assert (first.people.value, second.people.value, first.above_first) == (2.0, 4.0, None)
    assert second.above_first is not None
    assert second.above_first.difference.value == 2.0
    assert second.above_first.p == pytest.approx(2 / 2**5)  # all of five differences of one sign


def test_any_run_with_dialogues_can_be_rated(tmp_path: Path) -> None:
    judge = fault_judge(lambda place, _: ["logic"] if place == 0 else [])
    run = make_run(tmp_path / "run", speaking("Stay."), USER, judge, items=3, bench=MINIMAX, turns="20")
    _, key = exported(run)
    assert [q.name for q in key.qualities][:2] == ["basics", "logic"]
    found = agreed(run, ballot(tmp_path / "a.json", key, "Ada", lambda *_: 4))
    logic = next(q for q in found.qualities if q.quality == "logic")
    assert logic.judge.value == pytest.approx(1 + 4 * 0.9)  # 90 of 100, on the raters' scale


def test_a_dialogue_without_a_word_is_left_out_and_said(tmp_path: Path) -> None:
    silent = make_run(tmp_path / "run", ScriptedModel([f"<system_thinking>{PLAN}</system_thinking>"]), USER,
                      rating_judge(lambda _: 3), items=2)  # fmt: skip
    with pytest.raises(InputError, match="nothing can be rated"):
        exported(silent)


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(format="other"), "is not a file of ratings"),
        (lambda v: v.update(rater=" "), "does not say who rated"),
        (lambda v: v.update(extra=1), "field 'extra'"),
        (lambda v: v["ratings"][0].update(id="d99"), "dialogue 'd99' is not in the packet; it has d01 to d06"),
        (lambda v: v["ratings"].append(v["ratings"][0]), "is rated twice"),
        (lambda v: v["ratings"].pop(), "rates 5 of 6 dialogues, 'd06' not among them"),
        (lambda v: v.update(ratings=[]), "rates 0 of 6 dialogues"),
        (lambda v: v["ratings"][2]["scores"].pop("human-likeness"), "'d03' has no rating of human-likeness"),
        (lambda v: v["ratings"][0]["scores"].update(charm=3), "'charm' is not asked for"),
        (lambda v: v["ratings"][0]["scores"].update({"human-likeness": 0}), "human-likeness is 0; ratings go from 1"),
        (lambda v: v["ratings"][0]["scores"].update({"human-likeness": 6}), "human-likeness is 6; ratings go from 1"),
        (lambda v: v["ratings"][0]["scores"].update({"human-likeness": 3.5}), "ratings.0.scores.human-likeness"),
        (lambda v: v["ratings"][0]["scores"].update({"human-likeness": True}), "ratings.0.scores.human-likeness"),
        (lambda v: v["ratings"][0]["scores"].update({"human-likeness": "4"}), "ratings.0.scores.human-likeness"),
        (lambda v: v.pop("packet"), "field 'packet'"),
    ],
)
def test_a_ballot_that_does_not_fit_is_refused_by_name(run: Path, tmp_path: Path, change: Any, said: str) -> None:
    _, key = exported(run)
    path = changed(ballot(tmp_path / "a.json", key, "Ada", lambda *_: 3), change)
    with pytest.raises(InputError, match=re.escape(said)):
        agreed(run, path)


def test_foreign_doubled_and_broken_files_are_refused(run: Path, tmp_path: Path) -> None:
    _, key = exported(run)
    good = ballot(tmp_path / "a.json", key, "Ada", lambda *_: 3)
    again = ballot(tmp_path / "b.json", key, "Ada", lambda *_: 4)
    with pytest.raises(InputError, match="are both by 'Ada'"):
        agreed(run, good, again)
    foreign = changed(ballot(tmp_path / "c.json", key, "Cy", lambda *_: 3), lambda v: v.update(packet="0" * 16))
    with pytest.raises(InputError, match="made no page of packet '0000000000000000'"):
        agreed(run, foreign)
    with pytest.raises(InputError, match=f"rates packet 0000000000000000, not {key.packet}"):
        agreed(run, good, foreign)
    twice = tmp_path / "d.json"
    twice.write_text(good.read_text().replace('"rater": "Ada"', '"rater": "Ada", "rater": "Ben"'))
    with pytest.raises(InputError, match="'rater' stands twice"):
        agreed(run, twice)
    for text in ("", "[1, 2]", "{", "[" * 100_000):
        twice.write_text(text)
        with pytest.raises(HerError, match=r"d\.json"):
            agreed(run, twice)


def test_unfinished_ballots_count_where_they_are_asked_for(run: Path, tmp_path: Path) -> None:
    _, key = exported(run)
    path = ballot(tmp_path / "a.json", key, "Ada", lambda *_: 3)
    changed(path, lambda v: (v["ratings"].pop(), v["ratings"][0]["scores"].pop("human-likeness")))
    found = agreed(run, path, "--partial")
    assert (found.ratings, found.missing) == (19, 5)
    assert {q.quality: q.people.n for q in found.qualities} == {
        "interactive ability": 5, "human-likeness": 4, "role consistency": 5, "contextual coherence": 5, OVERALL: 4,
    }  # fmt: skip
    changed(path, lambda v: v.update(ratings=[]))
    with pytest.raises(InputError, match="holds no rating"):
        read_ballots([path], key, partial=True)


def test_the_table_shows_n_intervals_and_what_is_missing(run: Path, tmp_path: Path) -> None:
    _, key = exported(run)
    files = [ballot(tmp_path / f"{r}.json", key, r, lambda i, _: 1 + int(i[1:]) % 5) for r in ("Ada", "Ben")]
    changed(files[1], lambda v: v["ratings"].pop())
    said = her("rate", "import", run, *files, "--partial")
    assert "2 raters, 6 dialogues, 44 ratings" in said
    assert "4 ratings are missing" in said
