from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread(_surroundings: None) -> None:
    """Models of this size only wait for a second thread."""
    torch.set_num_threads(1)
