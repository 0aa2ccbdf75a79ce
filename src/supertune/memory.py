"""Memory: how much is free, and running out of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on the processor or on a GPU."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # torch reports the processor's memory in words alone.
    told = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in told or "can't allocate memory" in told)


def available_bytes(device: torch.device) -> int | None:
    """Memory that is free on ``device``; None where the system does not say."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    entries = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
    free = int(entries["MemAvailable"][0]) * 1024 if "MemAvailable" in entries else None
    return min((amount for amount in (free, _granted()) if amount is not None), default=None)


def _granted() -> int | None:
    """What a container's limit leaves; None without one."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
        told = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return None
    # Files that were read lately count as used, and are given up when memory is wanted.
    return int(limit) - used + int(told.get("inactive_file", 0)) if limit.isdigit() else None
