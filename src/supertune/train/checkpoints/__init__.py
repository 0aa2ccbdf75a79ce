"""Checkpoints: everything that the rest of a training depends on, on the disk, whole or not at all."""

from supertune.train.checkpoints.folder import newest_good
from supertune.train.checkpoints.rng import restore_rng, rng_state
from supertune.train.checkpoints.state import TrainingState, flatten, unflatten
from supertune.train.checkpoints.writer import CheckpointWriter, NotWritten, Written

__all__ = [
    "CheckpointWriter",
    "NotWritten",
    "TrainingState",
    "Written",
    "flatten",
    "newest_good",
    "restore_rng",
    "rng_state",
    "unflatten",
]
