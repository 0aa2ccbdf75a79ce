"""Windows, tags and entities: whatever the script, what is found are whole entities with the characters they have."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from supertune.contracts import Columns, Features
from supertune.data import Table
from supertune.entity_spans import tagged_of
from supertune.errors import UserError
from supertune.tasks import TaggingTask, task_from_state
from supertune.tasks.offsets import located
from supertune.tasks.tag_paths import best_paths, found_entities, tag_names, token_tags
from supertune.tasks.tagging import Settings
from supertune.train import TAG_LOSSES, LossSettings, collate, epoch_order
from supertune.train.batches import Batching
from tiny_models import WORDS, needs_e5, needs_minilm

COLUMNS = Columns(("text",), ("entities",), answers="spans")
LABELS = ("LOC", "PER")
LONG = " ".join(WORDS[row % 15] for row in range(200))
SHARED: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def tokenizer(tiny_encoder: Path) -> Any:
    SHARED["tokenizer"] = tokenizer_of(str(tiny_encoder))
    return SHARED["tokenizer"]


def tokenizer_of(name: str) -> Any:
    from supertune.models import load_tokenizer, resolve

    return load_tokenizer(resolve(name), max_length=64)


def task_for(stride: int = 192, **options: Any) -> TaggingTask:
    return TaggingTask(COLUMNS, labels=LABELS, settings=Settings(stride), **options)


def table(*rows: tuple[str, list[tuple[int, int, str]] | None]) -> Table:
    return Table.from_rows(
        [{"text": text, "entities": None if spans is None else [list(span) for span in spans]} for text, spans in rows]
    )


def item(features: Features, index: int) -> dict[str, Any]:
    part = slice(features.offsets[index], features.offsets[index + 1])
    return {name: values[part] for name, values in features.tokens.items()}


def sure(features: Features, tags: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What `best_paths` would give, padded, if it were sure of these tags: none goes on that has not begun."""
    outputs = np.zeros((len(features), int(features.lengths.max()), 2), np.float32)
    for index in range(len(features)):
        own = tags[features.offsets[index] : features.offsets[index + 1]]
        seen = np.flatnonzero(item(features, index)["begins"] >= 0)
        outputs[index, : len(own), 0] = own
        if len(seen) and own[seen[0]] > 0:
            # A window that begins within an entity sees it begin there.
            outputs[index, seen[0], 0] = own[seen[0]] - (own[seen[0]] % 2 == 0)
    return outputs


# ------------------------------------------------------------------------------------------------------------ windows


@settings(max_examples=25)
@given(st.integers(10, 64), st.integers(1, 80), st.integers(0, 200))
def test_every_token_is_judged_once_and_well_inside_a_window(max_length: int, stride: int, words: int) -> None:
    text = " ".join(LONG.split()[:words])
    features = task_for(stride).encode(table((text, [])), SHARED["tokenizer"], max_length)
    (whole,) = located([text], SHARED["tokenizer"])
    room, judged = max_length - 2, []
    for index in range(len(features)):
        found = item(features, index)
        assert len(found["input_ids"]) <= max_length
        places = np.flatnonzero(found["home"])
        assert (found["begins"][places] >= 0).all()
        judged += found["begins"][places].tolist()
        for place in places:
            # Far from either edge, but where the text itself begins or ends.
            left, right = place, len(found["begins"]) - place
            first, last = found["begins"][1] == 0, found["ends"][-2] == len(text)
            assert first or last or min(left, right) >= min(64, room // 2) // 2
    assert judged == whole.begins.tolist()
    assert sum(len(piece) for piece in task_for(stride).token_lengths(table((text, [])), SHARED["tokenizer"], 64)) == 1


def test_a_short_text_is_encoded_as_the_tokenizer_does(tokenizer: Any) -> None:
    for text in ("the good film", "电影 is bad .", "", "  "):
        features = task_for().encode(table((text, None)), tokenizer, 64)
        assert item(features, 0)["input_ids"].tolist() == tokenizer(text)["input_ids"]
    assert "token_type_ids" not in features.tokens


def test_tokens_know_which_word_they_are_of(tokenizer: Any) -> None:
    features = task_for().encode(table(("films, 好电影 😀 badly", None)), tokenizer, 64)
    found = item(features, 0)
    text = "films, 好电影 😀 badly"
    inside = [
        text[begin:end]
        for begin, end, follows in zip(found["begins"], found["ends"], found["follows"], strict=True)
        if follows == 1
    ]
    assert inside == ["s", "ly"]


# --------------------------------------------------------------------------------------------------------------- tags

pieces = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 1)), max_size=12)


@settings(max_examples=40)
@given(pieces, st.sampled_from([12, 16, 64]), st.integers(2, 60))
def test_entities_of_whole_tokens_come_back_from_their_tags(
    gaps: list[tuple[int, int, int]], max_length: int, stride: int
) -> None:
    (whole,) = located([LONG], SHARED["tokenizer"])
    spans, place = [], 0
    for gap, length, label in gaps:
        first, last = place + gap, place + gap + length - 1
        spans.append((int(whole.begins[first]), int(whole.ends[last]), LABELS[label]))
        place = last + 1
    rows = table((LONG, spans), ("the film", []), (LONG[:40], None))
    task = task_for(stride)
    features = task.encode(rows, SHARED["tokenizer"], max_length)
    targets = task.targets(rows)
    tags, inexact = token_tags(features, targets["entities"], targets["bounds"])
    assert inexact.tolist() == [0, 0, 0]
    found = found_entities(sure(features, tags), features)
    assert [(one.start, one.end, LABELS[one.label]) for one in found[0]] == spans
    assert found[1:] == [[], []]
    # Outside the text, away from home and where nobody has looked, nothing is learned.
    learned = features.tokens["tags"] > 0
    assert learned.sum() == len(whole) + 2
    assert (features.tokens["tags"][learned] - 1 == tags[learned]).all()
    assert features.targets["tagged"].tolist() == (features.rows < 2).tolist()


def test_an_entity_inside_a_token_is_counted_and_found_with_the_whole_token(tokenizer: Any) -> None:
    rows = table(("the parcel is here", [(4, 7, "PER"), (14, 18, "LOC")]))
    task = task_for()
    features = task.encode(rows, tokenizer, 64)
    assert features.targets["inexact"].tolist() == [1]
    assert features.targets["known"].tolist() == [2]
    tags = np.maximum(features.tokens["tags"].astype(int) - 1, 0)
    assert [(one.start, one.end) for one in found_entities(sure(features, tags), features)[0]] == [(4, 10), (14, 18)]


def brute_force(logs: torch.Tensor, seen: list[bool], joined: list[bool]) -> float:
    """Highest sum of logarithms over all tags of the seen tokens that make whole entities."""
    places = [place for place, see in enumerate(seen) if see]
    best = -math.inf
    for tags in itertools.product(range(logs.shape[1]), repeat=len(places)):
        before, allowed = 0, True
        for number, (place, tag) in enumerate(zip(places, tags, strict=True)):
            goes_on = tag > 0 and tag % 2 == 0 and before in (tag - 1, tag)
            legal = goes_on or tag % 2 == 1 or tag == 0
            if number and joined[place]:
                legal = goes_on or (tag == 0 and before == 0)
            allowed = allowed and legal
            before = tag
        if allowed:
            best = max(best, sum(float(logs[place, tag]) for place, tag in zip(places, tags, strict=True)))
    return best


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=5))
def test_the_best_tags_are_the_best_of_all_that_make_whole_entities(seed: int, tokens: list[tuple[bool, int]]) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = 3 * torch.randn(2, len(tokens), 5, generator=generator)
    seen = torch.tensor([[see for see, _ in tokens]] * 2)
    follows = torch.tensor([[how for _, how in tokens]] * 2)
    for whole_words in (True, False):
        paths = best_paths(outputs, seen, follows, whole_words=whole_words)
        logs = torch.log_softmax(outputs, dim=-1)
        for row in range(2):
            joined = [how >= (1 if whole_words else 2) for _, how in tokens]
            assert (
                float(paths[row, :, 1].sum())
                == pytest.approx(brute_force(logs[row], [see for see, _ in tokens], joined), abs=1e-4)
                or not seen.any()
            )
            chosen = paths[row, :, 0].long()
            assert torch.equal(paths[row, :, 1], logs[row].gather(1, chosen[:, None])[:, 0] * seen[row])
            assert (chosen[~seen[row]] == 0).all()


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.text(st.sampled_from("a good坏影 \t\u3000\u0301\u200d😀👍🏽，.é"), max_size=40))
def test_whatever_a_model_says_entities_are_whole_apart_and_without_blanks(seed: int, text: str) -> None:
    task = task_for(6, whole_words=True)
    rows = table((text, None))
    features = task.encode(rows, SHARED["tokenizer"], 14)
    batch = collate(features, np.arange(len(features)), {})
    outputs = 3 * torch.randn(*batch["begins"].shape, 5, generator=torch.Generator().manual_seed(seed))
    seen = batch["ends"] > batch["begins"]
    (prediction,) = task.decode(best_paths(outputs, seen, batch["follows"], whole_words=True).numpy(), features)
    before = 0
    for one in prediction.prediction:  # type: ignore[union-attr]
        assert before <= one["start"] < one["end"] <= len(text)  # type: ignore[index]
        assert one["text"] == text[one["start"] : one["end"]] == one["text"].strip()  # type: ignore[index]
        assert 0 < one["score"] <= 1  # type: ignore[index]
        before = one["end"]  # type: ignore[index]


@pytest.mark.parametrize(
    "model", [pytest.param("minilm", marks=needs_minilm), pytest.param("e5-multilingual", marks=needs_e5)]
)
def test_real_tokenizers_that_change_texts_keep_the_characters(model: str) -> None:
    tokenizer = tokenizer_of(model)
    text = "Zoë  moved from\tStraße 5 to 北京, then to ＡＢＣ and Cafe\u0301 Noir 😀."
    words = ("Zoë", "Straße", "北京", "ＡＢＣ", "Cafe\u0301 Noir")
    spans = [(text.index(word), text.index(word) + len(word), "LOC") for word in words]
    rows = table((text, spans))
    task = task_for()
    features = task.encode(rows, tokenizer, 64)
    tags = np.maximum(features.tokens["tags"].astype(int) - 1, 0)
    found = found_entities(sure(features, tags), features)[0]
    assert [text[one.start : one.end] for one in found] == list(words)


# -------------------------------------------------------------------------------------------------------------- loss


def test_the_loss_is_that_of_the_learned_tokens_however_a_batch_is_cut(tokenizer: Any) -> None:
    rows = table((LONG, [(0, 3, "PER")]), ("the film is good", [(4, 8, "LOC")]), ("a", []), ("late", None))
    task = task_for(10).minimising(TAG_LOSSES["cross_entropy"](LossSettings(None, 0.0, 2.0, 0.5)))
    features = task.encode(rows, tokenizer, 24)
    weights = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))

    class Model(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, **_: torch.Tensor) -> Any:
            return type("Output", (), {"logits": weights[input_ids]})()

    def loss(items: list[int]) -> tuple[float, int]:
        summed, count = task.loss(Model(), collate(features, np.array(items), {"input_ids": 0}))
        return float(summed), int(count)

    whole = loss(list(range(len(features))))
    parts = [loss([index]) for index in range(len(features))]
    assert whole[0] == pytest.approx(sum(part[0] for part in parts), rel=1e-5)
    assert whole[1] == sum(part[1] for part in parts) == (features.tokens["tags"] > 0).sum()
    learned = features.tokens["tags"] > 0
    logs = torch.log_softmax(weights[features.tokens["input_ids"][learned]], dim=-1)
    expected = -logs[torch.arange(len(logs)), features.tokens["tags"][learned] - 1].sum()
    assert whole[0] == pytest.approx(float(expected), rel=1e-5)
    # Where nobody has looked, there is nothing to learn, and nothing breaks.
    assert loss([len(features) - 1]) == (0.0, 0)
    assert len(epoch_order(features, Batching(2), 0, 0)) == -(-len(features) // 2)


# ------------------------------------------------------------------------------------------------------------- state


def test_labels_and_words_are_learned_from_the_training_rows(tokenizer: Any) -> None:
    rows = table(("the film is here", [(4, 8, "b"), (12, 16, "a")]), ("a parcel", []))
    task = TaggingTask(COLUMNS)
    task.fit_state(rows)
    assert task.labels == ("a", "b")
    assert task.whole_words
    assert task.mentions == {"film", "here"}
    assert task.head().config["id2label"] == dict(enumerate(("O", "B-a", "I-a", "B-b", "I-b")))
    assert tag_names(("x",)) == ("O", "B-x", "I-x")
    again = task_from_state("tagging", task.state())
    assert again.state() == task.state()
    task.fit_state(table(("the film is here", [(4, 6, "a")])))
    assert not task.whole_words
    with pytest.raises(UserError, match="no training row has an entity"):
        task.fit_state(table(("the film", [])))
    with pytest.raises(UserError, match="row 0 has an entity with the label 'z'"):
        again.targets(table(("the film", [(0, 3, "z")])))


def test_rows_of_tokens_get_a_tag_for_every_token(tokenizer: Any) -> None:
    rows = Table.from_rows([{"tokens": ["the", "good", "film", "."], "tags": ["O", "B-PER", "I-PER", "O"]}])
    task = TaggingTask(Columns(("tokens",), ("tags",), answers="spans"), labels=LABELS)
    features = task.encode(rows, tokenizer, 64)
    tags = np.maximum(features.tokens["tags"].astype(int) - 1, 0)
    (prediction,) = task.decode(sure(features, tags), features)
    assert prediction.more == {"text": "the good film .", "tags": ["O", "B-PER", "I-PER", "O"]}
    outcome = task.outcome(sure(features, tags), features)
    assert outcome.targets.tolist() == outcome.outputs.tolist() == [((4, 13, 1),)]
    (row,) = tagged_of(rows, task.columns)
    assert row.text == "the good film ."
