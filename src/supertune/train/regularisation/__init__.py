"""Regularisation: what keeps a model from learning the training rows by heart."""

from supertune.train.regularisation.adversarial import fgm, freelb
from supertune.train.regularisation.averaging import WeightAverage
from supertune.train.regularisation.fast_dropout import BITS, fast_dropout, use_fast_dropout, use_plain_dropout
from supertune.train.regularisation.mixout import mixout, pretrained_weights
from supertune.train.regularisation.neftune import neftune
from supertune.train.regularisation.penalties import add_penalties, penalised
from supertune.train.regularisation.r_drop import r_drop, squared_difference, symmetric_binary_kl, symmetric_kl

__all__ = [
    "BITS",
    "WeightAverage",
    "add_penalties",
    "fast_dropout",
    "fgm",
    "freelb",
    "mixout",
    "neftune",
    "penalised",
    "pretrained_weights",
    "r_drop",
    "squared_difference",
    "symmetric_binary_kl",
    "symmetric_kl",
    "use_fast_dropout",
    "use_plain_dropout",
]
