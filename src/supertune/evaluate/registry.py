"""The metrics there are, by the kind of answers that they judge."""

from __future__ import annotations

from collections.abc import Mapping

from supertune.evaluate.auroc import auroc
from supertune.evaluate.averages import accuracy, macro, micro, per_class, weighted
from supertune.evaluate.calibration import ece
from supertune.evaluate.generated import (
    bits_per_character,
    distinct,
    empty,
    length_ratio,
    loss_per_token,
    perplexity,
    repetition,
    run_on,
)
from supertune.evaluate.log_loss import log_loss
from supertune.evaluate.mcc import mcc
from supertune.evaluate.metric import Metric
from supertune.evaluate.numbers import mae, pearson, quadratic_kappa, r2, rmse, spearman
from supertune.evaluate.rankings import mean_average_precision, mrr, ndcg, recall
from supertune.evaluate.sets import (
    f1_samples,
    hamming_loss,
    label_ranking,
    set_log_loss,
    set_macro,
    set_micro,
    set_per_label,
    subset_accuracy,
)
from supertune.evaluate.spans import boundaries, exact_texts, label_accuracy, span_macro, span_micro, span_per_label
from supertune.evaluate.texts import bleu, chrf, exact_match, exact_match_cmrc, f1, f1_cmrc, rouge, ter

_ANSWERS: Mapping[str, Metric] = {
    "exact_match": exact_match(),
    "f1": f1(),
    "exact_match_cmrc": exact_match_cmrc(),
    "f1_cmrc": f1_cmrc(),
}
_TEXTS: Mapping[str, Metric] = {
    "rouge1": rouge("rouge1"),
    "rouge2": rouge("rouge2"),
    "rougeL": rouge("rougeL"),
    "rougeLsum": rouge("rougeLsum"),
    "bleu": bleu(),
    "chrf": chrf(),
    "ter": ter(),
}
_RANKING: Mapping[str, Metric] = {
    "mrr": mrr(),
    "ndcg@10": ndcg(10),
    "recall@1": recall(1),
    "recall@10": recall(10),
    "recall@100": recall(100),
    "map": mean_average_precision(),
}

METRICS: Mapping[str, Mapping[str, Metric]] = {
    "classes": {
        "accuracy": accuracy(),
        "f1_macro": macro("f1"),
        "f1_micro": micro(),
        "f1_weighted": weighted("f1"),
        "f1_per_class": per_class("f1"),
        "precision_macro": macro("precision"),
        "precision_micro": micro(),
        "precision_weighted": weighted("precision"),
        "precision_per_class": per_class("precision"),
        "recall_macro": macro("recall"),
        "recall_micro": micro(),
        "recall_weighted": weighted("recall"),
        "recall_per_class": per_class("recall"),
        "mcc": mcc(),
        "auroc": auroc(),
        "log_loss": log_loss(),
        "ece": ece(),
    },
    "numbers": {
        "r2": r2(),
        "pearson": pearson(),
        "spearman": spearman(),
        "rmse": rmse(),
        "mae": mae(),
        "quadratic_kappa": quadratic_kappa(),
    },
    "sets": {
        "f1_micro": set_micro("f1"),
        "precision_micro": set_micro("precision"),
        "recall_micro": set_micro("recall"),
        "f1_macro": set_macro("f1"),
        "precision_macro": set_macro("precision"),
        "recall_macro": set_macro("recall"),
        "f1_per_class": set_per_label("f1"),
        "precision_per_class": set_per_label("precision"),
        "recall_per_class": set_per_label("recall"),
        "f1_samples": f1_samples(),
        "subset_accuracy": subset_accuracy(),
        "hamming_loss": hamming_loss(),
        "label_ranking": label_ranking(),
        "log_loss": set_log_loss(),
    },
    "answers": _ANSWERS,
    "spans": {
        "f1_micro": span_micro("f1"),
        "precision_micro": span_micro("precision"),
        "recall_micro": span_micro("recall"),
        "f1_macro": span_macro("f1"),
        "precision_macro": span_macro("precision"),
        "recall_macro": span_macro("recall"),
        "f1_per_class": span_per_label("f1"),
        "precision_per_class": span_per_label("precision"),
        "recall_per_class": span_per_label("recall"),
        "f1_boundaries": boundaries("f1"),
        "precision_boundaries": boundaries("precision"),
        "recall_boundaries": boundaries("recall"),
        "label_accuracy": label_accuracy(),
        "exact_texts": exact_texts(),
    },
    "texts": _TEXTS,
    "generated": {
        **_TEXTS,
        **_ANSWERS,
        "length_ratio": length_ratio(),
        "repetition": repetition(),
        "distinct1": distinct(1),
        "distinct2": distinct(2),
        "empty": empty(),
        "run_on": run_on(),
    },
    "likelihoods": {
        "loss_per_token": loss_per_token(),
        "perplexity": perplexity(),
        "bits_per_character": bits_per_character(),
    },
    "ranking": _RANKING,
    "reranking": _RANKING,
}
"""Kind of answers → name → metric. ``*_per_class`` yield one key per class: ``f1/<label>`` and so on; those of numbers
one per column beside their mean where there are several: ``r2/<column>``."""
