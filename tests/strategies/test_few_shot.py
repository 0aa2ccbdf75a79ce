"""Contrastive and zero-shot: heads that no gradient reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from architectures import LABELS, build, classifier
from supertune.contracts import Head, LearnsBySimilarity, ReadsLabels
from supertune.errors import UserError
from supertune.strategies import STRATEGIES, build_strategy

NAMES = ["bad", "very_good", "neitherNor"]


def embeddings(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = random.normal(size=(classes, 16))
    points = centres[labels] + 0.7 * random.normal(size=(count, 16))
    return points / np.linalg.norm(points, axis=1, keepdims=True), labels


class Words:
    """A tokenizer that knows what it is asked."""

    model_max_length = 16

    def __init__(self, ids: dict[str, list[int]]) -> None:
        self.ids, self.asked = ids, list[str]()

    def __call__(self, texts: list[str], **_: Any) -> dict[str, torch.Tensor]:
        self.asked += texts
        rows = [self.ids[text] for text in texts]
        longest = max(map(len, rows))
        return {
            "input_ids": torch.tensor([row + [0] * (longest - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        }


def test_which_strategies_learn_how() -> None:
    assert [name for name, kind in STRATEGIES.items() if isinstance(kind(), LearnsBySimilarity)] == ["contrastive"]
    assert [name for name, kind in STRATEGIES.items() if isinstance(kind(), ReadsLabels)] == ["zero-shot"]


@pytest.mark.parametrize("classes", [2, LABELS])
@pytest.mark.parametrize("weights", [None, [3.0, 0.5, 1.0]])
def test_the_head_is_the_logistic_regression(classes: int, weights: list[float] | None) -> None:
    strategy: Any = build_strategy("contrastive", {})
    base = classifier("bert")
    base.config.num_labels = classes
    model = strategy.prepare(base)
    points, labels = embeddings(30, classes)
    weights = weights[:classes] if weights else None
    strategy.fit_head(model, points, labels, weights)
    weighted = dict(enumerate(weights)) if weights else None
    reference = LogisticRegression(C=10 * classes**2 / 30, max_iter=1000, class_weight=weighted)
    expected = reference.fit(points, labels).predict_proba(points)
    with torch.no_grad():
        found = model.classifier(torch.from_numpy(points).float()).softmax(-1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_head_and_the_pooler_are_in_no_group() -> None:
    strategy = build_strategy("contrastive", {"similarity": "softmax", "temperature": 0.05})
    model = strategy.prepare(classifier("bert"))
    learning = {name for group in strategy.parameter_groups(model, 1e-4, 0.01) for name in group.names}
    assert learning == {
        name for name, _ in model.named_parameters() if "pooler" not in name and "classifier" not in name
    }


def test_a_text_that_is_the_description_gets_its_label() -> None:
    strategy: Any = build_strategy("zero-shot", {"descriptions": {"bad": ["awful", "no good"]}})
    words = Words({"awful": [7, 8], "no good": [9, 10, 11], "very good": [20, 21], "neither nor": [30, 31]})
    model = strategy.prepare(classifier("bert"))
    strategy.read_labels(model, words, NAMES, scale=20.0)
    assert words.asked == ["awful", "no good", "very good", "neither nor"]
    for label, text in enumerate((None, "very good", "neither nor")):
        if text:
            with torch.no_grad():
                (logits,) = model(**words([text])).logits
            assert int(logits.argmax()) == label
            assert float(logits[label]) == pytest.approx(20.0, abs=1e-3), "the cosine is 1"
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_no_description_is_cut() -> None:
    strategy: Any = build_strategy("zero-shot", {"descriptions": {"bad": ["bad", "bad, bad, bad"]}})
    words = Words({"bad": [7], "bad, bad, bad": [7] * 17})
    with pytest.raises(UserError, match="has 17 tokens, and the model reads 16: 'bad, bad, bad'") as error:
        strategy.read_labels(strategy.prepare(classifier("bert")), words, NAMES, scale=20.0)
    assert error.value.where == "strategy.descriptions"


def test_templates_and_label_names_become_words() -> None:
    strategy: Any = build_strategy("zero-shot", {"template": "It is about {}."})
    assert strategy.meanings(["card_arrival", "topUp-failed", "NUM", "好评"]) == [
        ["It is about card arrival."],
        ["It is about top up failed."],
        ["It is about NUM."],
        ["It is about 好评."],
    ]


def test_a_temperature_without_effect_is_refused() -> None:
    with pytest.raises(UserError, match="softmax") as error:
        build_strategy("contrastive", {"temperature": 0.05})
    assert error.value.where == "strategy.temperature"


def test_contrastive_takes_what_labels_say() -> None:
    strategy: Any = build_strategy("contrastive", {"descriptions": {"0": ["awful", "bad"]}})
    assert strategy.label_texts(["0", "1", "very_good", "好评"]) == [["awful", "bad"], [], ["very good"], ["好评"]]
    with pytest.raises(UserError, match="'0' is no label"):
        strategy.label_texts(["bad", "good"])


@pytest.mark.parametrize("strategy", ["probe", "contrastive", "zero-shot"])
def test_models_of_two_stacks_are_refused(strategy: str) -> None:
    with pytest.raises(UserError, match="has an encoder and a decoder"):
        build_strategy(strategy, {}).prepare(classifier("bart"))


def test_a_decoder_gives_out_no_more_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy: Any = build_strategy("zero-shot", {})
    model = strategy.prepare(build("gemma").eval())
    model.labels, model.unread = [[[7, 8]], [[9]]], [[0.5], [0.25]]
    with torch.no_grad():
        whole = model(**texts()).logits
        monkeypatch.setattr("supertune.strategies.appending._MOST_LOGITS", 1)
        torch.testing.assert_close(model(**texts()).logits, whole)
        blank = {
            "input_ids": texts()["input_ids"],
            "attention_mask": texts()["attention_mask"] * torch.tensor([[1], [0]]),
        }
        assert model(**blank).logits[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("how", "labels", "said", "where"),
    [
        ({}, ["0", "1"], "'0' does not say what it means", "strategy.descriptions"),
        ({"descriptions": {"0": "bad"}}, ["0", "1"], "'1' does not say what it means", "strategy.descriptions"),
        ({"descriptions": {"0": "bad", "1": " "}}, ["0", "1"], "'1' does not say", "strategy.descriptions"),
        ({"descriptions": {"0": "bad", "1": []}}, ["0", "1"], "'1' does not say", "strategy.descriptions"),
        ({"descriptions": {"good": "fine"}}, ["bad", "nice"], "'good' is no label", "strategy.descriptions"),
        ({"template": "nothing"}, ["bad", "good"], "has no {}", "strategy.template"),
    ],
)
def test_what_is_not_known_is_said(how: dict[str, Any], labels: list[str], said: str, where: str) -> None:
    strategy: Any = build_strategy("zero-shot", how)
    with pytest.raises(UserError, match=said) as error:
        strategy.meanings(labels)
    assert error.value.where == where


class Pairs(Words):
    """A tokenizer that joins two texts as BERT's does: 1 text 2 text 2."""

    def __call__(self, texts: Any, second: str | None = None, **_: Any) -> dict[str, Any]:
        if not isinstance(texts, str):
            return super().__call__(texts)
        first = [1, *self.ids[texts], 2]
        if second is None:
            return {"input_ids": first, "token_type_ids": [0] * len(first)}
        more = [*self.ids[second], 2]
        return {"input_ids": first + more, "token_type_ids": [0] * len(first) + [1] * len(more)}


KNOWN = {"text": [5], "bad": [7, 8], "very good": [9], "neither nor": [10, 11, 12]}


def texts() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[1, 20, 21, 22, 2], [1, 30, 2, 0, 0]])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def test_an_entailment_model_reads_the_labels_behind_the_text(tmp_path: Path) -> None:
    judged = {0: "contradiction", 1: "neutral", 2: "entailment"}
    judge = build("bert", num_labels=3, id2label=judged, architectures=["BertForSequenceClassification"]).eval()
    strategy: Any = build_strategy("zero-shot", {"descriptions": {"bad": ["bad", "neither nor"]}})
    assert strategy.head(Head("AutoModelForSequenceClassification", {"num_labels": 2}), judge.config).config == {}
    model = strategy.prepare(judge)
    strategy.read_labels(model, Pairs(KNOWN), NAMES, scale=20.0)
    with torch.no_grad():
        found = model(**texts()).logits
        for row, text in enumerate(([1, 20, 21, 22, 2], [1, 30, 2])):
            expected = []
            for label in (["bad", "neither nor"], ["very good"], ["neither nor"]):
                numbers = []
                for words in label:
                    more = [*KNOWN[words], 2]
                    types = torch.tensor([[0] * len(text) + [1] * len(more)])
                    numbers.append(float(judge(torch.tensor([text + more]), token_type_ids=types).logits[0, 2]))
                expected.append(sum(numbers) / len(numbers))
            assert found[row].tolist() == pytest.approx(expected, abs=1e-5)
    strategy.save(model, str(tmp_path), "the-base")
    opened = strategy.load(type(judge).from_pretrained(tmp_path).eval(), str(tmp_path))
    with torch.no_grad():
        assert torch.equal(opened(**texts()).logits, found)


def test_a_decoder_weighs_the_labels_words_against_their_own_probability(tmp_path: Path) -> None:
    writer = build("gemma").eval()
    strategy: Any = build_strategy("zero-shot", {"template": "{}"})
    known = {"\nbad": [7, 8], "\nvery good": [9], "\nneither nor": [10, 11, 12], "": [1]}

    class Plain(Words):
        bos_token_id = 1

        def __call__(self, text: Any, **_: Any) -> dict[str, Any]:
            return {"input_ids": self.ids[text]}

    assert (
        strategy.head(Head("AutoModelForSequenceClassification", {}), writer.config).auto_class
        == "AutoModelForCausalLM"
    )
    model = strategy.prepare(writer)
    strategy.read_labels(model, Plain(known), NAMES, scale=20.0)

    def log_probability(text: list[int], words: list[int]) -> float:
        shares = writer(torch.tensor([text + words])).logits[0].log_softmax(-1)
        return sum(float(shares[len(text) + place - 1, token]) for place, token in enumerate(words))

    with torch.no_grad():
        found = model(**texts()).logits
        for row, text in enumerate(([1, 20, 21, 22, 2], [1, 30, 2])):
            expected = [
                log_probability(text, known[name]) - log_probability([1], known[name]) for name in list(known)[:3]
            ]
            assert found[row].tolist() == pytest.approx(expected, abs=1e-4)
    strategy.save(model, str(tmp_path), "the-base")
    opened = strategy.load(type(writer).from_pretrained(tmp_path).eval(), str(tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(opened(**texts()).logits, found)
    (tmp_path / "zero_shot.json").write_text("{}")
    with pytest.raises(UserError, match="is damaged"):
        strategy.load(type(writer).from_pretrained(tmp_path), str(tmp_path))


def test_a_tokenizer_that_puts_the_second_text_elsewhere_is_refused() -> None:
    class Swapped(Pairs):
        def __call__(self, texts: Any, second: str | None = None, **_: Any) -> dict[str, Any]:
            return super().__call__(texts) if second is None else super().__call__(second, texts)

    judged = {0: "entailment", 1: "not_entailment"}
    judge = build("bert", num_labels=2, id2label=judged, architectures=["BertForSequenceClassification"]).eval()
    strategy: Any = build_strategy("zero-shot", {})
    with pytest.raises(UserError, match="does not put a second text behind the first"):
        strategy.read_labels(strategy.prepare(judge), Swapped(KNOWN), NAMES, scale=20.0)
