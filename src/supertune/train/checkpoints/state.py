"""What a checkpoint holds: named tensors and JSON, and how any nested state becomes that and comes back."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supertune.errors import UserError

if TYPE_CHECKING:
    import torch

_DEEPEST = 100
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True)
class TrainingState:
    """Everything that the continuation of a run depends on; ``TrainingState(*flatten(nested))`` makes one.

    Attributes:
        tensors: Name → tensor on any device.
        values: Whatever else, as JSON without NaN or infinity.
    """

    tensors: Mapping[str, torch.Tensor]
    values: Mapping[str, Any]


def flatten(nested: Mapping[Any, Any]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Take the tensors out of ``nested``; returns them by name, and the rest as JSON that refers to these names.

    ``nested`` holds dictionaries with string or integer keys, lists, tuples, strings, numbers, booleans, None and
    dense tensors: what every ``state_dict()`` of torch holds. Nothing is copied. Two occurrences of the same tensor,
    or of the same view of the same memory (tied weights), become one.

    In the JSON ``{"$tensor": name}``, ``{"$tuple": […]}``, ``{"$float": "nan"}`` and ``{"$dict": [[key, value], …]}``
    stand for what JSON cannot say; a dictionary is written as pairs where a key is an integer or begins with ``$``.

    Raises:
        TypeError: Something else is in it, subclasses such as named tuples and NumPy's numbers included.
        ValueError: It is nested more than 100 deep, or contains itself.
    """
    packing = _Packing({}, {})
    return packing.tensors, packing.pairs(nested, ())


@dataclass(frozen=True)
class _Packing:
    """Tensors found so far, and the names of the memory they look at."""

    tensors: dict[str, torch.Tensor]
    names: dict[Hashable, str]

    def pack(self, value: Any, path: tuple[str, ...]) -> Any:
        import torch

        if len(path) > _DEEPEST:
            raise ValueError(f"{'/'.join(path[:3])}/…: nested more than {_DEEPEST} deep, or contains itself")
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if isinstance(value, torch.Tensor):
            return {"$tensor": self.name(value.detach(), path)}
        if type(value) is list:
            return [self.pack(item, (*path, str(i))) for i, item in enumerate(value)]
        if type(value) is tuple:
            return {"$tuple": [self.pack(item, (*path, str(i))) for i, item in enumerate(value)]}
        if isinstance(value, dict):
            return self.pairs(value, path)
        raise TypeError(f"{'/'.join(path)}: {type(value).__name__} cannot be in a checkpoint")

    def pairs(self, value: Mapping[Any, Any], path: tuple[str, ...]) -> dict[str, Any]:
        if odd := [key for key in value if type(key) not in (str, int)]:
            raise TypeError(f"{'/'.join(path)}: the key {odd[0]!r} is neither a string nor an integer")
        packed = [[key, self.pack(item, (*path, str(key)))] for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(packed)
        return {"$dict": packed}

    def name(self, tensor: torch.Tensor, path: tuple[str, ...]) -> str:
        import torch

        if tensor.layout != torch.strided:
            raise TypeError(f"{'/'.join(path)}: a sparse tensor cannot be in a checkpoint")
        memory = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        lazy = (tensor.is_conj(), tensor.is_neg())
        if tensor.numel() and (known := self.names.get((memory, lazy))):
            return known
        stem = "/".join(re.sub(r"[^\w.-]", "_", part) for part in path)
        name, number = stem, 1
        while name in self.tensors or name == "__metadata__":
            number += 1
            name = f"{stem}~{number}"
        self.tensors[name] = tensor
        self.names[memory, lazy] = name
        return name


def unflatten(tensors: Mapping[str, torch.Tensor], values: Mapping[str, Any], *, where: str | None = None) -> Any:
    """The nested state that `flatten` took apart, with the types of its keys, and its tuples.

    Args:
        tensors: As read from a checkpoint.
        values: As read from a checkpoint.
        where: File to name if they do not fit.

    Raises:
        UserError: They are not what `flatten` returned.
    """
    try:
        return _unpack(values, tensors, 0)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"is not the state of a training ({error})", where=where, fix="use another checkpoint, or start again"
        ) from error


def _unpack(value: Any, tensors: Mapping[str, torch.Tensor], depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(value, list):
        return [_unpack(item, tensors, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: _unpack(item, tensors, depth + 1) for key, item in value.items()}
    ((tag, content),) = value.items()
    if tag == "$tensor":
        return tensors[content]
    if tag == "$float":
        return _FLOATS[content]
    if not isinstance(content, list):
        raise TypeError(f"{tag} needs a list")
    if tag == "$tuple":
        return tuple(_unpack(item, tensors, depth + 1) for item in content)
    if tag == "$dict":
        return {_key(key): _unpack(item, tensors, depth + 1) for key, item in content}
    raise ValueError(f"unknown mark {tag}")


def _key(key: object) -> str | int:
    if type(key) in (str, int):
        return key  # type: ignore[return-value]
    raise TypeError(f"the key {key!r} is neither a string nor an integer")
