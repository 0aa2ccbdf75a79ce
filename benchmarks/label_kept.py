"""What ``supertune augment --keep-labels`` leaves out: new rows that say another label, and new rows that do not.

Usage: SUPERTUNE_DATA=folder python benchmarks/label_kept.py [--only trec sst2 waimai] [--rows 100 500] [--draws 5]

So many rows are drawn. Each gets two new ones, texts of rows that were not drawn: one of a row with the same label
(harder than a paraphrase: another text altogether) and one of a row with another label. Told is which share of each is
left out, of all new rows and of those whose original is read as its own label, as the mean and standard deviation over
draws; and which share of new rows by each rule.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from augmenting import loaded
from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import AUGMENTERS, Augmented, Table, augment, read, without_changed_labels
from supertune.models import default_model
from supertune.recipes.embedder import open_embedder
from supertune.recipes.label_errors import KeptVectors

COLUMNS = Columns(("text",), ("label",))
LANGUAGES = {"trec": "en", "sst2": "en", "waimai": "zh"}
BY_RULE = {
    "en": ("synonyms", "keyboard", "random-swap", "random-deletion"),
    "zh": ("synonyms", "random-swap", "random-deletion"),
}
Row = dict[str, Any]


def main() -> int:
    """Print a table for each set; skip with a word when the data are not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=tuple(LANGUAGES), default=list(LANGUAGES))
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 500])
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    data = Path(os.environ.get("SUPERTUNE_DATA", ""))
    if not (data / "trec").is_dir():
        print("skipped: set SUPERTUNE_DATA to the folder with trec/, sst2/ and waimai_10k.csv")
        return 0
    for name in options.only:
        rows = read(data / "sst2" / "train.jsonl") if name == "sst2" else None
        learned: list[Row] = list(rows.rows()) if rows is not None else list(loaded(name, data)[0])
        learned = [{"text": row["text"], "label": row["label"]} for row in learned]
        vectors = KeptVectors(open_embedder(default_model(LANGUAGES[name])), Console(quiet=True))
        for count in options.rows:
            told(name, count, [draw(learned, count, seed, vectors, LANGUAGES[name]) for seed in range(options.draws)])
    return 0


def draw(learned: list[Row], count: int, seed: int, vectors: Any, language: str) -> dict[str, float]:
    """Shares left out, of one draw."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(learned))
    drawn, others = [learned[place] for place in order[:count]], [learned[place] for place in order[count:]]
    table = Table.from_rows(drawn)
    shares: dict[str, float] = {}
    for kind, fits in (("same label", True), ("other label", False)):
        made = planted(drawn, others, fits)
        found = without_changed_labels(made, count, COLUMNS, vectors)
        shares[kind] = len(found.changed) / count
        shares[f"{kind}, judged"] = len(found.changed) / max(found.judged, 1)
    for name in BY_RULE[language]:
        made = augment(table, COLUMNS, [AUGMENTERS[name]()], seed=seed)
        found = without_changed_labels(made, count, COLUMNS, vectors)
        shares[name] = len(found.changed) / max(len(made.table) - count, 1)
    return shares


def planted(drawn: list[Row], others: list[Row], fits: bool) -> Augmented:
    """Each row with a new one that has its label and the text of another row of that label, or of another one."""
    taken = iter(others)
    new: list[Row] = []
    for number, row in enumerate(drawn):
        text = next(other["text"] for other in taken if (other["label"] == row["label"]) == fits)
        new.append({**row, "text": text, "supertune_augmented_from": number, "supertune_augmenter": "planted"})
    own = [
        {**row, "supertune_row": number, "supertune_augmented_from": None, "supertune_augmenter": None}
        for number, row in enumerate(drawn)
    ]
    return Augmented(Table.from_rows([*own, *({**row, "supertune_row": None} for row in new)]), ())


def told(name: str, count: int, draws: list[dict[str, float]]) -> None:
    """One table."""
    print(f"\n{name}, {count} rows, {len(draws)} draws: per cent of new rows that are left out")
    for kind in draws[0]:
        values = [100 * each[kind] for each in draws]
        print(f"  {kind:<22} {statistics.mean(values):5.1f} ± {statistics.stdev(values):.1f}")


if __name__ == "__main__":
    raise SystemExit(main())
