"""Classification: labels keep their type and order, texts of every script are encoded, nothing is cut silently."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from supertune.contracts import Columns, Features, Rows
from supertune.data import Table
from supertune.errors import UserError
from supertune.tasks import TASKS, UNLABELLED, ClassificationTask, label_text, task_from_state, token_lengths

COLUMNS = Columns(text=("text",), labels=("label",))


def table(labels: list[Any], texts: list[Any] | None = None) -> Rows:
    texts = texts or ["good"] * len(labels)
    return Table.from_rows([{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)])


def fitted(labels: list[Any]) -> ClassificationTask:
    task = ClassificationTask(COLUMNS)
    task.fit_state(table(labels))
    return task


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_encoder)


def features(count: int, labels: list[int] | None = None) -> Features:
    targets = {"labels": np.array(labels, np.int64)} if labels is not None else {}
    return Features({}, np.zeros(count + 1, np.int64), targets, np.arange(count), np.zeros(count, np.int64))


def pieces(encoded: Features) -> list[list[int]]:
    ids = encoded.tokens["input_ids"]
    return [ids[start:end].tolist() for start, end in zip(encoded.offsets, encoded.offsets[1:], strict=False)]


# ---------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ([10, 9, 2, 10], (2, 9, 10)),
        ([0.5, -1.0, 10.0], (-1.0, 0.5, 10.0)),
        (["b", "10", "9", "a"], ("10", "9", "a", "b")),
        (["好", "bad", "😀", "Bad"], ("Bad", "bad", "好", "😀")),
        ([True, False, True], (False, True)),
    ],
)
def test_labels_have_a_natural_order_and_keep_their_type(given: list[Any], order: tuple[Any, ...]) -> None:
    task = fitted(given)
    assert task.labels == order
    assert [type(label) for label in task.labels] == [type(label) for label in order]
    again = task_from_state(task.name, json.loads(json.dumps(task.state())))
    assert isinstance(again, ClassificationTask)
    assert again.columns == task.columns
    decoded = again.decode(np.eye(len(order)), features(len(order)))
    assert [prediction.prediction for prediction in decoded] == list(order)
    assert [type(prediction.prediction) for prediction in decoded] == [type(label) for label in order]


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert fitted(["b", "a", "c"]).labels == fitted(["c", "b", "a"]).labels


def test_missing_labels_are_no_class() -> None:
    assert fitted(["b", None, "", "  ", "\u3000", "a"]).labels == ("a", "b")
    assert fitted([1.0, math.nan, 2.0, math.nan]).labels == (1.0, 2.0)


def test_label_counts_are_in_index_order() -> None:
    rows = table(["b", "a", "b", None, "b"])
    task = ClassificationTask(COLUMNS)
    task.fit_state(rows)
    assert task.label_counts(rows) == [1, 3]


def test_labels_as_text_are_those_of_json() -> None:
    assert [label_text(label) for label in ("a", True, False, 1, 1.5)] == ["a", "true", "false", "1", "1.5"]


def test_the_head_names_every_label_in_order() -> None:
    head = fitted(list(range(12))).head()
    assert head.config["num_labels"] == 12
    assert [head.config["id2label"][index] for index in range(12)] == [str(index) for index in range(12)]
    assert head.config["label2id"]["10"] == 10


@pytest.mark.parametrize(
    ("learned", "given"),
    [
        ([1, 2], ["1", "2"]),
        (["1", "2"], [1, 2]),
        ([True, False], ["true", "false"]),
        ([1.0, 2.0], [1, 2]),
        ([1, 2], [1.0, 2.0]),
        ([1.0, 2.0], ["1", "2"]),
    ],
)
def test_the_same_label_in_another_type_is_the_same_label(
    learned: list[Any], given: list[Any], tokenizer: PreTrainedTokenizerBase
) -> None:
    task = fitted(learned)
    own = task.encode(table(learned), tokenizer, 16).targets["labels"]
    assert task.encode(table(given), tokenizer, 16).targets["labels"].tolist() == own.tolist()


def test_an_unknown_label_is_named_with_its_row(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = Table.from_rows([{"text": "x", "label": label} for label in ("a", "b", "Ａ", "c")]).select(
        np.array([1, 3]), step="test"
    )
    with pytest.raises(UserError) as error:
        fitted(["a", "b"]).encode(rows, tokenizer, 16)
    assert "row 3" in error.value.what
    assert "'c'" in error.value.what
    assert "'a', 'b'" in error.value.what
    assert error.value.where == "column 'label'"


def test_a_thousand_labels_do_not_fill_the_screen(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError) as error:
        fitted([f"label {index}" for index in range(1000)]).encode(table(["no"]), tokenizer, 16)
    assert len(error.value.message) < 1000


# --------------------------------------------------------------------------------------------- encoding


def test_encoding_is_the_tokenizer_s_own(tokenizer: PreTrainedTokenizerBase) -> None:
    texts = ["the film is good", "", "电影不好。", "😀😀", "parcels", "的" * 100, "a\x00b\u200b", "👩‍👩‍👧 ﷽ Ω≈ç"]
    encoded = fitted(["a", "b"]).encode(table(["a"] * len(texts), texts), tokenizer, 16)
    assert pieces(encoded) == [tokenizer(text, truncation=True, max_length=16)["input_ids"] for text in texts]
    assert encoded.full_lengths.tolist() == [len(tokenizer(text)["input_ids"]) for text in texts]
    assert encoded.tokens["input_ids"].dtype == np.int32
    assert encoded.offsets.dtype == encoded.full_lengths.dtype == np.int64
    assert encoded.rows.tolist() == list(range(len(texts)))


@given(st.lists(st.text(alphabet="good 好电😀.\n", max_size=40), min_size=1, max_size=8), st.integers(3, 20))
def test_a_cut_text_keeps_its_closing_token_and_its_full_length(texts: list[str], max_length: int) -> None:
    encoded = fitted(["a", "b"]).encode(table(["a"] * len(texts), texts), SHARED["tokenizer"], max_length)
    opening, closing = (SHARED["tokenizer"].convert_tokens_to_ids(token) for token in ("[CLS]", "[SEP]"))
    for text, ids, full in zip(texts, pieces(encoded), encoded.full_lengths, strict=True):
        whole = SHARED["tokenizer"](text)["input_ids"]
        assert full == len(whole)
        assert len(ids) == min(len(whole), max_length)
        assert (ids[0], ids[-1]) == (opening, closing)
        assert ids[:-1] == whole[: len(ids) - 1]


SHARED: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _share(tokenizer: PreTrainedTokenizerBase) -> None:
    """Hypothesis does not mix well with fixtures."""
    SHARED["tokenizer"] = tokenizer


def test_columns_are_joined_and_missing_ones_left_out(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = Table.from_rows(
        [
            {"title": "good", "body": "film", "n": 1},
            {"title": None, "body": "bad", "n": 2},
            {"title": " ", "body": None},
        ]
    )
    task = ClassificationTask(Columns(text=("title", "body", "n")), labels=("a", "b"))
    wanted = [tokenizer(text)["input_ids"] for text in ("good\nfilm\n1", "bad\n2", "")]
    assert pieces(task.encode(rows, tokenizer, 16)) == wanted
    lengths = np.concatenate(list(token_lengths(rows, task.columns, tokenizer)))
    assert lengths.tolist() == [len(ids) for ids in wanted]


def test_targets_are_there_when_labels_are_and_wanted(tokenizer: PreTrainedTokenizerBase) -> None:
    task = fitted(["a", "b"])
    assert task.encode(table(["b", None, "a"]), tokenizer, 8).targets["labels"].tolist() == [1, UNLABELLED, 0]
    assert task.encode(table(["unknown"]), tokenizer, 8, labelled=False).targets == {}
    assert task.encode(Table.from_rows([{"text": "good"}]), tokenizer, 8).targets == {}


def test_targets_need_no_tokens() -> None:
    labels = [math.nan if row % 3 == 2 else float(row % 3) for row in range(9000)]
    found = fitted([0, 1]).targets(table(labels))["labels"]
    assert found.dtype == np.int64
    assert found.tolist() == [UNLABELLED if row % 3 == 2 else row % 3 for row in range(9000)]
    assert fitted([True, False]).targets(table([True, False])) == {"labels": pytest.approx([1, 0])}
    with pytest.raises(UserError):
        fitted([True, False]).targets(table([1, 0]))


def test_progress_is_told_in_rows(tokenizer: PreTrainedTokenizerBase) -> None:
    told: list[int] = []
    fitted(["a", "b"]).encode(table(["a"] * 2000), tokenizer, 8, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 2000
    assert len(told) > 1


def test_an_unknown_label_is_told_before_anything_is_tokenised(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError):
        fitted(["a", "b"]).encode(table(["a"] * 2000 + ["c"]), tokenizer, 8, progress=pytest.fail)


def test_many_rows_come_in_order(tokenizer: PreTrainedTokenizerBase) -> None:
    """More than one batch of the table."""
    count = 9000
    labels = [index % 7 for index in range(count)]
    texts = ["good " * (index % 5) for index in range(count)]
    encoded = fitted(labels).encode(table(labels, texts), tokenizer, 4)
    assert encoded.targets["labels"].tolist() == labels
    assert encoded.full_lengths.tolist() == [2 + index % 5 for index in range(count)]


# ---------------------------------------------------------------------------------------------- answers


def test_probabilities_of_huge_logits() -> None:
    found = fitted(["a", "b", "c"]).probabilities(np.array([[1e30, 0, -1e30], [1e4, 1e4, -1e4]], np.float32))
    np.testing.assert_allclose(found, [[1, 0, 0], [0.5, 0.5, 0]])
    assert found.dtype == np.float64


def test_probabilities_leave_the_logits_alone() -> None:
    logits = np.array([[1.0, 2.0]])
    fitted(["a", "b"]).probabilities(logits)
    assert logits.tolist() == [[1.0, 2.0]]


@given(st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=10))
def test_decoding_and_outcome_agree(logits: list[list[float]]) -> None:
    task, outputs = fitted(["a", "b", "c"]), np.array(logits, np.float32)
    decoded = task.decode(outputs, features(len(logits)))
    outcome = task.outcome(outputs, features(len(logits), [0] * len(logits)))
    for row, (prediction, probabilities) in enumerate(zip(decoded, outcome.outputs, strict=True)):
        assert prediction.row == row
        assert prediction.scores is not None
        assert list(prediction.scores) == ["a", "b", "c"]
        assert list(prediction.scores.values()) == probabilities.tolist()
        assert sum(prediction.scores.values()) == pytest.approx(1)
        assert prediction.scores[str(prediction.prediction)] == max(prediction.scores.values())


def test_rows_without_a_label_are_answered_and_not_scored() -> None:
    task, outputs = fitted(["a", "b"]), np.array([[2.0, 0], [0, 2.0], [3.0, 0]])
    some = features(3, [0, UNLABELLED, 1])
    outcome = task.outcome(outputs, some)
    assert outcome.targets.tolist() == [0, 1]
    np.testing.assert_array_equal(outcome.outputs, task.probabilities(outputs)[[0, 2]])
    assert outcome.labels == ("a", "b")
    assert len(task.decode(outputs, some)) == 3


def test_every_task_is_registered_under_its_name() -> None:
    assert {name: task.name for name, task in TASKS.items()} == {name: name for name in TASKS}
