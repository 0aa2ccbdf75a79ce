"""One of several data sets that are learned from together."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from supertune.config.section import Section


class SourceConfig(Section):
    """A data set: a path alone, or a path with what holds for it and not for the others."""

    path: str = Field(description="file, folder, hub data set or address of a database")
    weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="how often each of its training rows is learned in an epoch: 1 once, 0.5 half of them, drawn"
    )
    task: str | None = Field(
        None, description="what is written: the task as whose its rows are read, e.g. translation; null: task.name"
    )
    text: list[str] | None = Field(None, description="text columns; null: data.text, or inferred")
    label: str | list[str] | None = Field(None, description="label column; null: data.label, or inferred")
    prompt: str | None = Field(
        None, description="what is written: how its rows are asked, with {columns}; null: task.prompt"
    )
    system: str | None = Field(None, description="what is written: its system message; null: task.system")
    query: str | None = Field(None, description="database: what gives the rows, in its own SQL")
    table: str | None = Field(None, description="database: the table to read; null: the only one")

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, content: Any) -> Any:
        return {"path": content} if isinstance(content, str) else content


def _kind(value: Any) -> str:
    return "several" if isinstance(value, list) else "one"


Sources = Annotated[
    Annotated[str, Tag("one")] | Annotated[Annotated[list[SourceConfig], Field(min_length=1)], Tag("several")],
    Discriminator(_kind),
]
"""A data set, or a list of several."""
