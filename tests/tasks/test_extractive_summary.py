"""Windows of whole sentences, scores of sentences, and what is taken: verbatim, whatever the script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns, Features
from supertune.data import Table
from supertune.errors import UserError
from supertune.extracts import Length, oracle
from supertune.sentences import sentence_spans
from supertune.tasks import ExtractiveSummaryTask, task_from_state
from supertune.tasks.extractive_summary import Settings
from supertune.tasks.passages import MOST, scores_by_row, sentence_scores
from supertune.train import SET_LOSSES, LossSettings, collate

COLUMNS = Columns(("text",), ("summary",), answers="texts")
WORDS = ["the film", "is good", "a parcel was late", "电影很好", "not bad", "😀", "my parcel", "不坏", "1 2"]


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Any:
    from supertune.models import load_tokenizer, resolve

    return load_tokenizer(resolve(str(tiny_encoder)), max_length=64)


def table(*rows: tuple[str, object]) -> Table:
    return Table.from_rows([{"text": text, "summary": summary} for text, summary in rows])


def task_for(**options: Any) -> ExtractiveSummaryTask:
    return ExtractiveSummaryTask(COLUMNS, **options)


def item(features: Features, index: int) -> dict[str, Any]:
    part = slice(features.offsets[index], features.offsets[index + 1])
    return {name: values[part] for name, values in features.tokens.items()}


MIXED: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _for_properties(tokenizer: Any) -> None:
    # Hypothesis takes no fixtures of a narrower scope.
    MIXED["tokenizer"] = tokenizer


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join), min_size=1, max_size=12),
    st.integers(8, 40),
)
def test_every_sentence_is_whole_in_one_window_or_cut_and_counted(sentences: list[str], max_length: int) -> None:
    text = " ".join(f"{sentence}." for sentence in sentences)
    tokenizer = MIXED["tokenizer"]
    features = task_for().encode(table((text, None)), tokenizer, max_length)
    assert (features.lengths <= max_length).all()
    spans = sentence_spans(text)
    seen: dict[int, list[int]] = {}
    for index in range(len(features)):
        window = item(features, index)
        assert window["input_ids"][0] == tokenizer.cls_token_id
        assert window["input_ids"][-1] == tokenizer.sep_token_id
        numbers = window["sentences"]
        own = numbers[numbers > 0]
        assert (np.diff(own) >= 0).all()
        assert len(set(own.tolist())) <= MOST
        repeated = numbers[1:-1] == 0
        # What is repeated comes first, and takes no more than a quarter.
        assert not repeated[np.argmin(repeated) :].any() or not len(own)
        assert repeated.sum() <= (max_length - 2) // 4 or not len(own)
        for number in set(own.tolist()):
            assert number not in seen
            seen[number] = window["input_ids"][numbers == number].tolist()
            start, end = spans[number - 1]
            inside = (numbers == number) & (window["begins"] >= 0)
            assert (window["begins"][inside] >= start).all()
            assert (window["ends"][inside] <= end).all()
    room = max_length - 2
    cut = 0
    for number, (start, end) in enumerate(spans, 1):
        ids = tokenizer(text[start:end], add_special_tokens=False)["input_ids"]
        assert seen[number] == ids[:room]
        cut += len(ids) > room
    assert (features.full_lengths > features.lengths).sum() == cut


def test_long_documents_repeat_what_came_before(tokenizer: Any) -> None:
    text = " ".join(["the film is good ."] * 40)
    features = task_for().encode(table((text, None)), tokenizer, 30)
    assert len(features) > 1
    assert (item(features, 1)["sentences"][1:6] == 0).all()
    assert sorted({int(n) for n in features.tokens["sentences"] if n}) == list(range(1, 41))
    (lengths,) = task_for().token_lengths(table((text, None)), tokenizer, 30)
    assert lengths.tolist() == [features.lengths.max()]
    whole = task_for().encode(table((text, None)), tokenizer, 500)
    assert len(whole) == 1
    many = task_for().encode(table((". ".join(["good"] * 150), None)), tokenizer, 500)
    assert [len(set(item(many, index)["sentences"]) - {0}) for index in range(len(many))] == [MOST, MOST, 22]


def test_a_document_without_anything_to_see_has_a_window_and_no_sentence(tokenizer: Any) -> None:
    features = task_for().encode(table(("", None), (" \u200b", None), ("good .", None)), tokenizer, 16)
    assert features.rows.tolist() == [0, 1, 2]
    outputs = np.zeros((3, MOST, 2), np.float32)
    outputs[2, 0] = 1, 0.5
    assert [one.prediction for one in task_for(length=Length(2)).decode(outputs, features)] == ["", "", "good ."]


def test_targets_are_the_greedy_choice_and_unknown_where_nothing_is_shared(tokenizer: Any) -> None:
    rows = table(
        ("the film is good. a parcel was late. my film.", "the parcel was late"),
        ("the film is good.", None),
        ("the film is good. bad.", "Совсем другое"),
        ("电影很好。不坏。", '["的", "不坏"]'),
    )
    task = task_for()
    taken = task.targets(rows)["taken"]
    assert list(taken) == [(1,), None, (), (1,)]
    assert taken[0] == oracle(["the film is good.", "a parcel was late.", "my film."], ["the parcel was late"]).chosen
    features = task.encode(rows, tokenizer, 32)
    assert task.labelled(features).tolist() == [True, False, True, True]
    labels = [item(features, row)["labels"] for row in range(4)]
    numbers = [item(features, row)["sentences"] for row in range(4)]
    assert (labels[0] == (numbers[0] == 2)).all()
    assert (labels[1] == -1).all()
    assert (labels[2] == -1).all()
    assert (labels[3] == (numbers[3] == 2)).all()
    assert task.encode(rows, tokenizer, 32, labelled=False).targets == {}


def test_scores_of_sentences_are_means_of_their_tokens() -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 9, generator=generator)
    numbers = torch.tensor([[0, 0, 5, 5, 6, 7, 7, 7, 0], [0, 1, 1, 1, 0, 0, 0, 0, 0], [0] * 9])
    scores, found, members = sentence_scores(logits, numbers)
    assert scores.shape == found.shape == (3, MOST)
    assert members.shape == (3, MOST, 9)
    assert found[:, :4].tolist() == [[5, 6, 7, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    for number, tokens in ((5, [2, 3]), (6, [4]), (7, [5, 6, 7])):
        assert scores[0, number - 5].item() == pytest.approx(logits[0, tokens].mean().item(), abs=1e-6)
    assert torch.equal(sentence_scores(logits[:, :8], numbers[:, :8])[0][:2], scores[:2])


def test_the_loss_counts_sentences_that_are_known_and_nothing_else(tokenizer: Any, tiny_encoder: Path) -> None:
    import torch

    rows = table(
        ("the film is good. a parcel was late. my film.", "the parcel was late"),
        ("not bad. very good here.", "very good"),
        ("the film is good. bad.", "Совсем другое"),
    )
    task = task_for().minimising(SET_LOSSES["binary_cross_entropy"](LossSettings()))
    features = task.encode(rows, tokenizer, 32)
    assert isinstance(task, ExtractiveSummaryTask)
    parts = []
    for items in ([0], [1], [2], [0, 1, 2]):
        batch = collate(features, np.array(items), {"input_ids": 0})
        logits = (batch["input_ids"] * 0.01).float().requires_grad_()
        loss, count = task.criterion(logits, batch)
        loss.backward()
        assert logits.grad is not None
        parts.append((loss.item(), int(count)))
    assert [count for _, count in parts] == [3, 2, 0, 5]
    # Cutting a step into pieces changes nothing, and a piece without labels adds nothing.
    assert sum(loss for loss, _ in parts[:3]) == pytest.approx(parts[3][0], rel=1e-6)
    assert parts[2][0] == 0.0
    batch = collate(features, np.array([0]), {"input_ids": 0})
    scores = torch.tensor([0.3, -0.2, 1.0])
    logits = torch.zeros(1, int(features.lengths[0]))
    for number, score in enumerate(scores, 1):
        logits[batch["sentences"] == number] = score
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        scores, torch.tensor([0.0, 1.0, 0.0]), reduction="sum"
    )
    assert task.criterion(logits, batch)[0].item() == pytest.approx(expected.item(), rel=1e-6)


def outputs_of(features: Features, scores: list[list[float]]) -> np.ndarray[Any, Any]:
    """Scores of the sentences of each row as windows give them out."""
    outputs = np.zeros((len(features), MOST, 2), np.float32)
    for index, row in enumerate(features.rows):
        numbers = sorted({int(n) for n in item(features, index)["sentences"] if n})
        for place, number in enumerate(numbers):
            outputs[index, place] = number, scores[row][number - 1]
    return outputs


def test_what_is_taken_stands_in_the_text_as_it_is_told(tokenizer: Any) -> None:
    text = "The film\tis  good.  电影很好。不坏！ Mr. 😀 was late."
    rows = table((text, "a"), ("Bad. Good.", None))
    task = task_for(length=Length(2))
    features = task.encode(rows, tokenizer, 12)
    outputs = outputs_of(features, [[0.1, 2.0, 0.1, 3.0], [1.0, 1.0]])
    shuffled = np.random.default_rng(0).permutation(len(features))
    for order in (np.arange(len(features)), shuffled):
        first, second = task.decode(outputs[order], features.take(order))
        assert first.prediction == "电影很好。\nMr. 😀 was late."
        told = first.more["sentences"]
        assert [text[one["start"] : one["end"]] for one in told] == [one["text"] for one in told]
        assert [one["score"] for one in told] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-3))])
        assert second.prediction == "Bad.\nGood."
    outcome = task.outcome(outputs, features)
    assert list(outcome.targets) == [("a",)]
    assert list(outcome.outputs) == ["电影很好。\nMr. 😀 was late."]
    assert [row for row, _, _ in scores_by_row(outputs[shuffled], features.take(shuffled))] == [0, 1]


def test_how_much_is_taken_comes_from_the_validation_rows_and_travels_with_the_model(tokenizer: Any) -> None:
    text = "the film is good. a parcel was late. my film. not bad at all."
    rows = table(*((text, "the film is good. not bad at all.") for _ in range(3)))
    task = task_for()
    task.fit_state(rows)
    assert (task.unit, task.length.sentences) == ("sentence", 2)
    features = task.encode(rows, tokenizer, 64)
    outputs = outputs_of(features, [[2.0, 0.0, 0.5, 1.0]] * 3)
    calibrated = task.calibrated(outputs, features)
    assert calibrated.length == Length(2)
    assert task_for(settings=Settings(sentences=1)).calibrated(outputs, features).length.sentences == 1
    limited = task_for(settings=Settings(characters=20)).calibrated(outputs, features)
    assert (limited.length.characters, limited.length.sentences) == (20, None)
    assert limited.decode(outputs, features)[0].prediction == "the film is good."
    again = task_from_state("extractive-summary", calibrated.state())
    assert again.state() == calibrated.state()
    assert again.decode(outputs, features) == calibrated.decode(outputs, features)
    nothing = replace(features, table=table(*((text, None) for _ in range(3))))
    assert task.calibrated(outputs, nothing).length == task.length


def test_dialogues_are_taken_in_turns_unless_sentences_are_asked_for(tokenizer: Any) -> None:
    talk = "#Person1#: the film is good. not bad.\n#Person2#: a parcel was late. 电影很好。"
    rows = table(*((talk, "parcel late") for _ in range(4)))
    task = task_for()
    task.fit_state(rows)
    assert task.unit == "line"
    features = task.encode(rows, tokenizer, 64)
    assert set(features.tokens["sentences"].tolist()) == {0, 1, 2}
    outputs = outputs_of(features, [[0.0, 1.0]] * 4)
    assert task.decode(outputs, features)[0].prediction == talk.split("\n")[1]
    asked = task_for(settings=Settings(unit="sentence"))
    asked.fit_state(rows)
    assert asked.unit == "sentence"
    assert asked.token_settings(tokenizer) != task.token_settings(tokenizer)


def test_what_no_sentence_can_be_learned_from_is_refused() -> None:
    with pytest.raises(UserError, match="no training row has a word in common"):
        task_for().fit_state(table(("the film.", "Совсем"), ("good.", "другое")))
