"""Checkpoints: everything that the rest of a training depends on, on the disk, whole or not at all."""

from supertune.train.checkpoints.folder import list_checkpoints, newest_good, read_checkpoint, write_checkpoint
from supertune.train.checkpoints.rng import restore_rng, rng_state
from supertune.train.checkpoints.state import TrainingState, flatten, unflatten
from supertune.train.checkpoints.writer import CheckpointWriter, NotWritten, Written

__all__ = [
    "CheckpointWriter",
    "NotWritten",
    "TrainingState",
    "Written",
    "flatten",
    "list_checkpoints",
    "newest_good",
    "read_checkpoint",
    "restore_rng",
    "rng_state",
    "unflatten",
    "write_checkpoint",
]
