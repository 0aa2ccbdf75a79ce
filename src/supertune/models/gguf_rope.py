"""How a model stretches its positions, where its GGUF file says so and transformers does not read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from supertune.errors import UserError
from supertune.models.gguf_file import GgufFile

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_FACTORS = "rope_freqs.weight"
_UNKNOWN = ("rope_factors_long.weight", "rope_factors_short.weight")
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""As Meta published Llama 3.1, 3.2 and 3.3; files hold what comes of it, not these numbers."""

_OWN = frozenset({"gemma4", "gpt-oss", "gpt_oss"})
"""Architectures for which transformers knows the positions without being told."""


def settle_positions(config: PreTrainedConfig, files: Sequence[GgufFile]) -> None:
    """Let ``config`` stretch positions as the files say, in place.

    Raises:
        UserError: They do so in a way that is not known: the model would be another one, without a word.
    """
    first = files[0]
    if first.architecture in _OWN:
        return
    scaling = {
        key.rpartition(".")[2]: value for key, value in first.values.items() if ".rope.scaling." in key and value
    }
    kind = scaling.get("type", "none")
    factors = _factors(files)
    if kind == "linear":
        _set(config, {"rope_type": "linear", "factor": float(scaling["factor"])})
    elif kind == "yarn" and "original_context_length" in scaling:
        trained = scaling["original_context_length"]
        found = {"factor": float(scaling["factor"]), "original_max_position_embeddings": trained}
        _set(config, {"rope_type": "yarn", **found})
    elif kind != "none":
        raise _unknown(first, f"by {kind!r}")
    elif factors is not None and not (factors == 1).all():
        stretch = float(factors.max())
        rope: Any = config.rope_parameters
        if not np.allclose(factors, llama3_factors(rope["rope_theta"], 2 * len(factors), stretch), rtol=1e-3):
            raise _unknown(first, f"by {_FACTORS}, which are not Llama 3's")
        _set(config, {"rope_type": "llama3", "factor": stretch, **_LLAMA3})


def llama3_factors(base: float, width: int, stretch: float) -> NDArray[np.float64]:
    """What each frequency of rotary positions is divided by, (width / 2,): short waves stay, long ones are stretched.

    Source: Grattafiori et al. 2024, "The Llama 3 herd of models", and the reference code that was published with it.
    """
    waves = 2 * math.pi * base ** (np.arange(0, width, 2) / width)
    old = _LLAMA3["original_max_position_embeddings"]
    low, high = _LLAMA3["low_freq_factor"], _LLAMA3["high_freq_factor"]
    smooth = (old / waves - low) / (high - low)
    between = 1 / ((1 - smooth) / stretch + smooth)
    return np.where(waves < old / high, 1.0, np.where(waves > old / low, stretch, between))


def _factors(files: Sequence[GgufFile]) -> NDArray[np.float32] | None:
    for file in files:
        for tensor in file.tensors:
            if tensor.name in _UNKNOWN:
                raise _unknown(file, f"by {tensor.name}")
            if tensor.name == _FACTORS:
                return np.fromfile(file.path, "<f4", tensor.shape[-1], offset=tensor.start)
    return None


def _set(config: PreTrainedConfig, found: dict[str, Any]) -> None:
    opened: Any = config
    rope = opened.rope_parameters
    # Where layers differ, those that see the whole text are the ones that are stretched.
    rope.get("full_attention", rope).update(found)


def _unknown(file: GgufFile, how: str) -> UserError:
    return UserError(
        f"stretches positions {how}, which cannot be carried over",
        where=str(file.path),
        fix="name the folder or hub id of the original model",
    )
