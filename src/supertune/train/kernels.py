"""Room for the kernels that oneDNN compiles while a model runs on a processor."""

from __future__ import annotations

import os

_CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
_ENOUGH = 8192
"""A model with layers of one kind needs about 20 kernels for each length that batches have, so that this is enough
for 400 lengths, where oneDNN's own 1024 are enough for 50: beyond that it throws the oldest away and compiles them
again. A step of a new length took 60 ms longer than the 190 ms of a known one (`minilm`, SST-2, 16 rows, two cores)."""


def keep_kernels() -> None:
    """Let oneDNN keep the kernels of every length that batches have; call it before the first matrix product.

    A capacity that the user has set is left alone.
    """
    os.environ.setdefault(_CAPACITY, str(_ENOUGH))
