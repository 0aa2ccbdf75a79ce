"""What goes wrong with entities: which are taken for which, missed, made up, or cut at the wrong place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import HeatMap, Outcome
from supertune.evaluate.spans.metrics import Spans

Span = tuple[int, int, int]
_MOST_LABELS = 20
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "What true entities are taken for",
        "true": "true entity",
        "given": "entity that was given",
        "missed": "(missed)",
        "none": "(no entity)",
        "caption": "A true entity and one that was given belong together where their characters are the same, or else "
        "where they overlap. “(missed)”: true entities that nothing overlaps; “(no entity)”: what was given where no "
        "entity is.",
        "most": " Shown are the {kept} most frequent of {all} labels.",
    },
    "zh": {
        "title": "真实实体被判断成什么",
        "true": "真实实体",
        "given": "给出的实体",
        "missed": "（遗漏）",
        "none": "（并非实体）",
        "caption": "边界完全相同的真实实体与给出的实体配成一对，其余有重叠的再配对。"
        "“（遗漏）”：没有任何重叠的真实实体；“（并非实体）”：给出的位置上没有实体。",
        "most": "这里列出 {all} 个标签中最常见的 {kept} 个。",
    },
}


@dataclass(frozen=True)
class Pairing:
    """A true entity beside the one that was given for it; None for a missed one, or where there is none."""

    row: int
    true: Span | None
    given: Span | None


def pairings(outcome: Outcome) -> Iterator[Pairing]:
    """Every true and every given entity once: equal characters first, then the largest overlaps, then the rest."""
    for row, (truths, answers) in enumerate(zip(outcome.targets, outcome.outputs, strict=True)):
        yield from _paired(row, list(truths), list(answers))


def _paired(row: int, truths: list[Span], answers: list[Span]) -> Iterator[Pairing]:
    near = [
        (true[:2] != given[:2], -_overlap(true, given), one, other)
        for one, true in enumerate(truths)
        for other, given in enumerate(answers)
        if _overlap(true, given) > 0
    ]
    used_true: set[int] = set()
    used_given: set[int] = set()
    for _, _, one, other in sorted(near):
        if one not in used_true and other not in used_given:
            used_true.add(one)
            used_given.add(other)
            yield Pairing(row, truths[one], answers[other])
    yield from (Pairing(row, true, None) for place, true in enumerate(truths) if place not in used_true)
    yield from (Pairing(row, None, given) for place, given in enumerate(answers) if place not in used_given)


def _overlap(one: Span, other: Span) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])


def kinds_of_errors(outcome: Outcome) -> Counter[str]:
    """How many are ``right``, have a ``label error``, other ``edges`` or ``both``, are ``missed`` or ``made-up``."""
    counts: Counter[str] = Counter()
    for pair in pairings(outcome):
        counts[_kind(pair)] += 1
    return counts


def _kind(pair: Pairing) -> str:
    if pair.true is None:
        return "made-up"
    if pair.given is None:
        return "missed"
    edges, label = pair.true[:2] == pair.given[:2], pair.true[2] == pair.given[2]
    return "right" if edges and label else "label error" if edges else "edges" if label else "both"


def edge_errors(outcome: Outcome) -> Counter[str]:
    """Where other edges lie: ``begins-early``, ``begins-late``, ``ends-early``, ``ends-late``."""
    counts: Counter[str] = Counter()
    for pair in pairings(outcome):
        if pair.true is not None and pair.given is not None:
            for side, name in enumerate(("begins", "ends")):
                if pair.given[side] != pair.true[side]:
                    counts[f"{name}-{'early' if pair.given[side] < pair.true[side] else 'late'}"] += 1
    return counts


def entity_confusion(outcome: Outcome, *, language: str = "en") -> HeatMap:
    """Which labels true entities are given, with those missed and those made up; of more than 20 labels, 20."""
    words, labels = _WORDS[language], len(outcome.labels)
    counts = np.zeros((labels + 1, labels + 1))
    for pair in pairings(outcome):
        counts[pair.true[2] if pair.true else labels, pair.given[2] if pair.given else labels] += 1
    frequent = np.argsort(-(counts[:labels].sum(axis=1) + counts[:, :labels].sum(axis=0)), kind="stable")
    kept = [*np.sort(frequent[:_MOST_LABELS]).tolist(), labels]
    names = [outcome.labels[label] for label in kept[:-1]]
    caption = words["caption"]
    if labels > _MOST_LABELS:
        caption += words["most"].format(kept=_MOST_LABELS, all=labels)
    return HeatMap(
        words["title"],
        words["true"],
        words["given"],
        (*names, words["none"]),
        (*names, words["missed"]),
        counts[np.ix_(kept, kept)].tolist(),
        caption,
    )


def worst_spans(outcome: Outcome, sureness: Callable[[int, Span], float], count: int = 10) -> list[int]:
    """Rows with errors: most errors per row first, and among equal ones those that the model was surest of.

    Args:
        outcome: Truth and answers.
        sureness: How sure the model is of an entity that it gave in a row.
        count: Rows at most.
    """
    errors: Counter[int] = Counter()
    sure: dict[int, float] = {}
    for pair in pairings(outcome):
        if _kind(pair) != "right":
            errors[pair.row] += 1
            if pair.given is not None:
                sure[pair.row] = max(sure.get(pair.row, 0.0), sureness(pair.row, pair.given))
    return sorted(errors, key=lambda row: (-errors[row], -sure.get(row, 0.0), row))[:count]


def only_spans(outcome: Outcome, wanted: Callable[[int, Span], bool]) -> Outcome:
    """The same with those entities alone, true and given, that are wanted: (row, entity) → whether."""

    def kept(column: NDArray[Any]) -> NDArray[Any]:
        found = np.empty(len(column), object)
        for row, spans in enumerate(column):
            found[row] = _wanted(row, spans, wanted)
        return found

    return replace(outcome, targets=kept(outcome.targets), outputs=kept(outcome.outputs))


def _wanted(row: int, spans: Spans, wanted: Callable[[int, Span], bool]) -> tuple[Span, ...]:
    return tuple(span for span in spans if wanted(row, span))
