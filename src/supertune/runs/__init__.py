"""Runs: the directory that a training run leaves behind, its report and its model card."""

from supertune.runs.card import ModelCard, model_card, recoded_card
from supertune.runs.course import Course, Curves, event_loss, number, smoothed_loss
from supertune.runs.events import EventTail, current_events, event_row
from supertune.runs.machine import versions
from supertune.runs.manifest import Status
from supertune.runs.report import (
    InspectionPage,
    Language,
    Report,
    duration_text,
    learning_section,
    metric_name,
    progress_report,
    render_inspection,
    render_report,
)
from supertune.runs.score_text import interval_text, is_proportion, plain_number, score_text, value_text
from supertune.runs.sole_writer import sole_writer, still_running
from supertune.runs.store import RunStore, create_run, open_run
from supertune.runs.summary import RunSummary, list_runs, summarize
from supertune.runs.values import ADDED, added_value, free_name, json_value, prediction_row

__all__ = [
    "ADDED",
    "Course",
    "Curves",
    "EventTail",
    "InspectionPage",
    "Language",
    "ModelCard",
    "Report",
    "RunStore",
    "RunSummary",
    "Status",
    "added_value",
    "create_run",
    "current_events",
    "duration_text",
    "event_loss",
    "event_row",
    "free_name",
    "interval_text",
    "is_proportion",
    "json_value",
    "learning_section",
    "list_runs",
    "metric_name",
    "model_card",
    "number",
    "open_run",
    "plain_number",
    "prediction_row",
    "progress_report",
    "recoded_card",
    "render_inspection",
    "render_report",
    "score_text",
    "smoothed_loss",
    "sole_writer",
    "still_running",
    "summarize",
    "value_text",
    "versions",
]
