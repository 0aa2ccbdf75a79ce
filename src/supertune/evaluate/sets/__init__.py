"""Answers that are sets of labels: metrics, baselines, pictures and words."""

from supertune.evaluate.sets.baselines import LabelShares, TfidfLabels
from supertune.evaluate.sets.metrics import (
    f1_samples,
    hamming_loss,
    label_counts,
    label_ranking,
    set_log_loss,
    set_macro,
    set_micro,
    set_per_label,
    subset_accuracy,
)
from supertune.evaluate.sets.pictures import label_mistakes, labels_per_row, labels_together, worst_sets
from supertune.evaluate.sets.verdict import verdict_on_sets

__all__ = [
    "LabelShares",
    "TfidfLabels",
    "f1_samples",
    "hamming_loss",
    "label_counts",
    "label_mistakes",
    "label_ranking",
    "labels_per_row",
    "labels_together",
    "set_log_loss",
    "set_macro",
    "set_micro",
    "set_per_label",
    "subset_accuracy",
    "verdict_on_sets",
    "worst_sets",
]
