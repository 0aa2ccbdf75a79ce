"""The engine: batches, losses, optimizers, schedules, precision, and the loop that puts them together."""

from supertune.train.batches import collate, epoch_order, sequential_order, take
from supertune.train.loop import Plan, consume, predict_outputs, train
from supertune.train.losses import balanced_weights, cross_entropy
from supertune.train.optimizers import adamw
from supertune.train.precision import Precision, computing, measure_precision
from supertune.train.randomness import generator, torch_seed
from supertune.train.schedules import SHAPES, Schedule, schedule
from supertune.train.threads import considerate_threads
from supertune.train.vocabulary import UsedVocabulary
from supertune.train.weights import load_weights, save_weights

__all__ = [
    "SHAPES",
    "Plan",
    "Precision",
    "Schedule",
    "UsedVocabulary",
    "adamw",
    "balanced_weights",
    "collate",
    "computing",
    "considerate_threads",
    "consume",
    "cross_entropy",
    "epoch_order",
    "generator",
    "load_weights",
    "measure_precision",
    "predict_outputs",
    "save_weights",
    "schedule",
    "sequential_order",
    "take",
    "torch_seed",
    "train",
]
