"""What is asked where the user names no prompt of their own, in the language of the rows."""

from __future__ import annotations

from collections.abc import Sequence

from supertune.contracts import Face
from supertune.language import LANGUAGE_NAMES, is_chinese, language_of

_DIALOGUES = frozenset({"dialogue", "dialog", "conversation", "transcript", "meeting", "对话", "会话", "会议记录"})
"""What columns of spoken texts are called."""


def default_prompt(
    face: Face, fields: Sequence[str], samples: Sequence[str], answers: Sequence[str], language: str | None = None
) -> str:
    """The prompt of a task.

    Args:
        face: The task.
        fields: What is put into it, in order; of questions to texts the text and then the question.
        samples: Some texts of its last field: they say in which language is asked.
        answers: Some answers: they say into which language is translated, where nothing else does.
        language: Code of the language into which is translated.
    """
    chinese = sum(map(is_chinese, samples)) * 2 > len(samples)
    written = "\n".join(f"{{{name}}}" for name in fields)
    if face == "summarization":
        spoken = any(name.strip().casefold() in _DIALOGUES for name in fields)
        if chinese:
            return f"请概括下面的{'对话' if spoken else '文本'}。\n\n{written}"
        return f"Summarize the following {'dialogue' if spoken else 'text'}.\n\n{written}"
    if face == "translation":
        language = language or _main_language(answers)
        if chinese:
            into = LANGUAGE_NAMES[language][1] if language else "目标语言"
            return f"请把下面的文本翻译成{into}。\n\n{written}"
        into = f" into {LANGUAGE_NAMES[language][0]}" if language else ""
        return f"Translate the following text{into}.\n\n{written}"
    if face == "generative-qa" and len(fields) > 1:
        context, question = "\n".join(f"{{{name}}}" for name in fields[:-1]), f"{{{fields[-1]}}}"
        if chinese:
            return f"请根据下面的文本回答问题。\n\n{context}\n\n问题：{question}"
        return f"Answer the question by the following text.\n\n{context}\n\nQuestion: {question}"
    return written


def _main_language(texts: Sequence[str]) -> str | None:
    """The language of all of them together, where it has a name here; single short ones would mislead."""
    language = language_of("\n".join(texts))
    return language if language in LANGUAGE_NAMES else None
