"""What makes a number trustworthy, on cases worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her.errors import ConfigError
from her.evals.benchmarks.mark import Control, ItemScore, Scored, Unscored
from her.evals.benchmarks.trust.agreement import alpha, leniency
from her.evals.benchmarks.trust.bootstrap import clustered_statistic
from her.evals.benchmarks.trust.contamination import mark_contaminated
from her.evals.benchmarks.trust.controls import choice_controls
from her.evals.benchmarks.trust.paired import detectable, paired
from her.evals.benchmarks.trust.panel import check_panel, family, panel
from her.renderers.overlap import bleu, rouge_l, words
from her.stats import clustered_score

UNITS = [
    {"x": 1.0, "y": 1.0},
    {"x": 2.0, "y": 2.0},
    {"x": 1.0, "y": 2.0},
    {"x": 3.0, "y": None},
]
"""Two raters; the last unit has one rating and says nothing.

Coincidences: unit 1 gives (1,1) twice, unit 2 (2,2) twice, unit 3 (1,2) and (2,1) once each. So o11=2, o22=2,
o12=o21=1; n1=n2=3, n=6.
Nominal: observed disagreement (1+1)/6 = 1/3; expected (3*3+3*3)/(6*5) = 18/30 = 3/5; alpha = 1 - (1/3)/(3/5) = 4/9.
Interval: each difference is (1-2)^2 = 1, so the same. Ordinal: (n1 + n2 - (n1 + n2)/2)^2 = 9 on both sides: the same.
"""


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_of_two_values_by_hand(level: str) -> None:
    assert alpha(UNITS, level) == pytest.approx(4 / 9)  # type: ignore[arg-type]


def test_alpha_of_three_values_by_hand() -> None:
    # Units (1,1), (2,3), (3,3), (1,3). o11=2, o33=2, o23=o32=1, o13=o31=1. n1=3, n2=1, n3=4, n=8.
    units = [{"x": 1.0, "y": 1.0}, {"x": 2.0, "y": 3.0}, {"x": 3.0, "y": 3.0}, {"x": 1.0, "y": 3.0}]
    # Nominal: Do = 4/8; De = 2*(3*1 + 3*4 + 1*4)/56 = 38/56; alpha = 1 - .5*56/38 = 1 - 28/38 = 5/19.
    assert alpha(units, "nominal") == pytest.approx(5 / 19)
    # Interval: Do = 2*(1*1 + 1*4)/8 = 10/8; De = 2*(3*1*1 + 3*4*4 + 1*4*1)/56 = 110/56; alpha = 1 - 1.25*56/110 = 4/11.
    assert alpha(units, "interval") == pytest.approx(4 / 11)
    # Ordinal distances: 1-2: (3+1 - 2)^2 = 4; 2-3: (1+4 - 2.5)^2 = 6.25; 1-3: (3+1+4 - 3.5)^2 = 20.25.
    # Do = 2*(6.25 + 20.25)/8 = 6.625; De = 2*(3*4 + 12*20.25 + 4*6.25)/56 = 560/56 = 10; alpha = .3375.
    assert alpha(units, "ordinal") == pytest.approx(0.3375)


def test_alpha_is_one_zero_or_undefined() -> None:
    assert alpha([{"x": 1.0, "y": 1.0}, {"x": 5.0, "y": 5.0}], "interval") == 1
    assert alpha([{"x": 1.0, "y": 1.0}], "interval") is None
    assert alpha([{"x": 1.0}, {"x": 2.0}], "nominal") is None
    assert alpha([], "nominal") is None


def test_leniency_is_the_deviation_from_the_others() -> None:
    units = [{"mild": 5.0, "hard": 3.0, "even": 4.0}, {"mild": 4.0, "hard": 2.0, "even": None}]
    found = {m.judge: m for m in leniency(units, ["s1", "s2"], seed=0)}
    # mild: 5 - 3.5 = 1.5 and 4 - 2 = 2; hard: 3 - 4.5 = -1.5 and 2 - 4 = -2; even: 4 - 4 = 0, once unread.
    assert found["mild"].deviation.value == 1.75
    assert found["hard"].deviation.value == -1.75
    assert (found["even"].deviation.value, found["even"].deviation.n, found["even"].unread) == (0.0, 1, 1)


def test_paired_difference_by_hand() -> None:
    # Clusters: s1 has a (+1) and b (0), mean .5; s2 has c (+1); s3 has d (+1). Mean of clusters 2.5/3.
    first = {"a": 0.0, "b": 1.0, "c": 0.0, "d": 0.0, "e": 1.0}
    second = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0, "f": 0.0}
    clusters = {"a": "s1", "b": "s1", "c": "s2", "d": "s3", "e": "s3", "f": "s3"}
    found = paired(first, second, clusters, seed=0)
    assert found.difference.value == pytest.approx(2.5 / 3)
    assert (found.difference.n, found.clusters, found.only_first, found.only_second) == (4, 3, 1, 1)
    # Of the 8 ways to flip three signs, |sum| reaches 2.5 in two: all plus and all minus.
    assert (found.p, found.exact) == (2 / 8, True)
    # Deviation of .5, 1, 1 is sqrt((1/9 + 1/36 + 1/36)/2) = sqrt(1/12); times 2.801585 / sqrt(3).
    assert found.detectable == pytest.approx(2.801585 * math.sqrt(1 / 12) / math.sqrt(3))
    assert found.detectable == pytest.approx(detectable(math.sqrt(1 / 12), 3))


def test_many_clusters_are_flipped_at_random_and_never_to_zero() -> None:
    first = {str(n): 0.0 for n in range(40)}
    second = {str(n): 1.0 for n in range(40)}
    found = paired(first, second, {k: k for k in first}, seed=0)
    assert (found.exact, found.p) == (False, pytest.approx(1 / 10_001))
    assert found.detectable is None  # forty equal differences do not say how they would vary


def test_nothing_in_common_is_no_number() -> None:
    found = paired({"a": 1.0}, {"b": 1.0}, {"a": "s", "b": "s"}, seed=0)
    assert (found.difference.value, found.p, found.detectable) == (None, None, None)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("stuv")), min_size=1, max_size=30))
def test_an_interval_holds_its_value_and_stays_on_the_scale(rows: list[tuple[float, str]]) -> None:
    found = clustered_score([v for v, _ in rows], [c for _, c in rows], seed=1, scale=(0.0, 1.0))
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert -1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1 + 1e-9


def test_agreeing_clusters_are_not_certainty() -> None:
    # Four stories all wrong on a scale of 100: Wilson's upper bound for 0 of 4 is z^2/(4 + z^2) = .48990.
    found = clustered_score([0.0] * 20, [str(n % 4) for n in range(20)], seed=0, scale=(0.0, 100.0))
    assert found.high == pytest.approx(100 * 1.959964**2 / (4 + 1.959964**2))


def test_a_statistic_that_is_not_defined_is_no_number() -> None:
    assert clustered_statistic([1, 2], ["s", "t"], lambda drawn: None, seed=0).value is None
    assert clustered_statistic([], [], lambda drawn: 1.0, seed=0).value is None


def test_a_panel_is_a_mean_over_all_its_judges_or_nothing() -> None:
    one = (Scored(metric="m", value=2.0, judge="x"), Scored(metric="k", value=1.0, judge="x"))
    two = (Scored(metric="m", value=4.0, judge="y"), Unscored(metric="k", reason="bad_json", judge="y"))
    merged = panel([one, two])
    assert merged[:4] == (*one, *two)
    assert merged[4:] == (
        Scored(metric="m", value=3.0, judge=None),
        Unscored(metric="k", reason="bad_json", judge=None),
    )


def test_families_of_judges() -> None:
    assert family("openai:gpt-5.4@https://api.openai.com/v1") == "gpt"
    assert family("hf:Qwen/Qwen3-32B") == family("local:qwen2.5-coder-0.5b") == "qwen"
    assert family("openai:mine@https://llama.example/v1") == "openai:mine@https://llama.example/v1"
    assert check_panel(["openai:gpt-5@https://a/v1", "openai:gpt-4o@https://a/v1"], player="hf:x/y")[0].startswith(
        "all judges are of one family (gpt)"
    )
    assert "own family (qwen)" in check_panel(["hf:Qwen/Qwen3"], player="local:qwen")[0]
    assert check_panel(["openai:gpt-5@https://a/v1", "hf:Qwen/Qwen3"], player="hf:x/y") == ()
    with pytest.raises(ConfigError, match="named twice"):
        check_panel(["a:b", "a:b"], player="c:d")


def test_overlap_by_hand() -> None:
    reference, candidate = ["the", "cat", "sat", "on", "the", "mat"], ["the", "cat", "sat", "on", "a", "mat"]
    # 1-grams 5/6 (the, cat, sat, on, mat), 2-grams 3/5, 3-grams 2/4, 4-grams 1/3; same length, so no penalty.
    assert bleu(reference, candidate) == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    # Longest common subsequence: the cat sat on mat, 5 of 6 on both sides.
    assert rouge_l(reference, candidate) == pytest.approx(5 / 6)
    # Three words of a reference of six: all n-grams there up to 3, no 4-gram.
    assert bleu(reference, reference[:3]) == 0
    assert bleu(reference, reference[:4]) == pytest.approx(math.exp(1 - 6 / 4))
    assert rouge_l(reference, ["dog"]) == 0
    assert bleu([], candidate) is None
    assert rouge_l(reference, []) is None
    assert words("Don't 3x_y 你好!") == ["don", "t", "3x", "y", "你", "好"]


def test_choice_controls_by_hand() -> None:
    found = choice_controls({"A": "no", "B": "so", "C": "longer", "D": "long"}, "B")
    assert found == (
        Control(name="random option", value=0.25),
        Control(name="shortest option", value=0.5),  # A and B are equally short
        Control(name="longest option", value=0.0),
        Control(name="first option", value=0.0),
    )


def test_trained_on_titles_are_scored_apart() -> None:
    def item(title: str | None) -> ItemScore:
        return ItemScore(
            item_id=title or "-",
            cluster="c",
            repeat=0,
            title=title,
            facets={"order": "1"},
            marks=(),
            controls=(),
            findings=(),
            answer=None,
            gold=None,
        )

    found = mark_contaminated([item("Emma"), item("Dune"), item(None)], lambda title: title == "Emma")
    assert [s.facets for s in found] == [
        {"order": "1", "book": "trained on"},
        {"order": "1", "book": "not trained on"},
        {"order": "1", "book": "unknown"},
    ]


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_the_longest_common_subsequence_is_that_of_the_textbook(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    common = table[-1][-1]
    found = rouge_l(a, b)
    if not a or not b:
        assert found is None
    else:
        assert found == pytest.approx(2 * common / (len(a) + len(b)))
