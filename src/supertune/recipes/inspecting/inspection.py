"""Some rows of a table as a model sees them: as JSON, as lines, and as a page."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from supertune.contracts import InspectedRow, InspectedTotals
from supertune.recipes.inspecting.terminal import print_rows
from supertune.runs import InspectionPage, Language, render_inspection


@dataclass(frozen=True)
class Inspection:
    """Some rows of a table as a model sees them.

    Attributes:
        model: Name of the model.
        max_length: Tokens per text.
        rows: The rows.
        source: Where they come from.
        task: What is to be learned of them.
        announcements: What is done with all rows, a sentence each.
        remarks: What became of those that were looked at.
        joined: Whether the pieces of a row, one behind the other, are its text.
        language: That most of the texts are in.
    """

    model: str
    max_length: int
    rows: tuple[InspectedRow, ...]
    source: str = ""
    task: str = ""
    announcements: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    joined: bool = False
    language: Language = "en"

    def as_dict(self) -> dict[str, object]:
        """The shape of ``inspect --json``. A classifier's loss is on the label, so no piece carries any.

        Where a part of the text is the answer, its pieces do; where every piece has a ``tag``, each of the text does.
        """
        totals = InspectedTotals.of(self.rows)
        return {
            "model": self.model,
            "task": self.task,
            "max_length": self.max_length,
            "announcements": list(self.announcements),
            "tokens": totals.tokens,
            "learned": totals.learned,
            "rows": [
                {
                    "row": row.row,
                    "label": row.label,
                    "pieces": [
                        {
                            "text": piece.text,
                            "loss": piece.learned,
                            "weight": piece.weight,
                            "ids": list(piece.ids),
                            **({"stop": piece.stop} if self.joined else {}),
                            **({"tag": piece.tag} if tagged else {}),
                        }
                        for piece in row.seen
                    ],
                    "truncated": row.cut > 0,
                    "cut": [piece.text for piece in row.unseen],
                    "problem": None
                    if row.problem is None
                    else {"kind": row.problem.kind, "what": row.problem.what, "fix": row.problem.fix},
                    "notes": list(row.notes),
                }
                for row in self.rows
                for tagged in (any(piece.tag for piece in row.pieces),)
            ],
            "remarks": list(self.remarks),
        }

    def print(self) -> None:
        """Show the rows on standard output, in colour on a terminal, else with marks around what carries loss."""
        print_rows(
            self.rows,
            title=f"{self.model}, at most {self.max_length} tokens",
            announcements=self.announcements,
            remarks=(self.summary, *self.remarks),
            joined=self.joined,
            file=sys.stdout,
        )

    @property
    def summary(self) -> str:
        """How many tokens carry loss."""
        found = InspectedTotals.of(self.rows)
        rows = f"{found.rows} {'row' if found.rows == 1 else 'rows'}"
        if found.learned_rows < found.rows:
            rows += f", {found.learned_rows} of them learned"
        if not found.learned and not self.joined:
            return f"{rows}: {found.tokens:,} tokens; the loss is on labels, not on tokens"
        share = f" ({found.learned / found.tokens:.1%})" if found.tokens else ""
        return f"{rows}: {found.learned:,} of {found.tokens:,} tokens carry loss{share}"

    def html(self) -> str:
        """The rows as a page of their own: no script, nothing to load."""
        return render_inspection(
            InspectionPage(
                title=self.source,
                facts={"model": self.model, "task": self.task, "max_length": f"{self.max_length:,}"},
                rows=self.rows,
                announcements=self.announcements,
                remarks=self.remarks,
                joined=self.joined,
                language=self.language,
            )
        )
