"""Entities found in texts: metrics, the dictionary, what goes wrong, and words."""

from supertune.evaluate.spans.dictionary import DictionaryBaseline
from supertune.evaluate.spans.errors import (
    edge_errors,
    entity_confusion,
    kinds_of_errors,
    only_spans,
    worst_spans,
)
from supertune.evaluate.spans.metrics import (
    boundaries,
    entity_counts,
    exact_texts,
    label_accuracy,
    span_macro,
    span_micro,
    span_per_label,
)
from supertune.evaluate.spans.verdict import verdict_on_spans

__all__ = [
    "DictionaryBaseline",
    "boundaries",
    "edge_errors",
    "entity_confusion",
    "entity_counts",
    "exact_texts",
    "kinds_of_errors",
    "label_accuracy",
    "only_spans",
    "span_macro",
    "span_micro",
    "span_per_label",
    "verdict_on_spans",
    "worst_spans",
]
