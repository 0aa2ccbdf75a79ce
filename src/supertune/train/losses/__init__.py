"""Losses: what is minimised, and how numbers and classes are compared."""

from supertune.train.losses.classes import CLASS_LOSSES, LossSettings
from supertune.train.losses.contrastive import by_similarity, cosine_pairs, supervised_contrastive
from supertune.train.losses.cross_entropy import balanced_weights, cross_entropy
from supertune.train.losses.distillation import DISTILLATION_LOSSES, DistillationSettings
from supertune.train.losses.linear_cross_entropy import linear_cross_entropy, token_losses
from supertune.train.losses.pointing import pointing
from supertune.train.losses.ranking import RANKING_LOSSES, in_batch_both_ways
from supertune.train.losses.regression import NUMBER_LOSSES
from supertune.train.losses.sets import SET_LOSSES
from supertune.train.losses.token_rule import TokenRule
from supertune.train.losses.tokens import TAG_LOSSES

__all__ = [
    "CLASS_LOSSES",
    "DISTILLATION_LOSSES",
    "NUMBER_LOSSES",
    "RANKING_LOSSES",
    "SET_LOSSES",
    "TAG_LOSSES",
    "DistillationSettings",
    "LossSettings",
    "TokenRule",
    "balanced_weights",
    "by_similarity",
    "cosine_pairs",
    "cross_entropy",
    "in_batch_both_ways",
    "linear_cross_entropy",
    "pointing",
    "supervised_contrastive",
    "token_losses",
]
