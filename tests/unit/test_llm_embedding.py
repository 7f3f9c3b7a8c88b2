"""Embedders on real weights: the mean of hidden states, one text at a time, and a reason where there is no vector."""

import asyncio
import importlib.util
from pathlib import Path

import pytest
from tiny_policy import TEXT, make_policy

from her.errors import ModelError, ModelNameError
from her.llm.embedding import Embedded, Unembedded, open_embedder

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the train extra (torch)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("tiny") / "model")


def test_a_vector_is_the_mean_of_the_last_hidden_states(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (found,) = asyncio.run(open_embedder(f"hf:{folder}").embed(TEXT[:1]))
    assert isinstance(found, Embedded)
    ids = AutoTokenizer.from_pretrained(folder)(TEXT[0], return_tensors="pt")
    with torch.inference_mode():
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        states_TD = model(**ids, output_hidden_states=True).hidden_states[-1][0].double()
    by_hand = [sum(column) / len(column) for column in states_TD.T.tolist()]
    assert found.values == pytest.approx(by_hand, abs=1e-6)


def test_a_vector_does_not_depend_on_its_neighbours(folder: Path) -> None:
    embedder = open_embedder(f"hf:{folder}")
    together = asyncio.run(embedder.embed(TEXT))
    assert together == asyncio.run(embedder.embed(TEXT[::-1]))[::-1]
    assert together == [asyncio.run(embedder.embed([text]))[0] for text in TEXT]
    assert len({v.values for v in together if isinstance(v, Embedded)}) == 3
    assert embedder.fingerprint == open_embedder(f"hf:{folder}").fingerprint


def test_what_has_no_vector_says_why(folder: Path) -> None:
    texts = ["", " \n", "stone " * 3000, TEXT[0]]
    found = asyncio.run(open_embedder(f"hf:{folder}").embed(texts))
    assert found[:3] == [Unembedded(reason=r) for r in ("empty", "empty", "too_long")]
    assert isinstance(found[3], Embedded)


def test_what_cannot_embed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNameError, match="cannot embed"):
        open_embedder("openai:m@http://127.0.0.1:1/v1")
    with pytest.raises(ModelError, match="cannot load"):
        open_embedder(f"hf:{tmp_path}")
