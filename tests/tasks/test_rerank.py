"""Queries and passages read together: which pairs there are, what is learned of each, and what comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune.data import Table, infer_columns
from supertune.errors import UserError
from supertune.models import load_tokenizer, resolve
from supertune.relevance import CANDIDATES
from supertune.tasks import RerankTask, task_from_state


def task_of(rows: list[dict[str, Any]], *, found: bool = False) -> tuple[RerankTask, Table]:
    from dataclasses import replace

    table = Table.from_rows(rows)
    columns = infer_columns(table, answers="reranking")
    if found:
        columns = replace(columns, negatives=(CANDIDATES,))
    return RerankTask(columns), table


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Any:
    return load_tokenizer(resolve(str(tiny_encoder)), max_length=24)


def test_rows_and_their_further_passages_are_pairs(tokenizer: Any) -> None:
    task, table = task_of(
        [
            {"query": "good film", "passage": "the film is good", "negatives": ["a parcel", "here"], "relevance": 2},
            {"query": "late", "passage": "a parcel", "negatives": [], "relevance": 4},
            {"query": "good film", "passage": "here", "negatives": [], "relevance": 1},
        ]
    )
    task.fit_state(table)
    features = task.encode(table, tokenizer, 24)
    assert features.rows.tolist() == [0, 0, 0, 1, 2]
    assert features.targets["labels"][:, 0].tolist() == [0.5, 0, 0.25, 1, 0.25], (
        "one row's passage is another's right one"
    )
    pairs = [("good film", text) for text in ("the film is good", "a parcel", "here")] + [
        ("late", "a parcel"),
        ("good film", "here"),
    ]
    for place, (query, passage) in enumerate(pairs):
        expected = tokenizer(query, passage)["input_ids"]
        assert features.tokens["input_ids"][features.offsets[place] : features.offsets[place + 1]].tolist() == expected
    logits = np.array([[0.0], [2.0], [1.0], [0.0], [-3.0]])
    outcome = task.outcome(logits, features)
    # "a parcel" first, then "here" (its first pair counts), then what is asked for most.
    assert outcome.outputs.tolist() == [[0, 1, 2], [4, 0, 0]]
    assert outcome.targets.tolist() == [(2.0, 1.0), (4.0,)]
    assert task.scored_rows(features).tolist() == [0, 1]
    predictions = task.decode(logits, features)
    assert [one.row for one in predictions] == [0, 1, 2]
    assert [one.prediction for one in predictions] == [0.5, 0.5, round(1 / (1 + np.exp(3)), 6)]
    assert predictions[0].more == {"rank": 2, "first": "a parcel"}
    assert predictions[2].more == {}


def test_what_words_did_not_find_counts_and_cannot_come_first(tokenizer: Any) -> None:
    task, table = task_of(
        [
            {"query": "good", "passage": "the film", CANDIDATES: ["a parcel", "here"]},
            {"query": "late", "passage": "a parcel", CANDIDATES: ["here", "a parcel"]},
            {"query": "late", "passage": "my parcel", CANDIDATES: []},
        ],
        found=True,
    )
    features = task.encode(table, tokenizer, 24)
    logits = np.array([[9.0], [1.0], [0.0], [9.0], [0.0], [1.0], [9.0]])
    outcome = task.outcome(logits, features)
    assert outcome.outputs.tolist() == [[0, 0], [1, 0]]
    assert outcome.targets.tolist() == [(1.0,), (1.0, 1.0)]
    assert task.decode(logits, features)[0].more == {"rank": None, "first": "a parcel"}
    assert task.decode(logits, features)[1].more == {"rank": 1, "first": "a parcel"}


def test_the_weight_of_words_is_chosen_on_the_rows(tokenizer: Any) -> None:
    rows = [
        {"query": "good", "passage": "the film", CANDIDATES: ["the film", "here", "a parcel"]},
        {"query": "late", "passage": "a parcel", CANDIDATES: ["a parcel", "my parcel", "here"]},
    ]
    task, table = task_of(rows, found=True)
    features = task.encode(table, tokenizer, 24)
    # Pairs in order: a row's own, then the three that words have found.
    misled = np.array([[0.0], [0.0], [2.0], [1.0], [0.0], [1.0], [0.0], [2.0]])
    weighed = task.calibrated(misled, features)
    assert task.outcome(misled, features).outputs.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert weighed.words >= 4, "ln 2 times it must be more than 2"
    assert weighed.outcome(misled, features).outputs.tolist() == [[1, 0, 0], [1, 0, 0]]
    assert [one.more["rank"] for one in weighed.decode(misled, features)] == [1, 1]
    assert weighed.alone().outcome(misled, features).outputs.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert task_from_state("rerank", weighed.state()).state() == weighed.state()

    rows = [{**row, CANDIDATES: row[CANDIDATES][::-1]} for row in rows]
    right = np.array([[0.0], [0.0], [1.0], [2.0], [0.0], [0.0], [1.0], [2.0]])
    task, table = task_of(rows, found=True)
    features = task.encode(table, tokenizer, 24)
    best = task.calibrated(right, features)
    assert best.words <= 1, "2 − 1 must be more than it times ln 3 − ln 2"
    assert best.outcome(right, features).outputs[:, 0].tolist() == [1, 1]


def test_without_a_query_that_asks_for_anything_words_weigh_nothing(tokenizer: Any) -> None:
    task, table = task_of([{"query": "good", "passage": "the film", "label": 0, CANDIDATES: ["here"]}], found=True)
    features = task.encode(table, tokenizer, 24)
    assert not task.asked(features)
    assert task.calibrated(np.zeros((2, 1)), features).words == 0


def test_passages_that_the_rows_name_have_no_place_among_words(tokenizer: Any) -> None:
    task, table = task_of(
        [{"query": "good", "passage": "the film", "label": 1}, {"query": "good", "passage": "here", "label": 0}]
    )
    features = task.encode(table, tokenizer, 24)
    assert task.calibrated(np.array([[0.0], [1.0]]), features).words == 0
    given = RerankTask(task.columns, words=32.0)
    assert given.outcome(np.array([[0.0], [1.0]]), features).outputs.tolist() == [[0, 1]]


def test_new_rows_need_no_relevance(tokenizer: Any) -> None:
    task, table = task_of(
        [{"query": "good", "passage": "the film", "label": 1}, {"query": "good", "passage": "here", "label": 0}]
    )
    task.fit_state(table)
    features = task.encode(table, tokenizer, 24, labelled=False)
    assert [one.prediction for one in task.decode(np.zeros((2, 1)), features)] == [0.5, 0.5]
    assert task.labelled(task.encode(table, tokenizer, 24)).all()


def test_there_must_be_something_to_tell_apart() -> None:
    task, table = task_of([{"query": "good", "passage": "the film"}, {"query": "late", "passage": "here"}])
    with pytest.raises(UserError, match="nothing to tell apart"):
        task.fit_state(table)
    task, table = task_of([{"query": "good", "passage": "the film", "label": 0}])
    with pytest.raises(UserError, match="nothing is asked for"):
        task.fit_state(table)


def test_the_saved_task_is_the_same() -> None:
    task, table = task_of([{"query": "a", "passage": "b", "score": 3.5}, {"query": "a", "passage": "c", "score": 0}])
    task.fit_state(table)
    again = task_from_state("rerank", task.state())
    assert again.state() == task.state()
    assert task.state()["highest"] == 3.5
