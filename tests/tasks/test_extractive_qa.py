"""Windows, characters and spans: whatever the script, what a model points to is what stands in the text."""

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
from supertune.tasks import ExtractiveQaTask, task_from_state
from supertune.tasks.extractive_qa import IGNORED, Settings
from supertune.tasks.offsets import located
from supertune.tasks.pointing import NOTHING, best_spans, best_threshold, pointed, token_positions
from tiny_models import WORDS, needs_e5, needs_minilm

COLUMNS = Columns(("question", "context"), ("answers",), pair=True, answers="answers")
HARD = (
    "the film is good .",
    "电影很好，不坏。 the film",
    "e\u0301 cafe\u0301 the   film\t\n is\u3000good",
    "ＡＢＣ全角，ｆｉｌｍ 1２３",
    "👨‍👩‍👧 😀 good 👍🏽 不 ❤️ bad",
    "नमस्ते दुनिया สวัสดี ﷺ ﬁlm Straße İstanbul",
    "\u200bgood\u200d bad\ufeff 好\u00a0坏",
)


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Any:
    return tokenizer_of(tiny_encoder)


def tokenizer_of(folder: Path | str) -> Any:
    from supertune.models import load_tokenizer, resolve

    return load_tokenizer(resolve(str(folder)), max_length=64)


def table(*rows: tuple[str, str, list[tuple[str, int]] | None]) -> Table:
    return Table.from_rows(
        [
            {
                "question": question,
                "context": context,
                "answers": None if told is None else [{"text": text, "answer_start": start} for text, start in told],
            }
            for question, context, told in rows
        ]
    )


def task_for(stride: int = 128, longest: int = 64, threshold: float | None = None) -> ExtractiveQaTask:
    return ExtractiveQaTask(COLUMNS, settings=Settings(stride, longest), threshold=threshold)


def item(features: Features, index: int) -> dict[str, Any]:
    part = slice(features.offsets[index], features.offsets[index + 1])
    return {name: values[part] for name, values in features.tokens.items()}


# ---------------------------------------------------------------------------------------------------- characters


def check_characters(text: str, tokenizer: Any) -> None:
    (found,) = located([text], tokenizer)
    assert found.ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
    there = found.ends > found.begins
    assert (found.begins[~there] == -1).all()
    assert (found.ends[~there] == -1).all()
    for begin, end in zip(found.begins[there], found.ends[there], strict=True):
        assert 0 <= begin < end <= len(text)
        assert not text[begin].isspace()
        assert not text[end - 1].isspace()
        # No accent or joiner is torn off what it belongs to, unless it is a token itself.
        rest = text[end:]
        assert not rest or rest[0] not in "\u0301\u200d\ufe0f" or end in found.begins
    assert (np.diff(found.begins[there]) >= 0).all()


@pytest.mark.parametrize("text", HARD)
def test_characters_are_exact_in_every_script(text: str, tokenizer: Any) -> None:
    check_characters(text, tokenizer)


@given(st.text(st.sampled_from("a good坏影 \t\u3000\u0301\u200d😀👍🏽，.é"), max_size=40))
def test_characters_are_exact_in_any_mixture(text: str) -> None:
    check_characters(text, MIXED["tokenizer"])


MIXED: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _mixed(tokenizer: Any) -> None:
    MIXED["tokenizer"] = tokenizer


@pytest.mark.parametrize(
    "model", [pytest.param("minilm", marks=needs_minilm), pytest.param("e5-multilingual", marks=needs_e5)]
)
def test_words_of_real_tokenizers_are_found_where_they_stand(model: str) -> None:
    tokenizer = tokenizer_of(model)
    for text in HARD:
        check_characters(text, tokenizer)
    pair = ("谁写的？", "The film 电影。")
    features = task_for().encode(table((*pair, None)), tokenizer, 64)
    assert item(features, 0)["input_ids"].tolist() == tokenizer(*pair)["input_ids"]
    text = "Die Straße ist 30km lang, 从北京到上海一共1318公里。 ＡＢＣ cafe\u0301s 😀!"
    for word in ("Straße", "30km", "北京", "1318", "ＡＢＣ", "cafe\u0301s", "😀"):
        rows = table(("q", text, [(word, text.index(word))]))
        features = task_for().encode(rows, tokenizer, 64)
        first, last = features.targets["labels"][0]
        found = item(features, 0)
        got = text[found["begins"][first] : found["ends"][last]]
        assert word in got
        assert len(got) <= len(word) + 3, (model, word, got)


# ------------------------------------------------------------------------------------------------------- windows

LONG = " ".join(WORDS[row % 15] for row in range(200))


def test_a_short_pair_is_encoded_as_the_tokenizer_does(tokenizer: Any) -> None:
    for question, context in (("the good film", "电影 很好 is bad"), ("", "a")):
        features = task_for().encode(table((question, context, None)), tokenizer, 64)
        called = tokenizer(question, context)
        found = item(features, 0)
        assert found["input_ids"].tolist() == called["input_ids"]
        assert found["token_type_ids"].tolist() == called["token_type_ids"]
        sides = np.array([side == 1 for side in called.sequence_ids()])
        assert ((found["begins"] >= 0) == sides).all()


@settings(max_examples=40)
@given(st.integers(12, 64), st.integers(1, 60), st.integers(1, 60), st.integers(0, 200), st.integers(0, 60))
def test_windows_cover_every_token_and_hold_every_answer_that_fits(
    max_length: int, stride: int, longest: int, words: int, asked: int
) -> None:
    tokenizer = MIXED["tokenizer"]
    context, question = " ".join(LONG.split()[:words]), " ".join(LONG.split()[:asked])
    features = task_for(stride, longest).encode(table((question, context, None)), tokenizer, max_length)
    (whole,) = located([context], tokenizer)
    seen: set[int] = set()
    rooms = []
    for index in range(len(features)):
        found = item(features, index)
        assert len(found["input_ids"]) <= max_length
        inside = found["begins"] >= 0
        rooms.append(int(inside.sum()))
        seen |= set(found["begins"][inside].tolist())
        for token, begin in zip(found["input_ids"][inside], found["begins"][inside], strict=True):
            assert whole.ids[whole.begins == begin] == token
    assert seen == set(whole.begins.tolist())
    room = max(rooms)
    fits = min(longest, room // 2) if len(features) > 1 else len(whole)
    for first in range(0, len(whole) - fits + 1, 3):
        if fits:
            span = np.array([[whole.begins[first], whole.ends[first + fits - 1]]] * len(features))
            assert (token_positions(features, span)[:, 0] >= 0).any()


def test_a_window_without_the_whole_answer_points_to_none(tokenizer: Any) -> None:
    start = LONG.index("late here and", 300)
    rows = table(("film", LONG, [("late here and", start)]), ("film", LONG, []), ("film", LONG, None))
    features = task_for(20, 10).encode(rows, tokenizer, 48)
    labels = features.targets["labels"]
    mine = features.rows == 0
    assert 0 < (labels[mine, 0] > 0).sum() < mine.sum()
    for index in np.flatnonzero(mine & (labels[:, 0] > 0)):
        found = item(features, int(index))
        assert LONG[found["begins"][labels[index, 0]] : found["ends"][labels[index, 1]]] == "late here and"
    assert (labels[features.rows == 1] == 0).all()
    assert task_for().labelled(features)[features.rows == 1].all()
    assert not task_for().labelled(features)[features.rows == 2].any()


def test_answers_that_no_window_can_hold_are_counted_and_not_learned(tokenizer: Any) -> None:
    rows = table(("film", LONG, [(LONG[:400], 0)]), ("film", LONG, [("nowhere", 3)]), ("film", LONG, [("film", 6)]))
    task = task_for(20, 10)
    features = task.encode(rows, tokenizer, 48)
    labels = features.targets["labels"]
    assert (labels[features.rows < 2] == IGNORED).all()
    assert (labels[features.rows == 2] != IGNORED).all()
    assert task.out_of_reach(features).tolist() == [0]
    assert task.labelled(features).all()


def test_only_a_question_that_leaves_no_room_is_cut_and_counted(tokenizer: Any) -> None:
    rows = table((LONG, LONG, None), (LONG, "film", None), ("film", LONG, None))
    task = task_for()
    features = task.encode(rows, tokenizer, 32)
    lengths = np.concatenate(list(task.token_lengths(rows, tokenizer, 32)))
    assert (lengths > 32).tolist() == [True, True, False]
    assert [int(features.full_lengths[features.rows == row].max()) for row in range(3)] == lengths.tolist()
    assert lengths[1] == 200 + 1 + 3


def test_a_decoders_tokenizer_gets_a_line_between(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "film": 3, "\n": 4}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]")
    features = task_for().encode(table(("a film", "film a", None)), tokenizer, 16)
    assert features.tokens["input_ids"].tolist() == [2, 3, 4, 3, 2]
    assert features.tokens["begins"].tolist() == [-1, -1, -1, 0, 5]


# --------------------------------------------------------------------------------------------------------- spans


def oracle(scores: Any, features: Features, longest: int) -> dict[int, tuple[float, list[tuple[float, int, int]]]]:
    """Every span of every window, one by one: row → (score of nothing, spans with the best first)."""
    found: dict[int, tuple[float, dict[tuple[int, int], float]]] = {}
    for index, row in enumerate(features.rows.tolist()):
        window = item(features, index)
        nothing, spans = found.get(row, (np.inf, {}))
        own = scores[index]
        nothing = min(nothing, float(own[0, 0] + own[0, 1]))
        for first in range(len(window["begins"])):
            for last in range(first, min(first + longest, len(window["begins"]))):
                if window["begins"][first] >= 0 and window["begins"][last] >= 0:
                    place = int(window["begins"][first]), int(window["ends"][last])
                    spans[place] = max(spans.get(place, -np.inf), float(own[first, 0] + own[last, 1]))
        found[row] = nothing, spans
    return {
        row: (nothing, sorted(((score, *place) for place, score in spans.items()), key=lambda s: (-s[0], *s[1:])))
        for row, (nothing, spans) in found.items()
    }


@settings(max_examples=60)
@given(st.data())
def test_the_same_scores_give_the_answers_of_an_exhaustive_search(data: Any) -> None:
    import torch

    draw = data.draw
    contexts = [" ".join(LONG.split()[:words]) for words in draw(st.lists(st.integers(0, 60), min_size=1, max_size=4))]
    rows = table(*(("film", context, []) for context in contexts))
    longest = draw(st.integers(1, 12))
    task = task_for(draw(st.integers(1, 30)), longest)
    features = task.encode(rows, MIXED["tokenizer"], draw(st.integers(12, 40)))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    longest_window = int(features.lengths.max())
    # Few different scores, so that many spans are equally good; sums of quarters are exact.
    scores = generator.integers(-8, 8, (len(features), longest_window, 2)) / 4
    padded = {name: np.zeros((len(features), longest_window), np.int64) for name in ("begins", "ends")}
    for index in range(len(features)):
        for name, values in padded.items():
            values[index, : features.lengths[index]] = item(features, index)[name]
    outputs = best_spans(
        torch.from_numpy(scores), torch.from_numpy(padded["begins"]), torch.from_numpy(padded["ends"]),
        longest=longest, count=4000,
    ).numpy()  # fmt: skip
    wanted = oracle(scores, features, longest)
    for found in pointed(outputs, features):
        nothing, spans = wanted[found.row]
        assert found.nothing == nothing
        assert list(found.spans) == spans


def test_few_places_hold_the_best_of_many_spans(tokenizer: Any) -> None:
    import torch

    features = task_for(10, 5).encode(table(("film", LONG, [])), tokenizer, 40)
    generator = torch.Generator().manual_seed(0)
    length = int(features.lengths.max())
    scores = torch.randn(len(features), length, 2, generator=generator)
    begins, ends = (torch.zeros(len(features), length, dtype=torch.int64) for _ in range(2))
    for index in range(len(features)):
        begins[index, : features.lengths[index]] = torch.from_numpy(item(features, index)["begins"])
        ends[index, : features.lengths[index]] = torch.from_numpy(item(features, index)["ends"])
    few, many = (best_spans(scores, begins, ends, longest=5, count=count).numpy() for count in (7, 900))
    (one,), (other,) = (list(pointed(outputs, features)) for outputs in (few, many))
    assert list(one.spans)[:7] == list(other.spans)[:7]
    assert few.shape == (len(features), 8, 3)
    assert (many[:, -1, 0] == np.float32(NOTHING)).all()
    assert np.isfinite(many).all()


def outputs_of(*rows: tuple[float, list[tuple[float, int, int]]], places: int = 20) -> tuple[Any, Features]:
    outputs = np.full((len(rows), 1 + places, 3), [NOTHING, -1, -1], np.float32)
    for index, (nothing, spans) in enumerate(rows):
        outputs[index, 0, 0] = nothing
        outputs[index, 1 : 1 + len(spans)] = np.reshape(spans, (-1, 3))
    count = len(rows)
    return outputs, Features({}, np.arange(count + 1), {}, np.arange(count), np.ones(count, np.int64))


def at(features: Features, rows: Table) -> Features:
    return replace(features, table=rows, targets=task_for().targets(rows))


def test_answers_are_cut_out_of_the_text_with_the_next_best() -> None:
    context = "好 film, good film 👍🏽."
    rows = table(("a", context, [("film", 2)]), ("b", context, []), ("c", "", None))
    spans = [(5.0, 8, 17), (4.0, 2, 6), (3.0, 13, 17), (2.0, 18, 20)]
    outputs, features = outputs_of((0.0, spans), (9.0, [(1.0, 2, 6)]), (1.0, []))
    features = at(features, rows)
    first, second, third = task_for(threshold=0.0).decode(outputs, features)
    assert (first.prediction, first.more["start"], first.more["end"]) == ("good film", 8, 17)
    # The same words in another place are told once.
    assert [told["text"] for told in first.more["n_best"]] == ["good film", "film", "👍🏽"]
    assert first.more["n_best"][1] == {"text": "film", "score": 4.0, "start": 2, "end": 6}
    assert (second.prediction, second.more["start"]) == ("", None)
    assert second.more["n_best"][0]["text"] == "film"
    assert (third.prediction, third.more["n_best"]) == ("", [])
    (always, given, _) = task_for().decode(outputs, features)
    assert given.prediction == "film"
    assert "no_answer_score" not in always.more
    outcome = task_for(threshold=0.0).outcome(outputs, features)
    assert list(outcome.targets) == [("film",), ()]
    assert list(outcome.outputs) == ["good film", ""]


def test_answers_are_told_whatever_stands_in_the_column_of_answers() -> None:
    rows = Table.from_rows([{"question": "a", "context": "good film", "answers": [{"answer": 7}]}])
    outputs, features = outputs_of((0.0, [(1.0, 5, 9)]))
    unlabelled = replace(features, table=rows)
    assert task_for().decode(outputs, unlabelled)[0].prediction == "film"
    with pytest.raises(UserError, match="row 0 has"):
        task_for().outcome(outputs, unlabelled)


@given(st.lists(st.tuples(st.integers(-6, 6), st.integers(0, 4), st.booleans()), min_size=1, max_size=12))
def test_the_threshold_is_the_best_there_is(rows: list[tuple[int, int, bool]]) -> None:
    gaps = np.array([gap / 2 for gap, _, _ in rows])
    values = np.array([worth / 4 for _, worth, _ in rows])
    answerable = np.array([has for *_, has in rows])

    def total(threshold: float) -> float:
        given = gaps <= threshold
        return float(np.where(answerable, values * given, ~given).sum())

    chosen = best_threshold(gaps, values, answerable)
    assert total(chosen) == max(total(threshold) for threshold in (*(gaps - 0.1), *(gaps + 0.1)))


def test_the_threshold_comes_from_the_validation_rows_and_travels_with_the_model() -> None:
    context = "good film"
    rows = table(*(("a", context, [("good", 0)]) for _ in range(3)), *(("b", context, []) for _ in range(3)))
    outputs, features = outputs_of(*((gap, [(0.0, 0, 4)]) for gap in (-1.0, 2.0, 3.0, 5.0, 6.0, 7.0)))
    features = at(features, rows)
    task = task_for()
    assert task.calibrated(outputs, features) is task
    task.fit_state(rows)
    calibrated = task.calibrated(outputs, features)
    assert calibrated.threshold == 4.0
    assert list(calibrated.outcome(outputs, features).outputs) == ["good"] * 3 + [""] * 3
    again = task_from_state("extractive-qa", calibrated.state())
    assert again.state() == calibrated.state()
    assert again.decode(outputs, features) == calibrated.decode(outputs, features)


def test_the_rules_are_those_of_the_texts_language() -> None:
    task = task_for()
    task.fit_state(table(*(("谁？", f"这部电影很好看，大家都很喜欢{row}。", [("电影", 2)]) for row in range(4))))
    assert (task.primary_metric, task.headline[0], task.threshold) == ("f1_cmrc", "f1_cmrc", None)
    text = "Everybody in the town liked the film very much"
    task.fit_state(table(*(("who?", f"{text} {row}.", [("film", 32)]) for row in range(4))))
    assert (task.primary_metric, task.headline[:2]) == ("f1", ("f1", "exact_match"))


def test_texts_that_cannot_be_numbered_exactly_are_refused(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from supertune.tasks import windows

    monkeypatch.setattr(windows, "_MOST_CHARACTERS", 20)
    with pytest.raises(UserError, match="row 1 has a text of more than 20 characters"):
        task_for().encode(table(("a", "b", None), ("a", "b" * 20, None)), tokenizer, 16)


# ---------------------------------------------------------------------------------------------------------- loss


def test_the_loss_is_the_mean_of_two_cross_entropies_and_counts_items_once() -> None:
    import torch

    from supertune.train import pointing

    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(5, 9, 2, generator=generator, requires_grad=True)
    targets = torch.tensor([[1, 3], [0, 0], [8, 8], [IGNORED, IGNORED], [2, 2]])
    loss, count = pointing()(outputs, targets)
    sides = [
        torch.nn.functional.cross_entropy(outputs[:, :, side], targets[:, side], reduction="sum") for side in (0, 1)
    ]
    expected = sides[0] + sides[1]
    assert loss.item() == pytest.approx(expected.item() / 2)
    assert int(count) == 4
    passed, none = pointing()(outputs[3:4], targets[3:4])
    passed.backward()
    assert (passed.item(), none.item()) == (0.0, 0)
    with pytest.raises(ValueError, match="scores of shape"):
        pointing()(outputs, targets[:, :1])


def test_padding_changes_neither_loss_nor_answers() -> None:
    import torch

    from supertune.train import pointing

    task = task_for().minimising(pointing())
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn(2, 6, 2, generator=generator)
    batch = {
        "begins": torch.tensor([[-1, -1, -1, 0, 2, -1]] * 2),
        "ends": torch.tensor([[-1, -1, -1, 1, 4, -1]] * 2),
        "labels": torch.tensor([[3, 4], [0, 0]]),
    }
    wider = {
        "begins": torch.nn.functional.pad(batch["begins"], (0, 3)),
        "ends": torch.nn.functional.pad(batch["ends"], (0, 3)),
        "labels": batch["labels"],
    }
    padded = torch.nn.functional.pad(outputs, (0, 0, 0, 3), value=7.0)
    assert float(task.criterion(outputs, batch)[0]) == pytest.approx(float(task.criterion(padded, wider)[0]))
    found, again = (
        best_spans(scores, given["begins"], given["ends"], longest=9, count=3)
        for scores, given in ((outputs, batch), (padded, wider))
    )
    assert torch.equal(found, again)
