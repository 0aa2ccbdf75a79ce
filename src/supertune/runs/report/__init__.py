"""The report: one self-contained HTML file with pictures, drawn from data that other rooms prepared."""

from supertune.runs.report.duration import duration_text
from supertune.runs.report.inspection import InspectionPage, render_inspection
from supertune.runs.report.render import Figure, Live, Report, render_report
from supertune.runs.report.training import learning_section, progress_report
from supertune.runs.report.words import Language, metric_name

__all__ = [
    "Figure",
    "InspectionPage",
    "Language",
    "Live",
    "Report",
    "duration_text",
    "learning_section",
    "metric_name",
    "progress_report",
    "render_inspection",
    "render_report",
]
