"""Datasets of the Hugging Face hub, by name."""

from __future__ import annotations

import os
import re
import threading
import urllib.error
import urllib.request
from typing import Any

from supertune.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_SECONDS = 5
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
_INSTEAD = (
    "name a file or folder that exists; or, on a machine that reaches the hub, save the dataset with "
    "datasets.load_dataset({name!r})['train'].to_parquet('train.parquet') and give that file"
)


def looks_like_name(source: str) -> bool:
    """True when the hub could have a dataset of that name: ``name`` or ``owner/name``."""
    return bool(_NAME.fullmatch(source)) and len(source) <= 96


def load_splits(name: str) -> dict[str, Any]:
    """The dataset's splits, each a `datasets.Dataset`, in the hub's order.

    Whether the hub answers is asked first, and for five seconds at most: the library would try for minutes.

    Raises:
        UserError: There is no hub to ask, or it cannot give this dataset.
    """
    where = f"{name} (not a file here, so taken for a dataset of the Hugging Face hub)"
    fix = _INSTEAD.format(name=name)
    for variable in _OFFLINE:
        if os.environ.get(variable, "").upper() in ("1", "TRUE", "YES", "ON"):
            raise UserError(f"{variable} is set, so the hub is not asked", where=where, fix=fix)
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if (reason := _why_unreachable(endpoint)) is not None:
        raise UserError(f"the hub cannot be reached ({endpoint}: {reason})", where=where, fix=fix)
    import datasets
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    try:
        return dict(datasets.load_dataset(name))
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError, httpx.HTTPError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"the hub cannot give this dataset: {reason}", where=where, fix=fix) from error


def _why_unreachable(endpoint: str) -> str | None:
    """Why there is no answer from the address; None if there is one, be it "not found".

    In a thread, because looking up a host name heeds no time limit.
    """
    reasons = [f"no answer within {_SECONDS} seconds"]

    def ask() -> None:
        try:
            request = urllib.request.Request(endpoint, method="HEAD")
            urllib.request.urlopen(request, timeout=_SECONDS).close()
            reasons.clear()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500:
                reasons.clear()
            else:
                reasons[0] = f"it answers with HTTP status {error.code}"
        except (OSError, ValueError) as error:
            reasons[0] = str(getattr(error, "reason", error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return reasons[0] if reasons else None
