"""Texts that an OpenAI-compatible endpoint writes: on this machine, in the house, or at somebody else's."""

from __future__ import annotations

from supertune.generate.endpoint.budget import Budget, Limits, Prices
from supertune.generate.endpoint.settings import KEY_VARIABLE, EndpointSettings
from supertune.generate.endpoint.writer import OVER_BUDGET, EndpointWriter

__all__ = ["KEY_VARIABLE", "OVER_BUDGET", "Budget", "EndpointSettings", "EndpointWriter", "Limits", "Prices"]
