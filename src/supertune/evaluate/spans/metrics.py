"""How right the entities found in texts are: an entity counts as right if both its characters and its label are.

That is the rule of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003), and what seqeval computes. What is counted is added
up per row, so that intervals are over texts: entities of one text err together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from supertune.contracts import FloatArray, Outcome
from supertune.evaluate.counts import Kind
from supertune.evaluate.metric import Metric
from supertune.evaluate.row_means import row_mean
from supertune.evaluate.sets.metrics import Counting, set_macro, set_micro, set_per_label

Spans = Sequence[tuple[int, int, int]]
"""(first character, behind the last, index of the label) of each entity of a row."""


def span_micro(kind: Kind) -> Metric:
    """Precision, recall or F1 of all entities together."""
    return set_micro(kind, ENTITIES)


def span_macro(kind: Kind) -> Metric:
    """The plain mean over the labels that are true or given at least once."""
    return set_macro(kind, ENTITIES)


def span_per_label(kind: Kind) -> Metric:
    """One score per label, under ``f1/<label>`` and the like."""
    return set_per_label(kind, ENTITIES)


def boundaries(kind: Kind) -> Metric:
    """Precision, recall or F1 of the characters alone, whatever the label."""
    return set_micro(kind, Counting(_boundaries, "entities", _no_entities, lambda _: "labels:ignored"))


def label_accuracy() -> Metric:
    """Of the entities found with exactly the right characters, the share with the right label."""
    return set_micro(
        "precision", Counting(_labels_of_found, "entities", _none_found, lambda _: "where:boundaries-right")
    )


def exact_texts() -> Metric:
    """Share of the rows whose entities are all found, and no others."""
    return row_mean(_exact, lambda outcome: f"labels:{len(outcome.labels)}")


def entity_counts(outcome: Outcome) -> FloatArray:
    """float64 (rows, labels, 3): how many entities of each label are rightly given, true, and given in each row."""
    found = np.zeros((len(outcome), len(outcome.labels), 3))
    for row, (truths, answers) in enumerate(_rows(outcome)):
        for part, spans in enumerate(((truths & answers).elements(), truths.elements(), answers.elements())):
            for _, _, label in spans:
                found[row, label, part] += 1
    return found


def _rows(outcome: Outcome) -> list[tuple[Counter[tuple[int, int, int]], Counter[tuple[int, int, int]]]]:
    return [
        (Counter(truths), Counter(answers)) for truths, answers in zip(outcome.targets, outcome.outputs, strict=True)
    ]


def _boundaries(outcome: Outcome) -> FloatArray:
    """float64 (rows, 1, 3): rightly given, true and given, by the characters alone."""
    found = np.zeros((len(outcome), 1, 3))
    for row, (truths, answers) in enumerate(zip(outcome.targets, outcome.outputs, strict=True)):
        true, given = (Counter((start, end) for start, end, _ in spans) for spans in (truths, answers))
        found[row, 0] = (true & given).total(), true.total(), given.total()
    return found


def _labels_of_found(outcome: Outcome) -> FloatArray:
    """float64 (rows, 1, 3): right ones, and twice those whose characters are right."""
    found = _boundaries(outcome)
    found[:, 0, 1:] = found[:, 0, :1]
    found[:, 0, 0] = entity_counts(outcome)[..., 0].sum(axis=1)
    return found


def _exact(outcome: Outcome) -> FloatArray:
    return np.array([truths == answers for truths, answers in _rows(outcome)], np.float64)


def _no_entities(kind: Kind) -> str:
    if kind == "precision":
        return "no entity was given, so there is no precision"
    return f"no row has an entity{'' if kind == 'recall' else ' or was given one'}, so there is no {kind}"


def _none_found(_: Kind) -> str:
    return "no entity was found with exactly the right characters"


ENTITIES = Counting(entity_counts, "entities", _no_entities, lambda outcome: f"rule:exact|labels:{len(outcome.labels)}")
