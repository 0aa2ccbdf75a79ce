"""What a crawl writes: pages as rows, everything else with its reason, and how it came to be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supertune.data.crawl.settings import Territory
from supertune.data.crawl.store import Store
from supertune.data.sources.preparation_record import RECORD
from supertune.files import sha256_file, write_json, write_jsonl

PAGES = "pages.jsonl"
SKIPPED = "skipped.jsonl"
STATE = "crawl.sqlite"
MANIFEST = "manifest.json"
_KEPT_BACK = {"waiting": ("not-yet", "is still to be asked for")}


def write_output(store: Store, folder: Path, territory: Territory, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``pages.jsonl``, ``skipped.jsonl``, ``preparation.json`` and ``manifest.json``, each whole or not at all.

    Args:
        store: The state.
        folder: Where to.
        territory: What was to be crawled.
        about: What else is worth recording.

    Returns:
        The manifest.

    Raises:
        UserError: The place is not writable.
    """
    pages = write_jsonl(folder / PAGES, store.pages())
    write_jsonl(folder / SKIPPED, map(_explained, store.skipped()))
    counts: dict[str, dict[str, int]] = {}
    for (state, reason), count in sorted(store.counts().items(), key=str):
        if state != "done":
            counts.setdefault(state, {})[reason or "not-yet"] = count
    begun = [*territory.seeds, *territory.sitemaps]
    sha256 = sha256_file(folder / PAGES)
    # The record by which `read` puts the crawl into the rows' lineage, and from there into the model's card.
    step = {"name": "crawl", "parameters": territory.as_dict(), "rows_in": 0, "rows_out": pages, "reason": None}
    record = {"file": PAGES, "sha256": sha256, "rows": pages, "source": ", ".join(begun), "steps": ["crawl"]}
    write_json(folder / RECORD, {"format": 1, "splits": {"all": record | {"lineage": [step]}}})
    manifest = {
        **about,
        "territory": territory.as_dict(),
        "pages": pages,
        "not_written": counts,
        "sha256": {PAGES: sha256, SKIPPED: sha256_file(folder / SKIPPED)},
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def _explained(row: dict[str, Any]) -> dict[str, Any]:
    if (kept := _KEPT_BACK.get(row["state"])) and row["reason"] is None:
        reason, detail = kept
        return row | {"reason": reason, "detail": detail}
    return row
