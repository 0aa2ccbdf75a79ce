"""Passages made ready to be found: read, cut into windows where asked, turned into vectors, written as an index."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from supertune.console import Console
from supertune.contracts import Columns
from supertune.data import OnBadRow, Table, infer_columns, read
from supertune.errors import InterruptedRunError, UserError
from supertune.evaluate import Resampling, mean_of_shares
from supertune.files import atomic_folder, explained, remove_folder, remove_leftovers
from supertune.language import guess_language
from supertune.models import REGISTRY, default_model
from supertune.passages import (
    BATCH_ROWS,
    BM25,
    EFFORTS,
    FINER,
    GRAPH,
    ROW_IDS,
    ROWS,
    SPANS,
    STORAGES,
    VECTORS,
    Bm25,
    Partial,
    PassageIndex,
    Storage,
    Vectors,
    build_graph,
    check_installed,
    enough,
    nearest,
    place_of,
    recall,
    seal,
    shortened,
    sole_maker,
    without,
    write_rows,
    write_vectors,
)
from supertune.recipes.embedder import Embedder, open_embedder
from supertune.recipes.passages import BLOCK, begin_passages, embed, making_of, passage_texts
from supertune.recipes.rows import sample_texts

_FOR_LANGUAGE = 4000
_SAMPLE, _NEAREST = 500, 10


@dataclass(frozen=True)
class IndexChoices:
    """What kind of index is made.

    Attributes:
        storage: How the vectors that are searched are kept: ``float32 float16 int8 binary``.
        dimensions: How many numbers of each vector are searched; None for all.
        rescore: How the vectors are kept by which the best are scored again; ``none`` for no others, ``auto`` for
            ``int8`` beside ``binary`` and none otherwise.
        approximate: Make a graph for approximate search as well.
        recall: What share of the ten nearest that search is to find.
        split: Cut passages that are longer than the model reads into windows.
    """

    storage: str = "float32"
    dimensions: int | None = None
    rescore: str = "auto"
    approximate: bool = False
    recall: float = 0.98
    split: bool = False

    def check(self) -> None:
        """Refuse what is no choice.

        Raises:
            UserError: With the option.
        """
        if self.storage not in STORAGES:
            raise UserError(f"{self.storage!r} is not a choice", where="--storage", fix=f"use {', '.join(STORAGES)}")
        if self.rescore not in ("auto", "none", *STORAGES):
            fix = f"use auto, none, {', '.join(STORAGES)}"
            raise UserError(f"{self.rescore!r} is not a choice", where="--rescore", fix=fix)
        if not 0 < self.recall <= 1:
            raise UserError(f"{self.recall} is no share", where="--recall", fix="name one above 0, at most 1")
        if self.approximate:
            check_installed()

    @property
    def finer(self) -> Storage | None:
        """How the vectors are kept by which the best are scored again; None for no others."""
        kept = ("int8" if self.storage == "binary" else "none") if self.rescore == "auto" else self.rescore
        return next((name for name in STORAGES if name == kept), None)


def make_index(
    data: object,
    *,
    out: Path,
    model: str | None = None,
    text: list[str] | None = None,
    choices: IndexChoices | None = None,
    max_length: int | None = None,
    on_bad_row: OnBadRow = "refuse",
    sheet: str | None = None,
    console: Console,
) -> dict[str, Any]:
    """Make an index of the rows, or go on with one that was begun.

    Args:
        data: Rows as `supertune.read` takes them.
        out: The folder to make.
        model: Registered name, folder, hub id or run; None: by the language of the texts.
        text: Text columns, joined; None: inferred.
        choices: What kind of index.
        max_length: Tokens per passage; None: what is usual for the model.
        on_bad_row: What to do with malformed rows.
        sheet: Sheet of a spreadsheet.
        console: Where to say what is done, and to show progress.

    Returns:
        What ``supertune index --json`` prints.

    Raises:
        UserError: Data, model or place cannot be used, or another index was begun there.
        InterruptedRunError: Ctrl-C; the same call goes on.
    """
    choices = choices or IndexChoices()
    choices.check()
    _refuse_taken(out)
    started = time.monotonic()
    table = read(data, on_bad_row=on_bad_row, sheet=sheet)
    for note in table.notes:
        console.say(f"  {note}")
    columns = infer_columns(table, text=text, need_label=False, pair=False)
    for announcement in columns.announcements:
        console.say(f"  {announcement}")
    if model is None:
        model = default_model(guess_language(sample_texts(table, columns, _FOR_LANGUAGE)).language)
    embedder = open_embedder(model, max_length=max_length)
    if choices.dimensions is not None and not 0 < choices.dimensions <= embedder.width:
        what = f"{choices.dimensions} numbers of a vector, of which {embedder.name} makes {embedder.width}"
        raise UserError(what, where="--dimensions", fix=f"name 1 to {embedder.width}")
    with sole_maker(out):
        try:
            partial = begin_passages(table, columns, embedder, split=choices.split, out=out, console=console)
            embed(partial, table, columns, embedder, console)
            manifest = _written(partial, table, columns, embedder, choices, out, console)
        except KeyboardInterrupt as error:
            raise InterruptedRunError(f"interrupted; the same command goes on with {out}") from error
        remove_folder(place_of(out))
    return _summary(manifest, out, time.monotonic() - started, console)


def _refuse_taken(out: Path) -> None:
    with explained(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError("exists already", where=str(out), fix="name a new folder with --out")


def _written(
    partial: Partial,
    table: Table,
    columns: Columns,
    embedder: Embedder,
    choices: IndexChoices,
    out: Path,
    console: Console,
) -> dict[str, Any]:
    """Write the index, whole or not at all; returns its manifest."""
    passages, width = len(partial.spans), choices.dimensions or embedder.width
    storage = next(name for name in STORAGES if name == choices.storage)
    manifest = _manifest(partial, table, columns, embedder, choices)
    whole = Vectors("float32", embedder.width, partial.vectors)
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out.parent)
    with atomic_folder(out) as folder:
        write_rows(folder / ROWS, table.arrow_batches(BATCH_ROWS), table.schema)
        np.save(folder / ROW_IDS, table.row_ids)
        np.save(folder / SPANS, partial.spans)
        write_vectors(folder, VECTORS, _shortened(whole, width), rows=passages, width=width, storage=storage)
        if choices.finer:
            blocks = _shortened(whole, embedder.width)
            write_vectors(folder, FINER, blocks, rows=passages, width=embedder.width, storage=choices.finer)
        with console.progress("words", passages) as bar:
            texts = passage_texts(table, columns, partial.spans)
            Bm25.build(_counted(texts, bar)).save(folder / BM25)
        if choices.approximate:
            with console.progress("graph", passages) as bar:
                build_graph(_shortened(whole, width), width, folder / GRAPH, progress=bar)
        _measure(PassageIndex(folder, manifest), whole, manifest, choices, console)
        seal(folder, manifest)
    return manifest


def _shortened(whole: Vectors, width: int) -> Iterator[Any]:
    for start in range(0, len(whole), BLOCK):
        yield shortened(whole.block(start, min(start + BLOCK, len(whole))), width)


def _counted(texts: Iterator[str], bar: Any) -> Iterator[str]:
    for number, text in enumerate(texts, 1):
        yield text
        if number % BLOCK == 0:
            bar(number)


def _manifest(
    partial: Partial, table: Table, columns: Columns, embedder: Embedder, choices: IndexChoices
) -> dict[str, Any]:
    import supertune

    path = Path(embedder.name).expanduser()
    name = str(path.resolve()) if embedder.name not in REGISTRY and path.exists() else embedder.name
    return {
        "supertune": supertune.__version__,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "model": {
            "name": name,
            "sha256": embedder.sha256,
            "width": embedder.width,
            "max_length": embedder.max_length,
            "making": making_of(embedder),
        },
        "data": {
            "source": table.source,
            "fingerprint": table.fingerprint,
            "rows": len(table),
            "text": list(columns.text),
        },
        "passages": {"count": len(partial.spans), "split": choices.split, **partial.notes},
        "vectors": {
            "storage": choices.storage,
            "dimensions": choices.dimensions or embedder.width,
            "rescore": choices.finer,
        },
        "graph": {"effort": EFFORTS[-1], "wanted": choices.recall} if choices.approximate else None,
        "recall": {},
    }


def _measure(
    index: PassageIndex, whole: Vectors, manifest: dict[str, Any], choices: IndexChoices, console: Console
) -> None:
    """Add to the manifest how much of the nearest passages is found, with passages themselves as queries."""
    passages = len(index)
    lossy = choices.storage != "float32" or choices.finer is not None or index.vectors.width < whole.width
    if passages < 2 or not (lossy or choices.approximate):
        return
    own = np.sort(np.random.default_rng(0).choice(passages, min(_SAMPLE, passages), replace=False))
    queries, count = whole.take(own), min(_NEAREST, passages - 1)
    console.say(f"  measuring what is found, with {len(own):,} of the passages as queries")
    truth = without(nearest(whole, queries, count + 1), own)

    def measured(found: Any) -> dict[str, Any]:
        shares = recall(without(found, own), truth, whole, queries)
        low, high, method = mean_of_shares(shares, Resampling())
        signature = f"recall@{count}|truth:exact-float32|queries:passages|interval:{method}"
        return {"value": float(shares.mean()), "low": low, "high": high, "n": len(own), "signature": signature}

    if lossy:
        manifest["recall"]["exact"] = measured(index.exact(queries, count + 1))
    if choices.approximate:
        tried = {}
        for effort in EFFORTS:
            tried[effort] = measured(index.approximate(queries, count + 1, effort=effort))
            if tried[effort]["value"] >= choices.recall:
                break
        curve = [(effort, score["value"]) for effort, score in tried.items()]
        chosen = enough(curve, choices.recall)
        manifest["graph"] |= {"effort": chosen, "recalls": curve}
        manifest["recall"]["approximate"] = tried[chosen]


def _summary(manifest: dict[str, Any], out: Path, seconds: float, console: Console) -> dict[str, Any]:
    passages, kept, measured = manifest["passages"], manifest["vectors"], manifest["recall"]
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    console.say(f"{passages['count']:,} passages of {manifest['data']['rows']:,} rows, {size / 1e6:,.1f} MB: {out}")
    if passages["blank"]:
        console.say(f"  {passages['blank']:,} rows without text were left out")
    if passages["cut"]:
        length = manifest["model"]["max_length"]
        console.warn(
            f"{passages['cut']:,} passages have more than the {length} tokens that the model reads; what is behind "
            "them is not found by its meaning (--split makes windows of them, --max-length reads more)"
        )
    for method, score in measured.items():
        shares = [f"{100 * score[name]:.1f}" for name in ("value", "low", "high")]
        nearest_of = min(_NEAREST, passages["count"] - 1)
        told = "{} % [{}, {}]".format(*shares)
        console.say(f"  {method} search finds {told} of the {nearest_of} nearest by whole vectors")
    if "approximate" in measured and measured["approximate"]["value"] < manifest["graph"]["wanted"]:
        console.warn(f"that is less than the {100 * manifest['graph']['wanted']:g} % that were asked for")
    return {
        "index": str(out),
        "status": "done",
        "rows": manifest["data"]["rows"],
        "passages": passages["count"],
        **{name: passages[name] for name in ("blank", "cut", "divided")},
        "model": manifest["model"]["name"],
        **kept,
        "bytes": size,
        "recall": measured,
        "seconds": round(seconds, 3),
    }
