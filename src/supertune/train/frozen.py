"""Layers that do not learn: computed once for every text, and recalled from the disk in every pass after that."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from supertune.contracts import Features
from supertune.memory import out_of_memory
from supertune.train.batches import collate, sequential_order

if TYPE_CHECKING:
    import torch

STATES = "frozen_states"
"""The token column that holds what the last frozen layer gives out."""

_MOST_OF_THE_DISK = 0.5
_CLOSE = 0.02
"""Largest difference of the outputs with and without, as a share of the largest output: the two round differently."""

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
Batch = Mapping[str, "torch.Tensor"]
Forward = Callable[["torch.nn.Module", Batch], "torch.Tensor"]


class FrozenLayers:
    """The lowest layers of a model, of which nothing learns.

    Where a batch holds their `STATES`, they give those out and compute nothing. They must be without dropout, since
    they see a text once.

    Args:
        layers: From the bottom; each takes hidden states (items, tokens, width) first, and gives out the next.
    """

    def __init__(self, layers: Sequence[torch.nn.Module]) -> None:
        self._states: torch.Tensor | None = None
        self._reached: Callable[[torch.Tensor], None] | None = None
        for position, layer in enumerate(layers, start=1):
            self._take_over(layer, last=position == len(layers))

    def _take_over(self, layer: torch.nn.Module, *, last: bool) -> None:
        compute = layer.forward
        beside: int | None = None
        """How many things it gives out beside the hidden states; None where it gives out nothing else and no tuple."""

        def forward(*given: Any, **named: Any) -> Any:
            nonlocal beside
            if self._states is not None:
                hidden = self._states if last else (given[0] if given else named["hidden_states"])
                return hidden if beside is None else (hidden, *(None for _ in range(beside)))
            computed = compute(*given, **named)
            beside = len(computed) - 1 if isinstance(computed, tuple) else None
            if last and self._reached is not None:
                self._reached(computed if beside is None else computed[0])
            return computed

        layer.forward = forward

    def recalling(self, function: Callable[Given, Answer]) -> Callable[Given, Answer]:
        """The function of (model, batch) with the frozen layers recalled where the batch holds their states."""

        def call(*given: Given.args, **named: Given.kwargs) -> Answer:
            import torch

            batch: Any = given[1]
            states = batch.get(STATES)
            # NumPy has no bfloat16: its bits are kept.
            self._states = states.view(torch.bfloat16) if states is not None and states.dtype == torch.int16 else states
            try:
                return function(*given, **named)
            finally:
                self._states = None

        return call

    def remember(
        self,
        model: torch.nn.Module,
        features: Features,
        forward: Forward,
        *,
        folder: Path,
        rows: int,
        padding: Mapping[str, int],
        progress: Callable[[int], None] | None = None,
    ) -> Features | str:
        """The features with their `STATES`, in a file without a name in ``folder`` that goes with this process.

        Args:
            model: Whose layers these are, in the type that it will train in.
            features: Encoded rows.
            forward: (model, batch) → outputs.
            folder: Where there is room: as many numbers as tokens times the model's width.
            rows: Items per batch.
            padding: Token column → id to pad with.
            progress: Told the number of items done so far.

        Returns:
            Why not, where the disk has not the room, or the model does not come to the same with recalled states.
        """
        device = next(model.parameters()).device
        kept: NDArray[Any] | None = None
        done = 0
        model.eval()
        for items in sequential_order(features.lengths, rows):
            batch = {name: value.to(device) for name, value in collate(features, items, padding).items()}
            states = self._states_of(model, batch, forward)
            if kept is None:
                kept = _room(folder, len(features.tokens["input_ids"]), states.shape[-1], states.dtype)
                if kept is None:
                    return "the disk has not the room for what the frozen layers give out"
                if not self._same(model, batch, states, forward):
                    return "the model reads its frozen layers in more places than one"
            values = _bits(states)
            for row, item in enumerate(items):
                begin, end = features.offsets[item], features.offsets[item + 1]
                kept[begin:end] = values[row, : end - begin]
            done += len(items)
            if progress is not None:
                progress(done)
        return features if kept is None else replace(features, tokens={**features.tokens, STATES: kept})

    def _states_of(self, model: torch.nn.Module, batch: Batch, forward: Forward) -> torch.Tensor:
        import torch

        found: list[torch.Tensor] = []

        def reached(states: torch.Tensor) -> None:
            found.append(states)
            raise _ReachedError

        self._reached = reached
        try:
            with torch.inference_mode():
                forward(model, batch)
        except _ReachedError:
            return found[0]
        finally:
            self._reached = None
        raise AssertionError("the frozen layers were not passed")

    def _same(self, model: torch.nn.Module, batch: Batch, states: torch.Tensor, forward: Forward) -> bool:
        """Whether outputs are the same with recalled states: a model may read its lower layers in other places."""
        import torch

        with torch.inference_mode():
            expected = forward(model, batch).float()
            kept = {**batch, STATES: states * batch["attention_mask"].unsqueeze(-1).to(states.dtype)}
            try:
                found = self.recalling(forward)(model, kept).float()
            except (TypeError, ValueError, RuntimeError, AttributeError) as error:
                if out_of_memory(error):
                    raise
                return False
        scale = float(expected.abs().max())
        return bool(found.shape == expected.shape and float((found - expected).abs().max()) <= _CLOSE * scale)


class _ReachedError(Exception):
    """The last frozen layer has been computed, and the rest is not wanted."""


def _bits(states: torch.Tensor) -> NDArray[Any]:
    import torch

    states = states.contiguous()
    array: NDArray[Any] = (states.view(torch.int16) if states.dtype == torch.bfloat16 else states).cpu().numpy()
    return array


def _room(folder: Path, tokens: int, width: int, dtype: torch.dtype) -> NDArray[Any] | None:
    """An array on the disk; None where it would take more than half of what is free."""
    import torch

    kind: Any = np.int16 if dtype == torch.bfloat16 else np.float32
    size = tokens * width * np.dtype(kind).itemsize
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if size > _MOST_OF_THE_DISK * shutil.disk_usage(folder).free:
            return None
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                # Writing to a mapped page for which the disk has no room kills the process.
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, kind, mode="w+", shape=(tokens, width))
    except OSError:
        return None
