"""Files of tagged tokens: a token and its tag on each line, a blank line between sentences, as CoNLL had them.

The token is the first column, the tag the last; what stands between is passed over. Chinese comes with a character
on each line. Lines ``-DOCSTART-`` begin a document; ``# …`` before a sentence is a comment (CoNLL-U, MultiCoNER).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supertune.data.arrays import Places
from supertune.data.sources.building import BATCH_ROWS, TableBuilder
from supertune.data.sources.text import open_text
from supertune.data.table import Table
from supertune.entity_tags import looks_like_tag

_DOCUMENT = "-DOCSTART-"
_LOOKED_AT = 200
_FEWEST_LINES = 4


@dataclass
class _Sentence:
    line: int
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    problem: str | None = None


def read_tagged(path: Path, builder: TableBuilder) -> Table:
    """Read sentences as columns ``tokens`` and ``tags``; ``document`` counts documents, where the file tells them.

    Raises:
        UserError: There are lines without a tag that are not to be skipped, or no sentence.
    """
    with open_text(path, builder.source) as file:
        records: list[dict[str, Any]] = []
        rows: list[int] = []
        lines: list[int] = []
        for row, (sentence, document) in enumerate(_sentences(file.lines)):
            if sentence.problem is not None:
                builder.bad(row, sentence.line, sentence.problem)
            else:
                record: dict[str, Any] = {"tokens": sentence.tokens, "tags": sentence.tags}
                records.append(record if document is None else {**record, "document": document})
                rows.append(row)
                lines.append(sentence.line)
            if len(records) == BATCH_ROWS:
                builder.add_records(records, Places(rows, lines), file.fraction())
                records, rows, lines = [], [], []
        builder.add_records(records, Places(rows, lines), 1.0)
        return builder.finish((*file.notes, "read as tagged tokens, a token and its tag on each line"))


def holds_tagged_tokens(start: str) -> bool:
    """Whether the beginning of a file leaves no doubt: every line ends in a tag, and one of them begins an entity."""
    lines = [line for line in start.splitlines()[:-1][:_LOOKED_AT] if line.strip() and _DOCUMENT not in line]
    fields = [line.split() for line in lines if not line.startswith("# ")]
    if len(fields) < _FEWEST_LINES or len({len(parts) for parts in fields}) != 1 or len(fields[0]) < 2:
        return False
    tags = {parts[-1] for parts in fields}
    return all(map(looks_like_tag, tags)) and "O" in tags and len(tags) > 1


def _sentences(lines: Iterable[str]) -> Iterator[tuple[_Sentence, int | None]]:
    """Sentences with the number of their document."""
    document: int | None = None
    sentence: _Sentence | None = None
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n").removeprefix("\ufeff")
        if line.startswith(_DOCUMENT):
            document = 0 if document is None else document + 1
            if sentence is not None:
                yield sentence, document - 1 if document else None
            sentence = None
        elif not line.strip():
            if sentence is not None:
                yield sentence, document
            sentence = None
        elif sentence is None and line.startswith("# ") and not looks_like_tag(line.split()[-1]):
            continue
        else:
            sentence = sentence or _Sentence(number)
            _add(sentence, line, number)
    if sentence is not None:
        yield sentence, document


def _add(sentence: _Sentence, line: str, number: int) -> None:
    parts = line.split("\t") if "\t" in line else line.split()
    if line[0].isspace() and len(parts) == 1:
        # Of texts cut into characters a space may be a token, and then nothing but the tag is seen.
        parts = [line[0], parts[0]]
    token, tag = parts[0], parts[-1].strip()
    if len(parts) < 2 or not tag:
        sentence.problem = sentence.problem or f"line {number} has {line.strip()[:40]!r} without a tag"
        return
    sentence.tokens.append(token or " ")
    sentence.tags.append(tag)
