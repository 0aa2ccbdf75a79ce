"""Optimizers: how a gradient becomes a step."""

from supertune.train.optimizers.building import OPTIMIZERS, RATE_FACTORS, OptimizerSettings, build_optimizer
from supertune.train.optimizers.muon import hidden_matrices

__all__ = ["OPTIMIZERS", "RATE_FACTORS", "OptimizerSettings", "build_optimizer", "hidden_matrices"]
