"""The report: one self-contained HTML file with pictures, drawn from data that other rooms prepared."""

from supertune.runs.report.render import Report, render_report

__all__ = ["Report", "render_report"]
