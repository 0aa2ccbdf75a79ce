"""Trackers: TensorBoard and MLflow, fed from the events of a training."""

from supertune.train.trackers.tracker import TrackedRun, Tracker, TrackerError
from supertune.train.trackers.tracking import TRACKERS, Tracking, check_trackers

__all__ = ["TRACKERS", "TrackedRun", "Tracker", "TrackerError", "Tracking", "check_trackers"]
