"""The random generators that belong to the process: torch's on every device, Python's and NumPy's.

supertune itself draws from named streams only; dropout and the code of models draw from these.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.errors import UserError

if TYPE_CHECKING:
    import torch


def rng_state() -> dict[str, Any]:
    """State of every generator of this process, as tensors, tuples and numbers that `flatten` takes.

    Devices that this process has not used have no state yet, and are not woken up for it.
    """
    import torch

    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": _as_tensors(np.random.get_state(legacy=False)),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_rng(state: Mapping[str, Any], *, where: str | None = None) -> list[str]:
    """Set every generator to what `rng_state` returned; returns a sentence for each device that is not here now.

    Args:
        state: From `rng_state`.
        where: File to name if the state is damaged.

    Raises:
        UserError: It is not a state of these generators.
    """
    import torch

    try:
        random.setstate(state["python"])
        np.random.set_state(_as_arrays(state["numpy"]))
        torch.set_rng_state(state["torch"])
        lacking = _restore_cuda(state.get("cuda", []))
        if "mps" in state and torch.backends.mps.is_available():
            torch.mps.set_rng_state(state["mps"])
        elif "mps" in state:
            lacking.append(_lacking("mps"))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(
            f"the random state is damaged ({error})", where=where, fix="use another checkpoint, or start again"
        ) from error
    return lacking


def _restore_cuda(states: list[torch.Tensor]) -> list[str]:
    import torch

    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    torch.cuda.set_rng_state_all(states[:here])
    return [_lacking(f"cuda:{index}") for index in range(here, len(states))]


def _lacking(device: str) -> str:
    return f"{device} is not here: what was drawn at random on it will be drawn otherwise"


def _as_tensors(value: Any) -> Any:
    """NumPy's arrays and numbers as tensors and Python's; which of them there are depends on the generator."""
    import torch

    if isinstance(value, Mapping):
        return {key: _as_tensors(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return value.item() if isinstance(value, np.generic) else value


def _as_arrays(value: Any) -> Any:
    import torch

    if isinstance(value, Mapping):
        return {key: _as_arrays(item) for key, item in value.items()}
    return value.numpy() if isinstance(value, torch.Tensor) else value
