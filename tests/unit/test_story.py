"""The shipped data is what it says it is."""

from collections import Counter
from typing import get_args

import numpy as np
import pytest

from her.data.pairs import agreement
from her.reward import load_pack
from her.reward.length import Layer, length, won_by_longer
from her.store import sha256_text
from her.story import load_book, load_gold, load_pairs, load_passes, load_scenes

_LAYERS: tuple[Layer, ...] = ("thought", "action", "speech")


def test_the_story_is_long_enough_and_has_secrets() -> None:
    book = load_book()
    assert len(book.text.split()) >= 6000
    assert len(book.chapters) >= 5
    scenes = load_scenes()
    assert len(scenes) >= 12
    cast = {c.name for s in scenes for c in s.characters}
    assert len(cast) >= 5
    for scene in scenes:
        assert scene.span is not None
        assert scene.chapter is not None
        chapter = book.chapters[scene.chapter - 1]
        assert chapter.span.start < scene.span.start < scene.span.end <= chapter.span.end


def test_gold_has_two_layers_and_stands_in_the_text() -> None:
    book, gold = load_book(), load_gold()
    turns = [t for d in gold for t in d.turns]
    assert len(turns) >= 60
    assert all(t.system_thinking for t in turns)
    assert sum(any(p.kind == "thought" for p in t.parts) for t in turns) / len(turns) > 0.85
    layouts = Counter(t.layout() for t in turns)
    assert len(layouts) >= 5
    assert max(layouts.values()) / len(turns) < 0.5
    said = [p for t in turns for p in t.parts if p.kind == "speech"]
    found = [p for p in said if p.span is not None]
    assert all(book.text[p.span.start : p.span.end].rstrip(",.") == p.text.rstrip(",.") for p in found if p.span)
    assert len(found) / len(said) > 0.7
    text = " ".join(book.text.replace('"', " ").split())
    for part in said:  # an utterance broken by its attribution stands in the text piece by piece
        pieces = [part] if part.span else part.text.replace(",", ".").replace("?", ".").replace("!", ".").split(".")
        for piece in pieces:
            words = piece if isinstance(piece, str) else book.text[part.span.start : part.span.end] if part.span else ""
            assert " ".join(words.split()) in text, part.text


def test_pairs_are_balanced_and_name_real_principles() -> None:
    pairs = load_pairs()
    assert len(pairs) >= 200
    assert len({p.comparison.id for p in pairs}) == len(pairs)
    first = sum(p.winner == "cand_1" for p in pairs) / len(pairs)
    assert 0.45 <= first <= 0.55
    names = {p.name for p in load_pack().principles}
    assert {p.principle for p in pairs} <= names
    assert all(p.labeller == "gold" for p in pairs)
    assert all(p.winner != "tie" for p in pairs)
    texts = {sha256_text(p.comparison.cand_1.model_dump_json() + p.comparison.cand_2.model_dump_json()) for p in pairs}
    assert len(texts) == len(pairs)


@pytest.mark.parametrize("layer", get_args(Layer))
def test_no_layer_s_length_tells_the_winner(layer: Layer) -> None:
    """docs/LOG.md: a control that looks at one layer's length once beat every judge."""
    longer = won_by_longer([(p.comparison, p.winner) for p in load_pairs()], layer)
    assert longer.value is not None
    assert 0.47 <= longer.value <= 0.54
    assert longer.n > 180


def test_nor_do_the_lengths_of_all_layers_together() -> None:
    """A logistic model on the three differences, fitted on all scenes but one and asked about that one: about .54. The
    layers can each be even and still tell the winner together; a draft of the newer pairs did, at .86."""
    pairs = load_pairs()
    x_N3 = np.array(
        [[length(c.cand_1, a) - length(c.cand_2, a) for a in _LAYERS] for c in (p.comparison for p in pairs)]
    )
    x_N3 = x_N3 / x_N3.std(axis=0)
    y_N = np.array([1.0 if p.winner == "cand_1" else -1.0 for p in pairs])
    scene_N = np.array([p.comparison.scene.id for p in pairs])
    right = 0
    for scene in sorted(set(scene_N)):
        rest = scene_N != scene
        weights = np.zeros(3)
        for _ in range(300):  # plain gradient ascent: three weights, nothing to tune
            miss_N = 1 / (1 + np.exp(y_N[rest] * (x_N3[rest] @ weights)))
            weights += 0.02 * (x_N3[rest].T @ (miss_N * y_N[rest]) - weights)
        right += int(np.sum((x_N3[~rest] @ weights) * y_N[~rest] > 0))
    assert 0.4 < right / len(pairs) < 0.58


def test_the_second_pass_and_what_it_left_out() -> None:
    passes = load_passes()
    found = agreement({p.id: p.first for p in passes}, {p.id: p.second for p in passes})
    assert found.n == 210
    assert found.differ == ("s14-p9",)
    assert not set(found.differ) & {p.comparison.id for p in load_pairs()}
    assert len(load_pairs()) == found.n - len(found.differ)
    assert {p.labeller for p in passes} == {"author"}
