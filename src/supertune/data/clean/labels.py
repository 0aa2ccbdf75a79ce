"""Labels as they should be called."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from supertune.data.clean.operator import LabelEdit
from supertune.errors import UserError
from supertune.language import fold


class Labels(LabelEdit):
    """Labels without the differences nobody meant: white space around them and, if wanted, case; then renamed by a map.

    ``map: {pos: positive, "1": positive, 1: positive}`` knows a word from a number. Labels that are lists are changed
    one by one.
    """

    name: ClassVar[str] = "labels"
    case: Literal["keep", "lower"] = Field("keep", description="case of letters")
    map: dict[str | int | float | bool, str | int | float | bool] = Field({}, description="old name: new name")
    others: Literal["keep", "refuse"] = Field("keep", description="labels that the map does not name")

    def value(self, value: Any) -> Any:
        """See `LabelEdit`."""
        if isinstance(value, list):
            return list(dict.fromkeys(self.value(one) for one in value))
        if isinstance(value, str):
            value = fold(value)
            value = value.lower() if self.case == "lower" else value
        if value is None or not self.map:
            return value
        for old, new in self.map.items():
            # True equals 1 in Python, and is another label.
            if old == value and type(old) is type(value):
                return new
        if self.others == "refuse":
            raise UserError(f"the map names no label {value!r}", where="labels", fix="add it, or set others: keep")
        return value
