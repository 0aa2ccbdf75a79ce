"""The engine: batches, losses, optimizers, schedules, precision, and the loop that puts them together."""

from supertune.train.attention import measure_attention, set_attention
from supertune.train.batches import Batching, collate, epoch_order, sequential_order, take
from supertune.train.checkpoints import (
    CheckpointWriter,
    NotWritten,
    TrainingState,
    Written,
    flatten,
    newest_good,
    restore_rng,
    rng_state,
    unflatten,
)
from supertune.train.embeddings import UsedVocabulary, row_adam
from supertune.train.frozen import FrozenLayers
from supertune.train.learner import Batch, Descent, Learner, Objective, Regularisation, plain_descent
from supertune.train.loop import Plan, Position, consume, predict_outputs, train
from supertune.train.losses import (
    CLASS_LOSSES,
    NUMBER_LOSSES,
    LossSettings,
    balanced_weights,
    by_similarity,
    cosine_pairs,
    cross_entropy,
    pointing,
    supervised_contrastive,
)
from supertune.train.memory import activation_bytes, available_bytes, out_of_memory, pieces_that_fit
from supertune.train.optimizers import OPTIMIZERS, RATE_FACTORS, OptimizerSettings, build_optimizer, hidden_matrices
from supertune.train.precision import Precision, measure_precision
from supertune.train.randomness import generator, torch_seed
from supertune.train.range_test import range_test
from supertune.train.regularisation import (
    BITS,
    WeightAverage,
    fast_dropout,
    fgm,
    freelb,
    mixout,
    pretrained_weights,
    r_drop,
    squared_difference,
    symmetric_kl,
    use_fast_dropout,
    use_plain_dropout,
)
from supertune.train.schedules import SHAPES, Schedule, schedule
from supertune.train.threads import considerate_threads
from supertune.train.trackers import TrackedRun, Tracking, check_trackers

__all__ = [
    "BITS",
    "CLASS_LOSSES",
    "NUMBER_LOSSES",
    "OPTIMIZERS",
    "RATE_FACTORS",
    "SHAPES",
    "Batch",
    "Batching",
    "CheckpointWriter",
    "Descent",
    "FrozenLayers",
    "Learner",
    "LossSettings",
    "NotWritten",
    "Objective",
    "OptimizerSettings",
    "Plan",
    "Position",
    "Precision",
    "Regularisation",
    "Schedule",
    "TrackedRun",
    "Tracking",
    "TrainingState",
    "UsedVocabulary",
    "WeightAverage",
    "Written",
    "activation_bytes",
    "available_bytes",
    "balanced_weights",
    "build_optimizer",
    "by_similarity",
    "check_trackers",
    "collate",
    "considerate_threads",
    "consume",
    "cosine_pairs",
    "cross_entropy",
    "epoch_order",
    "fast_dropout",
    "fgm",
    "flatten",
    "freelb",
    "generator",
    "hidden_matrices",
    "measure_attention",
    "measure_precision",
    "mixout",
    "newest_good",
    "out_of_memory",
    "pieces_that_fit",
    "plain_descent",
    "pointing",
    "predict_outputs",
    "pretrained_weights",
    "r_drop",
    "range_test",
    "restore_rng",
    "rng_state",
    "row_adam",
    "schedule",
    "sequential_order",
    "set_attention",
    "squared_difference",
    "supervised_contrastive",
    "symmetric_kl",
    "take",
    "torch_seed",
    "train",
    "unflatten",
    "use_fast_dropout",
    "use_plain_dropout",
]
