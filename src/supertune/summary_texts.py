"""Documents and their summaries: how people write them down, and what a document's sentences are.

A cell holds one summary, or several that are all acceptable as a list; of several columns each holds one. Where a
column is called after its points (highlights, 要点), a list is one summary, a point to a line. Sentences are verbatim.
Characters are Unicode code points, as Python counts them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from supertune.contracts import Columns, Rows
from supertune.errors import UserError
from supertune.language import is_blank, is_missing, join_fields, shorten
from supertune.sentences import Part, line_spans, sentence_spans

Unit = Literal["sentence", "line"]
"""What a summary is put together from: sentences, or whole lines, such as the turns of a dialogue."""
OF_POINTS = frozenset({"highlights", "bullets", "bullet_points", "key_points", "keypoints", "points", "要点", "重点"})
"""What columns are called whose lists are the points of one summary."""


@dataclass(frozen=True)
class Summarised:
    """A document and what sums it up.

    Attributes:
        document: The text.
        summaries: Those that are acceptable; None where nobody has written one.
    """

    document: str
    summaries: tuple[str, ...] | None

    def units(self, unit: Unit) -> list[str]:
        """The document's sentences, or lines."""
        return [self.document[start:end] for start, end in parts_of(self.document, unit)]


def parts_of(document: str, unit: Unit) -> list[Part]:
    """Where a document's sentences, or lines, are."""
    return sentence_spans(document) if unit == "sentence" else line_spans(document)


def summarised_of(rows: Rows, columns: Columns) -> Iterator[Summarised]:
    """The documents in order; without summaries where a label column is missing.

    Raises:
        UserError: A cell holds no summary.
    """
    labels = columns.labels if set(columns.labels) <= set(rows.column_names) else ()
    row = 0
    for batch in rows.batches(columns=(*columns.text, *labels)):
        documents = zip(*(batch[name] for name in columns.text), strict=True)
        for place, fields in enumerate(documents):
            found: list[str] = []
            for name in labels:
                try:
                    found += in_cell(batch[name][place], of_points=name.strip().casefold() in OF_POINTS)
                except ValueError as error:
                    raise UserError(
                        f"row {rows.row_ids[row]} {error}",
                        where=f"column {name!r}",
                        fix="write a summary as text, several that are acceptable as a list of texts; leave the cell "
                        "empty where there is none",
                    ) from error
            yield Summarised(join_fields(fields), tuple(found) or None)
            row += 1


def in_cell(value: object, *, of_points: bool = False) -> list[str]:
    """The summaries that a cell holds.

    Args:
        value: As it was read.
        of_points: A list is one summary, a point to a line.

    Raises:
        ValueError: It holds something else; says what, to stand behind the row's number.
    """
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        value = _written_out(value)
    if is_missing(value):
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(item, str) or item is None for item in value):
        raise ValueError(f"has {shorten(repr(value), 40)}, which is no summary")
    told = [item for item in value if item is not None and not is_blank(item)]
    return ["\n".join(told)] if of_points and told else told


def _written_out(text: str) -> object:
    """A JSON list of texts that stands in text, as a CSV file has it; other text is a summary itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if all(isinstance(item, str) for item in found) else text
