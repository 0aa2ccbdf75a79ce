"""Queries and passages as items, what is relevant to what, and what is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Columns, Features
from supertune.data import Table, infer_columns
from supertune.errors import UserError
from supertune.evaluate import estimate
from supertune.models import load_tokenizer, resolve
from supertune.relevance import best, ranked_of
from supertune.tasks import TASKS, RetrievalTask, task_from_state
from supertune.tasks.pooling import pooled
from supertune.tasks.relations import Relations

ROWS: list[dict[str, Any]] = [
    {"query": "good film", "passage": "the film is good", "relevance": 1},
    {"query": "good film", "passage": "a parcel is late", "relevance": 0},
    {"query": "late parcel", "passage": "a parcel is late", "relevance": 2},
    {"query": "坏电影", "passage": "电影很坏。", "relevance": 1},
    {"query": "late parcel", "passage": "my parcel was late", "relevance": 1},
]


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Any:
    return load_tokenizer(resolve(str(tiny_encoder)), max_length=16)


def task_of(rows: list[dict[str, Any]], **settings: Any) -> tuple[RetrievalTask, Table]:
    table = Table.from_rows(rows)
    columns = infer_columns(table, answers="ranking")
    return RetrievalTask.built(columns, settings), table


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text)["input_ids"])


def item(features: Features, place: int) -> list[int]:
    return features.tokens["input_ids"][features.offsets[place] : features.offsets[place + 1]].tolist()


@pytest.mark.parametrize(("wanted", "kept"), [(None, 7), (3, 7), (9, 9), (30, 12)])
def test_as_many_negatives_are_learned_from_as_are_wanted(tokenizer: Any, wanted: int | None, kept: int) -> None:
    named = [f"here {number} ." for number in (1, 2, 11, 12, 21, 22, 111, 112, 121, 122, 211, 212)]
    task, table = task_of([{"query": "late", "passage": "a parcel", "negatives": named}], negatives_per_row=wanted)
    features = task.learned_groups(task.encode(table, tokenizer, 16))
    assert features.groups is not None
    assert len(features.groups.items[0]) == 2 + kept


def test_every_text_is_one_item_however_often_it_stands_there(tokenizer: Any) -> None:
    task, table = task_of(ROWS, query_prompt="i ", passage_prompt="my ")
    features = task.encode(table, tokenizer, 16)
    assert features.groups is not None
    texts = task.texts_of(features)
    assert texts == [
        *(
            "good film",
            "the film is good",
            "a parcel is late",
            "late parcel",
            "坏电影",
            "电影很坏。",
            "my parcel was late",
        )
    ]
    assert features.groups.items.tolist() == [[0, 1], [0, 2], [3, 2], [4, 5], [3, 6]]
    assert features.groups.relevance.tolist() == [1, 0, 2, 1, 1]
    assert features.targets["role"].tolist() == [0, 1, 1, 0, 0, 1, 1]
    for place, (text, role) in enumerate(zip(texts, features.targets["role"], strict=True)):
        assert item(features, place) == ids(tokenizer, ("my " if role else "i ") + text)
    assert features.rows.tolist() == [0, 0, 1, 2, 3, 3, 4], "of each text the first row that it stands in"
    lengths = np.concatenate(list(task.token_lengths(table, tokenizer, 16)))
    assert lengths.tolist() == [max(len(item(features, one)) for one in group) for group in features.groups.items]


def test_rows_that_say_no_stand_beside_what_the_query_asks_for(tokenizer: Any) -> None:
    task, table = task_of(ROWS)
    learned = task.learned_groups(task.encode(table, tokenizer, 16))
    assert learned.groups is not None
    assert learned.groups.items.tolist() == [[0, 1, 2], [3, 2, -1], [4, 5, -1], [3, 6, -1]]
    assert learned.groups.relevance.tolist() == [1, 2, 1, 1]
    given_ones = [
        {"query": "a", "positive": "b", "negatives": ["c", "d"]},
        {"query": "b", "positive": "c", "negatives": []},
    ]
    task, table = task_of(given_ones)
    features = task.learned_groups(task.encode(table, tokenizer, 16))
    assert features.groups is not None
    assert task.texts_of(features) == ["a", "b", "c", "d", "b"], "as a query a text is another item"
    assert features.groups.items.tolist() == [[0, 1, 2, 3], [4, 2, -1, -1]]


def test_relations_are_those_of_the_rows(tokenizer: Any) -> None:
    task, table = task_of([*ROWS, {"query": "late parcel", "passage": "a parcel is late", "relevance": 3}])
    features = task.encode(table, tokenizer, 16)
    assert features.groups is not None
    known = Relations.of(features.groups, len(features))
    between = known.between(torch.tensor([0, 3, 4]), torch.tensor([1, 2, 5, 6]))
    assert between.tolist() == [[1, 0, 0, 0], [0, 3, 0, 1], [0, 0, 1, 0]]


def test_a_batch_knows_what_belongs_together_and_shorter_vectors_learn_too(tokenizer: Any) -> None:
    task, table = task_of(ROWS, dimensions=[2], scale=3.0)
    seen = []

    def criterion(similarities: torch.Tensor, relevance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append((similarities, relevance))
        return similarities.sum(), (relevance > 0).sum()

    features = task.encode(table, tokenizer, 16)
    learning = task.minimising(criterion).relating(features)
    outputs = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    batch = {"role": torch.tensor([0, 1, 0, 1]), "item": torch.tensor([0, 1, 3, 6])}
    loss, count = learning.criterion(outputs, batch)
    assert int(count) == 2
    for (similarities, relevance), width in zip(seen, (5, 2), strict=True):
        cut = outputs[:, :width] / outputs[:, :width].norm(dim=1, keepdim=True)
        torch.testing.assert_close(similarities, 3.0 * cut[[0, 2]] @ cut[[1, 3]].T)
        assert relevance.tolist() == [[1, 0], [0, 1]]
    assert float(loss) == pytest.approx(float(seen[0][0].sum() + seen[1][0].sum()) / 2, abs=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_pooling_sees_real_tokens_alone_on_either_side_of_the_padding(side: str) -> None:
    states = torch.arange(24.0).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0]])
    if side == "left":
        states, mask = states.flip(1), mask.flip(1)
    real = [states[0][mask[0] > 0], states[1][mask[1] > 0]]
    torch.testing.assert_close(pooled(states, mask, "mean"), torch.stack([each.mean(0) for each in real]))
    torch.testing.assert_close(pooled(states, mask, "cls"), torch.stack([each[0] for each in real]))
    torch.testing.assert_close(pooled(states, mask, "last"), torch.stack([each[-1] for each in real]))


@given(st.lists(st.lists(st.integers(-3, 3), min_size=7, max_size=7), min_size=1, max_size=4), st.integers(1, 9))
def test_the_best_are_those_of_a_whole_sort_and_ties_stand_by_number(values: list[list[int]], count: int) -> None:
    matrix = np.array(values, np.float64)
    assert best(matrix, count).tolist() == np.argsort(-matrix, axis=1, kind="stable")[:, :count].tolist()


def test_rankings_are_measured_among_the_passages_of_every_split(tokenizer: Any) -> None:
    task, table = task_of(ROWS)
    features = task.encode(table, tokenizer, 16)
    vectors = np.eye(8, dtype=np.float32)[[0, 0, 1, 2, 3, 3, 2]]
    vectors[3] = [0, 0.6, 0.8, 0, 0, 0, 0, 0]
    outcome = task.outcome(vectors, features)
    assert outcome.outputs.tolist() == [[1, 0, 0, 0], [1, 2, 0, 0], [1, 0, 0, 0]]
    assert outcome.targets.tolist() == [(1.0,), (2.0, 1.0), (1.0,)]
    assert task.scored_rows(features).tolist() == [0, 2, 3]
    assert estimate(outcome, "mrr") == 1
    other = Table.from_rows([{"query": "x", "passage": "good", "relevance": 1}, {**ROWS[2]}])
    more = task.encode(other, tokenizer, 16)
    among = task.among(
        {"test": vectors, "train": np.eye(8, dtype=np.float32)[[7, 0, 7, 7]]}, {"test": features, "train": more}
    )
    outcome = among.outcome(vectors, features)
    assert outcome.outputs.shape == (3, 5), "the passage that both have counts once"
    predictions = among.decode(vectors, features)
    assert [round(float(one.prediction), 4) for one in predictions] == [1, 0, 0.6, 1, 0.8]  # type: ignore[arg-type]
    assert predictions[0].more == {"rank": 1, "first": "the film is good"}
    assert predictions[2].more == {"rank": 1, "first": "my parcel was late"}
    assert predictions[1].more == {}


def test_new_rows_get_the_cosine_of_their_two_texts(tokenizer: Any) -> None:
    task, table = task_of(ROWS)
    features = task.encode(table, tokenizer, 16, labelled=False)
    assert features.groups is not None
    assert len(features) == 10
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 2, 2, 1, 1, 3, 0]]
    assert [one.prediction for one in task.decode(vectors, features)] == [1, 0, 1, 1, 0]


def test_the_saved_task_is_the_same() -> None:
    task, _ = task_of(ROWS, pooling="last", query_prompt="q ", scale=7.0, dimensions=[16, 8])
    again = task_from_state("retrieval", task.state())
    assert isinstance(again, RetrievalTask)
    assert again.settings == task.settings
    assert again.state() == task.state()
    assert TASKS["retrieval"].answers == "ranking"


# ---------------------------------------------------------------- columns


@pytest.mark.parametrize(
    ("row", "text", "label", "negatives"),
    [
        ({"anchor": "a", "positive": "b", "negative": "c"}, ("anchor", "positive"), None, ("negative",)),
        (
            {"query": "a", "positive": "b", "negative_1": "c", "negative_2": "d"},
            ("query", "positive"),
            None,
            ("negative_1", "negative_2"),
        ),
        ({"question": "a", "context": "b", "title": "t", "answers": "c"}, ("question", "context"), None, ()),
        ({"query": "a", "document": "b", "score": 0.5}, ("query", "document"), "score", ()),
        ({"查询": "a", "段落": "b", "相关性": 1}, ("查询", "段落"), "相关性", ()),
        ({"id": 3, "query": "a", "passage": "b", "label": True}, ("query", "passage"), "label", ()),
    ],
)
def test_columns_are_found_by_their_names(row: dict[str, Any], text: Any, label: Any, negatives: Any) -> None:
    columns = infer_columns(Table.from_rows([row] * 3), answers="ranking")
    assert (columns.text, columns.label, columns.negatives, columns.pair) == (text, label, negatives, True)


@pytest.mark.parametrize(
    ("row", "named", "said"),
    [
        ({"query": "a", "words": "b"}, {}, "no column is called like passages"),
        ({"one": "a", "passage": "b"}, {}, "no column is called like queries"),
        ({"query": "a", "passage": "b"}, {"text": "query"}, "two columns, not one"),
        ({"query": "a", "passage": "b", "label": "high"}, {"label": "label"}, "not how relevant a passage is"),
        ({"query": "a", "passage": 3}, {}, "holds"),
        ({"query": "a", "passage": "b", "x": 1, "y": 0}, {"label": ["x", "y"]}, "2 columns of relevance"),
    ],
)
def test_columns_that_cannot_be_are_refused(row: dict[str, Any], named: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        infer_columns(Table.from_rows([row] * 3), answers="ranking", **named)


@pytest.mark.parametrize("value", [-1, float("inf"), "high", "-0.5"])
def test_a_relevance_that_is_none_names_its_row(value: object) -> None:
    table = Table.from_rows(
        [{"query": "a", "passage": "b", "label": "1"}, {"query": "a", "passage": "b", "label": str(value)}]
    )
    columns = Columns(("query", "passage"), ("label",), pair=True, answers="ranking")
    with pytest.raises(UserError, match=r"row 1 has .* which is no relevance"):
        list(ranked_of(table, columns))
    with pytest.raises(UserError, match="no row has a relevance above 0"):
        RetrievalTask(columns).fit_state(Table.from_rows([{"query": "a", "passage": "b", "label": 0}]))


def test_further_passages_are_texts_or_lists_of_texts() -> None:
    columns = Columns(("query", "passage"), pair=True, answers="ranking", negatives=("negatives",))
    cells = ["one", ["one", "two"], '["one", "two"]', "[one", None, " ", []]
    rows = [{"query": "a", "passage": "b", "negatives": cell} for cell in cells]
    found = [next(ranked_of(Table.from_rows([row]), columns)).negatives for row in rows]
    assert found == [("one",), ("one", "two"), ("one", "two"), ("[one",), (), (), ()]
    for wrong in (3, {"text": "a"}, [1, 2], "[1]"):
        table = Table.from_rows([{"query": "a", "passage": "b", "negatives": wrong}])
        with pytest.raises(UserError, match=r"row 0 has .* which is no text"):
            list(ranked_of(table, columns))
