"""What models write around a text taken off where that is certain; what is no such text refused, with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass

from supertune.language import is_blank, is_chinese


@dataclass(frozen=True)
class NotWritten:
    """There is no new text.

    Attributes:
        reason: Why, in words that are the same for the same cause.
    """

    reason: str


EMPTY = NotWritten("empty answer")
THOUGHTS = NotWritten("thoughts and no answer")
REFUSED = NotWritten("refused by the model")
SEVERAL = NotWritten("several answers in one")
SEVERAL_LINES = NotWritten("several lines where the text has one")

_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_THOUGHT_BEGIN = re.compile(r"\s*<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FINAL = re.compile(r"<\|channel\|>\s*final\s*<\|message\|>")
_CONTROL = re.compile(r"<\|(?:im_end|end|eot_id|endoftext|return)\|>\s*$")
_FENCE = re.compile(r"```[\w-]*\n(.*?)\n?```", re.DOTALL)
_OPENING = (
    r"(?:(?:sure|certainly|of course|okay|ok|absolutely|no problem)(?:\s+thing)?\s*[,!.:]*\s*)",
    r"(?:(?:好的|好|当然|当然可以|没问题|可以)\s*[，,！!。.]\s*)",
)
_HERE = (
    r"(?:here(?:['’]s|\s+is|\s+are)|this is|below is|the following is)\b[^\n:：]{0,120}[:：]",
    r"(?:这是|以下是|下面是|以下为|这里是)[^\n:：]{0,60}[:：]",
)
_HEADING = (
    r"(?:\*\*)?(?:(?:re)?(?:paraphrased?|rewritten|rephrased|reworded|translat(?:ed|ion)|new|revised)"
    r"(?:\s+(?:text|version|sentence|message|example|answer|review))?|answer|output|result)\s*(?:\*\*)?\s*[:：](?:\*\*)?",
    r"(?:\*\*)?(?:改写|改写后|改写结果|改写后的文本|改写文本|译文|翻译|翻译结果|新文本|新的文本|答案|结果)(?:\*\*)?[:：](?:\*\*)?",
)
_PREAMBLE = re.compile(
    rf"(?:{'|'.join(_OPENING)})?(?:{'|'.join(_HERE)})\s*|(?:{'|'.join(_HEADING)})\s*|(?:{'|'.join(_OPENING)})\n+",
    re.IGNORECASE,
)
_AFTERWORD = re.compile(
    r"\n\s*\n\(?\s*(?:\*\*)?(?:let me know|i hope|hope this|please let me|feel free|note\b|notes\b|explanation\b|"
    r"注[:：]|注意[:：]|说明[:：]|希望(?:这|对你|对您)|如果(?:你|您)需要|解释[:：])",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"(?:i['’]?m |i am )?(?:very |really |so )?(?:sorry|afraid)\b[^.\n]{0,40}"
    r"\b(?:can(?:no|['’])t|cannot|unable|won['’]t)"
    r"|i (?:can(?:no|['’])t|cannot|am unable to|am not able to|won['’]t) (?:help|assist|comply|fulfil|provide|create|"
    r"generate|write|do that|translate|rewrite|paraphrase)"
    r"|as an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|(?:抱歉|对不起|很遗憾|非常抱歉)[，,。！!\s]*(?:我|作为)[^。\n]{0,12}(?:无法|不能|没办法|不便)"
    r"|作为一个?(?:ai|人工智能|大?语言模型)|我(?:无法|不能)(?:提供|协助|帮助|生成|翻译|改写|满足|完成)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:\(?\d{1,2}[.)、．）]|[-*•])\s*(?=\S)")
_QUOTES = {'"': '"', "“": "”", "‘": "’", "「": "」", "『": "』", "'": "'", "«": "»"}


def text_of(answer: str, source: str) -> str | NotWritten:
    """The text that an answer holds.

    What is around it is taken off only where the source has nothing like it: a text that itself is in quotation marks,
    numbered, or begins with ``Here is`` may be answered by another that is.

    Args:
        answer: As it was written.
        source: A text of the kind that was asked for: the one that was to be changed, or an example.
    """
    text = _without_thoughts(answer)
    if isinstance(text, NotWritten):
        return text
    text = _bare(_CONTROL.sub("", text).strip(), source.strip())
    if is_blank(text):
        return EMPTY
    if _REFUSAL.match(text) and not _REFUSAL.match(source.strip()):
        return REFUSED
    lines = [line for line in text.splitlines() if not is_blank(line)]
    if len(lines) > 1 and len([line for line in source.splitlines() if not is_blank(line)]) <= 1:
        return SEVERAL if all(map(_NUMBERED.match, map(str.strip, lines))) else SEVERAL_LINES
    return text


def _without_thoughts(answer: str) -> str | NotWritten:
    if found := list(_FINAL.finditer(answer)):
        return answer[found[-1].end() :]
    text = _THOUGHT.sub("", answer)
    if ends := list(_THOUGHT_END.finditer(text)):
        # Templates may write how thoughts begin themselves: the answer has only their end.
        text = text[ends[-1].end() :]
    return THOUGHTS if _THOUGHT_BEGIN.match(text) else text


def _bare(text: str, source: str) -> str:
    """The text without what certainly is no part of it."""
    if (fenced := _FENCE.fullmatch(text)) and "```" not in source:
        text = fenced.group(1).strip()
    if not _PREAMBLE.match(source) and (found := _PREAMBLE.match(text)) and found.end() < len(text):
        text = text[found.end() :].strip()
        if (fenced := _FENCE.fullmatch(text)) and "```" not in source:
            text = fenced.group(1).strip()
    if not _AFTERWORD.search(source) and (found := _AFTERWORD.search(text)):
        text = text[: found.start()].strip()
    one_line = "\n" not in text
    if one_line and not _NUMBERED.match(source) and (found := _NUMBERED.match(text)) and _is_mark(text, found.end()):
        text = text[found.end() :].strip()
    if len(text) > 4 and text.startswith("**") and text.endswith("**") and "**" not in text[2:-2] + source:
        text = text[2:-2].strip()
    return _unquoted(text, source)


def _is_mark(text: str, end: int) -> bool:
    """Whether what was found at the beginning numbers the line, and is no number that the line begins with."""
    return text[end - 1].isspace() or is_chinese(text[end : end + 1])


def _unquoted(text: str, source: str) -> str:
    """The text without quotation marks around all of it, unless the source has them too."""
    close = _QUOTES.get(text[:1])
    if close is None or len(text) < 3 or not text.endswith(close):
        return text
    inner = text[1:-1]
    if source[:1] in _QUOTES or text[0] in inner or close in inner:
        return text
    return inner.strip()
