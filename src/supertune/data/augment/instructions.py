"""What models are asked to write, in English and in Chinese; a user may put other words in their place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from supertune.language import LANGUAGE_NAMES
from supertune.prompts import prompt_of


@dataclass(frozen=True)
class Instruction:
    """A prompt in both languages, with fields in braces.

    Attributes:
        english: For texts of all languages but Chinese.
        chinese: For Chinese texts.
    """

    english: str
    chinese: str

    def plain(self, language: str) -> str:
        """The prompt where it has no fields."""
        return self.chinese if language == "zh" else self.english

    def filled(self, own: str | None, language: str, values: Mapping[str, object]) -> str:
        """The prompt for a text; a line whose fields are all empty is left out.

        Args:
            own: The user's template, instead of both.
            language: ISO 639-1 code of the text.
            values: Field → what stands there.
        """
        template = own or (self.chinese if language == "zh" else self.english)
        return prompt_of(template, list(values), "prompt").filled(values)


def check_template(own: str | None, fields: Collection[str]) -> None:
    """Check a user's template.

    Raises:
        UserError: A field is none of those that there are, or there is none at all.
    """
    if own is not None:
        prompt_of(own, fields, "prompt")


def language_name(code: str, told_in: str) -> str:
    """What a language is called in English, or in Chinese where Chinese is spoken."""
    english, chinese = LANGUAGE_NAMES.get(code, (code, code))
    return chinese if told_in == "zh" else english


SYSTEM = Instruction(
    "You write training data for language models. You answer with the text alone, without comments.",
    "你在为语言模型编写训练数据。只回答文本本身，不加任何说明。",
)

PARAPHRASE = Instruction(
    """Say the following text in other words.
Keep its meaning, its tone, its language ({language}) and about its length.
Keep every number, name, address and placeholder exactly as it is.
It is {about}.
It has to remain a text that is labelled "{label}".
Answer with the new text alone: no heading, no quotation marks, no comment.

Text:
{text}""",
    """请换一种说法改写下面的文本。
保持原意、语气、语言（{language}）和大致长度。
数字、名称、地址和占位符必须原样保留。
文本说明：{about}。
改写后的文本仍应属于类别“{label}”。
只回答改写后的文本：不要标题，不要引号，不要说明。

文本：
{text}""",
)

TRANSLATE = Instruction(
    """Translate the following text from {source} into {target}.
Keep its meaning and tone. Keep every number, name, address and placeholder exactly as it is.
Answer with the translation alone: no heading, no quotation marks, no comment.

Text:
{text}""",
    """请把下面的文本从{source}翻译成{target}。
保持原意和语气。数字、名称、地址和占位符必须原样保留。
只回答译文：不要标题，不要引号，不要说明。

文本：
{text}""",
)

LABELLED = Instruction(
    """Write a new text that is labelled "{label}".
What this label means: {description}.
Other labels, which must not fit: {others}.
What the texts are: {about}.

Texts labelled "{label}":
{examples}

Write a text of the same kind, in the same language ({language}) and of like length, about something else than these.
Do not copy sentences from them.
Answer with the new text alone: no heading, no number, no quotation marks, no comment.""",
    """请写一条属于类别“{label}”的新文本。
这个类别的含义：{description}。
不应符合的其他类别：{others}。
文本说明：{about}。

属于“{label}”的文本：
{examples}

请写一条同类的文本，语言（{language}）和长度与它们相近，内容与它们不同。
不要照抄其中的句子。
只回答新文本：不要标题，不要编号，不要引号，不要说明。""",
)
