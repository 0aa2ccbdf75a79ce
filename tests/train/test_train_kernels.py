"""Kernels that oneDNN has compiled are kept, so that a length that comes again is not compiled again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import torch
from supertune.train import keep_kernels

keep_kernels()
weight = torch.zeros(32, 32, dtype=torch.bfloat16)
for _ in range(2):
    for rows in range(16, 1216):
        torch.ones(rows, 32, dtype=torch.bfloat16) @ weight
"""


def compiled(**environment: str) -> tuple[int, int]:
    """How often a kernel was compiled and how often one was at hand, as oneDNN itself tells."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "ONEDNN_VERBOSE": "profile_create", **environment},
    )
    return done.stdout.count("create:cache_miss"), done.stdout.count("create:cache_hit")


def test_a_length_that_comes_again_is_not_compiled_again() -> None:
    missed, hit = compiled()
    if missed + hit == 0:
        pytest.skip("torch does not use oneDNN for bfloat16 here")
    assert missed == 1200
    assert hit >= 1200


def test_what_the_user_has_set_is_left_alone() -> None:
    missed, hit = compiled(ONEDNN_PRIMITIVE_CACHE_CAPACITY="100")
    if missed + hit == 0:
        pytest.skip("torch does not use oneDNN for bfloat16 here")
    assert missed == 2400
