"""Runs: the directory that a training run leaves behind, its report and its model card."""

from supertune.runs.card import ModelCard, model_card
from supertune.runs.manifest import Status
from supertune.runs.report import Report, render_report
from supertune.runs.score_text import interval_text, is_proportion, score_text, value_text
from supertune.runs.store import RunStore, create_run, open_run
from supertune.runs.summary import RunSummary, list_runs, summarize
from supertune.runs.values import json_value, prediction_row

__all__ = [
    "ModelCard",
    "Report",
    "RunStore",
    "RunSummary",
    "Status",
    "create_run",
    "interval_text",
    "is_proportion",
    "json_value",
    "list_runs",
    "model_card",
    "open_run",
    "prediction_row",
    "render_report",
    "score_text",
    "summarize",
    "value_text",
]
