"""Questions on texts in the nested form of SQuAD: articles of paragraphs, each with the questions asked of it.

CMRC 2018, XQuAD, MLQA, DRCD and others come in the same form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_UNANSWERABLE = "is_impossible"


def holds_questions(document: Mapping[str, Any]) -> bool:
    """Whether an object is such a document: a list ``data`` of articles, of which one has ``paragraphs``."""
    data = document.get("data")
    return isinstance(data, list) and any(isinstance(one, dict) and "paragraphs" in one for one in data)


def question_rows(document: Mapping[str, Any]) -> Iterator[dict[str, Any] | str]:
    """A row for each question, with the columns id, title, context, question and answers, as far as there are such.

    A question that ``is_impossible`` has no answers, whatever else it lists; one without ``answers`` is not answered.

    Yields:
        The row; or what is wrong in its place, as a sentence that names it.
    """
    for number, article in enumerate(document["data"]):
        place = f"data[{number}]"
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            yield f"{place} has no list of paragraphs"
            continue
        for index, paragraph in enumerate(paragraphs):
            yield from _of_paragraph(paragraph, f"{place}.paragraphs[{index}]", article.get("title"))


def _of_paragraph(paragraph: Any, place: str, title: Any) -> Iterator[dict[str, Any] | str]:
    if not isinstance(paragraph, dict) or not isinstance(paragraph.get("context"), str):
        yield f"{place} has no text in 'context'"
        return
    if not isinstance(paragraph.get("qas"), list):
        yield f"{place} has no list of questions in 'qas'"
        return
    for number, asked in enumerate(paragraph["qas"]):
        if not isinstance(asked, dict) or not isinstance(asked.get("question"), str):
            yield f"{place}.qas[{number}] has no text in 'question'"
            continue
        row: dict[str, Any] = {"id": asked["id"]} if "id" in asked else {}
        if isinstance(title, str):
            row["title"] = title
        row |= {"context": paragraph["context"], "question": asked["question"]}
        if asked.get(_UNANSWERABLE) is True:
            row["answers"] = []
        elif "answers" in asked:
            row["answers"] = asked["answers"]
        yield row
