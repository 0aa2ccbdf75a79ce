"""What a search found, read together with the query: the order is the reader's, and so are the scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supertune
from supertune.errors import UserError
from supertune.recipes.cross_encoder import open_cross_encoder
from supertune.recipes.reorder import open_reranker
from supertune.recipes.retrieve import OpenIndex, open_index
from tiny_models import write_tiny_encoder
from warm_processes import supertune_command

TEXTS = [
    f"the {one} {other} . {number}"
    for number, (one, other) in enumerate(
        (one, other) for one in ("film", "parcel", "电影", "here") for other in ("good", "bad", "late", "不好")
    )
]
QUERY = "my good film"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An index, and a model that gives pairs one score."""
    import torch
    from transformers import BertForSequenceClassification

    folder = tmp_path_factory.mktemp("reranked")
    model = write_tiny_encoder(folder / "model")
    supertune.index(TEXTS, out=folder / "index", model=str(model))
    reader = write_tiny_encoder(folder / "reader")
    torch.manual_seed(3)
    opened = BertForSequenceClassification.from_pretrained(reader, num_labels=1)
    torch.nn.init.normal_(opened.classifier.weight, std=2.0)
    opened.save_pretrained(reader)
    return folder / "index", reader


def test_results_come_in_the_readers_order(places: tuple[Path, Path]) -> None:
    folder, reader = places
    plain = supertune.open_index(folder).search([QUERY], 16)[0]
    read = supertune.open_index(folder, reranker=str(reader)).search([QUERY, "late"], 16)
    logits, _ = open_cross_encoder(str(reader), where="here").score([(QUERY, hit["text"]) for hit in plain])
    order = np.argsort(-logits, kind="stable")
    assert [hit["row"] for hit in read[0]] == [plain[place]["row"] for place in order]
    assert [hit["score"] for hit in read[0]] == pytest.approx(logits[order].tolist(), abs=1e-5)
    assert [hit["rank"] for hit in read[0]] == list(range(1, 17))
    assert [hit["row"] for hit in read[0]] != [hit["row"] for hit in plain]
    assert len({hit["row"] for hit in read[1]}) == 16


def test_only_the_best_are_read(places: tuple[Path, Path]) -> None:
    folder, reader = places
    plain = supertune.retrieve(folder, QUERY, count=4)[0]
    read = supertune.retrieve(folder, QUERY, count=2, reranker=str(reader), depth=4)[0]
    logits, _ = open_cross_encoder(str(reader), where="here").score([(QUERY, hit["text"]) for hit in plain])
    assert [hit["row"] for hit in read] == [plain[place]["row"] for place in np.argsort(-logits)[:2]]
    more = supertune.retrieve(folder, QUERY, count=6, reranker=str(reader), depth=1)[0]
    assert len(more) == 6, "as many are read as are wanted, if that is more"


def test_places_weigh_as_much_as_the_reader_learned(places: tuple[Path, Path]) -> None:
    folder, reader = places
    opened = open_reranker(str(reader))
    task = opened.model.task
    by_words = replace(opened, model=replace(opened.model, task=type(task)(task.columns, words=32.0)))
    plain = open_index(folder)
    found = OpenIndex(plain.index, reranker=by_words).search([QUERY], 16, method="bm25")[0]
    first = plain.search([QUERY], 16, method="bm25")[0]
    assert [hit["row"] for hit in found] == [hit["row"] for hit in first], "32 times ln 2 is more than logits differ"
    logits, _ = opened.model.score([(QUERY, hit["text"]) for hit in first])
    expected = logits - 32 * np.log(np.arange(1, len(first) + 1))
    assert [hit["score"] for hit in found] == pytest.approx(expected.tolist(), abs=1e-4)


def test_a_query_that_finds_nothing_is_not_read(places: tuple[Path, Path]) -> None:
    folder, reader = places
    assert supertune.retrieve(folder, "zzz", method="bm25", reranker=str(reader)) == [[]]


@pytest.mark.slow
def test_the_command_does_the_same(places: tuple[Path, Path]) -> None:
    folder, reader = places
    done = supertune_command("retrieve", folder, QUERY, "--reranker", reader, "--depth", 4, "--count", 3, "--json")
    assert done.code == 0, done.said
    told: dict[str, Any] = json.loads(done.printed)
    assert told["reranker"] == str(reader)
    found = supertune.retrieve(folder, QUERY, count=3, reranker=str(reader), depth=4)[0]
    assert [hit["row"] for hit in told["queries"][0]["results"]] == [hit["row"] for hit in found]


def test_the_command_refuses_a_depth_that_nothing_reads_to(places: tuple[Path, Path]) -> None:
    done = supertune_command("retrieve", places[0], "x", "--depth", 3)
    assert done.code == 2
    assert "nothing would read them" in done.said
    assert "Traceback" not in done.said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "said"), [("model", "gives a pair of texts no score"), ("nowhere", "name a run of --task rerank")]
)
def test_what_cannot_read_pairs_is_refused(places: tuple[Path, Path], reader: str, said: str) -> None:
    folder, _ = places
    with pytest.raises(UserError) as caught:
        supertune.open_index(folder, reranker=str(folder.parent / reader))
    assert said in f"{caught.value.what} {caught.value.fix}"
    assert "reranker" in str(caught.value.where)


def test_nothing_can_be_read_to_no_depth(places: tuple[Path, Path]) -> None:
    folder, reader = places
    with pytest.raises(UserError, match="0 passages"):
        supertune.open_index(folder, reranker=str(reader), depth=0)
