"""Numbers against numbers: metrics, intervals, baselines, pictures and words for regression and ratings."""

from __future__ import annotations

from supertune.evaluate.numbers.baselines import MeanBaseline, TfidfRidge
from supertune.evaluate.numbers.metrics import mae, pearson, quadratic_kappa, r2, rmse, spearman
from supertune.evaluate.numbers.pictures import (
    calibration_of_numbers,
    error_histogram,
    largest_errors,
    truth_and_answers,
)
from supertune.evaluate.numbers.verdict import verdict_on_numbers

__all__ = [
    "MeanBaseline",
    "TfidfRidge",
    "calibration_of_numbers",
    "error_histogram",
    "largest_errors",
    "mae",
    "pearson",
    "quadratic_kappa",
    "r2",
    "rmse",
    "spearman",
    "truth_and_answers",
    "verdict_on_numbers",
]
