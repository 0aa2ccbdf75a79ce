"""One seed, many independent named streams: what draws from one never shifts another."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, name: str, *indices: int) -> np.random.Generator:
    """The random stream called ``name`` (and numbered ``indices``, e.g. the epoch) under ``seed``."""
    # As spawn key, not as entropy: that is padded with zeros, so the stream numbered 0 would be the unnumbered one.
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(name.encode())], spawn_key=indices))


def torch_seed(seed: int, name: str) -> int:
    """A 63-bit seed for torch's own generators, from the stream called ``name``."""
    return int(generator(seed, name).integers(2**63))
