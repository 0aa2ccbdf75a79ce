"""What format conversations are in: by the names of the columns, in English and Chinese, and by what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supertune.contracts import Face, Format, Part
from supertune.data import names
from supertune.data.default_prompts import default_prompt
from supertune.data.profile import Profile
from supertune.data.summary_columns import called
from supertune.errors import UserError
from supertune.language import LANGUAGE_NAMES
from supertune.message_lists import ROLE_KEYS, holds_messages, is_message, listed
from supertune.prompts import as_text, field_of

_CODES = frozenset(LANGUAGE_NAMES)
_LANGUAGES: Mapping[str, str] = {
    **{name.casefold(): code for code, both in LANGUAGE_NAMES.items() for name in both},
    **{f"{both[1][:-1]}语": code for code, both in LANGUAGE_NAMES.items()},
    **{"汉语": "zh", "中国语": "zh"},
}
_LOOSE_SUMMARIES = frozenset({"target", "label", "标签"})
"""Names of summaries that mean other things where nobody has said that there are summaries."""
_WRITTEN = ("text", "integer", "number")
"""Kinds of values that can be put into a prompt, or be an answer."""


@dataclass(frozen=True)
class Found:
    """A format, and the columns that are in it.

    Attributes:
        format: Its name.
        how: A sentence for the user.
        prompt: What is asked, or the text as such; None for lists of messages.
        fields: What is asked with, in order: columns, or keys in one.
        answers: The columns of answers, the first of which is learned.
        columns: Other parts of the layout.
    """

    format: Format
    how: str
    prompt: str | None
    fields: tuple[str, ...]
    answers: tuple[str, ...] = ()
    columns: Mapping[Part, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sight:
    """The columns among which a format is looked for.

    Attributes:
        profiles: All columns of the table.
        samples: Column → some of its values.
        free: Those that may be asked with, in the order of the table.
        asked: The columns of answers that the user named; empty: by their names.
        need_answer: Rows without answers will not do.
        face: What is written.
        source: Where the table comes from, for messages.
    """

    profiles: Mapping[str, Profile]
    samples: Mapping[str, Sequence[Any]]
    free: tuple[str, ...]
    asked: tuple[str, ...]
    need_answer: bool
    face: Face
    source: str

    def first(self, candidates: Sequence[str], kinds: Sequence[str], without: Sequence[str] = ()) -> str | None:
        """The column that is called like the first of the candidates that any is called like."""
        known = {names.normal(name): name for name in self.free if name not in (*self.asked, *without)}
        fitting = (known[name] for name in candidates if name in known)
        return next((name for name in fitting if self.profiles[name].kind in kinds), None)

    def answer(self, candidates: Sequence[str], without: Sequence[str]) -> tuple[str, ...] | None:
        """The columns of answers; none where none are needed, None where they are and there is none."""
        if self.asked:
            return self.asked
        known = {names.normal(name): name for name in self.profiles if name not in without}
        found = next((known[name] for name in candidates if name in known and self.writes(known[name])), None)
        return (found,) if found is not None else None if self.need_answer else ()

    def writes(self, name: str) -> bool:
        """Whether a column can hold answers."""
        return self.profiles[name].kind in (*_WRITTEN, "nested")

    def texts(self, name: str) -> list[str]:
        """Some values of a field as a prompt has them."""
        place = field_of(name, tuple(self.profiles))
        assert place is not None
        found = (as_text(place.value({place.column: value})) for value in self.samples[place.column])
        return [text for text in found if text]

    def prompt(self, face: Face, fields: Sequence[str], answers: Sequence[str]) -> str:
        """What is asked where the user has not said it."""
        said = [text for name in answers[:1] for text in self.texts(name)]
        language = _language(answers[0].rpartition(".")[2]) if answers else None
        return default_prompt(face, fields, self.texts(fields[-1]), said, language)

    def holds_messages(self, name: str) -> bool:
        """Whether most values of a column are lists of messages; the others are told later, row by row."""
        values = [value for value in self.samples[name] if value != []]
        found = [value for value in values if holds_messages(value) or any(map(is_message, listed(value) or ()))]
        return len(found) * 2 > len(values)


Finder = Callable[[Sight], Found | None]


def of_messages(sight: Sight) -> Found | None:
    """Lists of messages in one column."""
    if sight.asked:
        return None
    kinds = {name: sight.profiles[name].kind for name in sight.free}
    found = [name for name in sight.free if kinds[name] in ("nested", "text") and sight.holds_messages(name)]
    known = {names.normal(name): name for name in found}
    if called_so := [known[name] for name in names.MESSAGES_NAMES if name in known]:
        found = called_so[:1]
    prompts = {*names.PROMPT_NAMES, *names.COMPLETION_NAMES, *names.HISTORY_NAMES}
    found = [name for name in found if names.normal(name) not in prompts]
    if len(found) > 1:
        raise UserError(
            f"{len(found)} columns hold lists of messages: {', '.join(map(repr, found))}",
            where=sight.source,
            fix="name the one you mean with --text NAME",
        )
    if not found:
        return None
    spelled = _spellings(sight.samples[found[0]])
    of_sharegpt = any(key == "from" for key, _ in spelled)
    shown = ", ".join(dict.fromkeys(role for _, role in spelled))
    kind = "ShareGPT's lists of messages" if of_sharegpt else "lists of messages"
    return Found(
        "sharegpt" if of_sharegpt else "messages",
        f"conversations: {found[0]!r} ({kind}; {shown})",
        None,
        tuple(found),
        columns={"messages": found[0]},
    )


def of_alpaca(sight: Sight) -> Found | None:
    """An instruction, what it is applied to, and the answer."""
    instruction = sight.first(names.INSTRUCTION_NAMES, _WRITTEN)
    if instruction is None:
        return None
    more = sight.first(names.INPUT_NAMES, (*_WRITTEN, "empty"), (instruction,))
    fields = (instruction, more) if more else (instruction,)
    answers = sight.answer(names.COMPLETION_NAMES, fields)
    if answers is None:
        return None
    prompt = "\n".join(f"{{{name}}}" for name in fields)
    return Found("alpaca", _told("alpaca", fields, answers), prompt, fields, answers)


def of_questions(sight: Sight) -> Found | None:
    """A question, the text to answer it from, and the answer; of questions to be answered the text may be missing."""
    question = sight.first(names.QUESTION_NAMES, _WRITTEN)
    if question is None:
        return None
    context = sight.first(names.CONTEXT_NAMES, (*_WRITTEN, "nested"), (question,))
    if context is None and sight.face != "generative-qa":
        return None
    fields = (context, question) if context else (question,)
    answers = sight.answer(names.ANSWER_NAMES, fields)
    if answers is None:
        return None
    prompt = sight.prompt("generative-qa", fields, answers)
    return Found("question-answer", _told("questions and answers", fields, answers), prompt, fields, answers)


def of_summaries(sight: Sight) -> Found | None:
    """A document and its summary, or several that are all acceptable."""
    wanted = sight.face == "summarization"
    loose = frozenset() if wanted else _LOOSE_SUMMARIES
    answers = sight.asked
    if not answers:
        free = [profile for profile in sight.profiles.values() if profile.kind in ("text", "nested")]
        candidates = [name for name in names.SUMMARY_NAMES if name not in loose]
        answers = called(free, candidates, parts=wanted)
    if not answers and (sight.need_answer or not wanted):
        return None
    if not wanted and not all(_called_summary(name) for name in answers):
        return None
    rest = [sight.profiles[name] for name in sight.free if name not in answers]
    documents = called([profile for profile in rest if profile.kind == "text"], names.DOCUMENT_NAMES)[:1]
    if not documents:
        return None
    prompt = sight.prompt("summarization", documents, answers)
    return Found("summary", _told("documents and summaries", documents, answers), prompt, documents, answers)


def of_translations(sight: Sight) -> Found | None:
    """A text and its translation: by their names, by the languages they are called after, or as the hub has them."""
    known = {names.normal(name): name for name in sight.free if sight.profiles[name].kind in ("text", "nested")}
    fields, answers = _translated(sight, known)
    if not fields:
        return None
    if sight.asked:
        answers = sight.asked
    if not answers and sight.need_answer:
        return None
    prompt = sight.prompt("translation", fields, answers)
    return Found("translation", _told("texts and translations", fields, answers), prompt, fields, answers)


def of_prompts(sight: Sight) -> Found | None:
    """A prompt and its completion, as texts or as lists of messages."""
    prompt = sight.first(names.PROMPT_NAMES, (*_WRITTEN, "nested"))
    if prompt is None:
        return None
    answers = sight.answer(names.COMPLETION_NAMES, (prompt,))
    if answers is None:
        return None
    told = _told("prompts and completions", (prompt,), answers)
    return Found("prompt-completion", told, f"{{{prompt}}}", (prompt,), answers)


def of_texts(sight: Sight) -> Found | None:
    """Texts as such."""
    text = sight.first(sorted(names.PLAIN_TEXT_NAMES), ("text",))
    if text is None or sight.asked:
        return None
    told = f"text: {text!r} (plain text, learned as it stands, without a chat template)"
    return Found("text", told, f"{{{text}}}", (text,))


ORDER: Mapping[Face, tuple[Finder, ...]] = {
    "chat": (of_messages, of_alpaca, of_questions, of_translations, of_summaries, of_prompts, of_texts),
    "summarization": (of_summaries, of_messages, of_alpaca, of_prompts),
    "translation": (of_translations, of_messages, of_alpaca, of_prompts),
    "generative-qa": (of_questions, of_messages, of_alpaca, of_prompts),
    "text": (of_texts,),
}
"""Which formats are looked for, in this order."""


def _told(what: str, fields: Sequence[str], answers: Sequence[str]) -> str:
    said = f"; answer: {', '.join(map(repr, answers))}" if answers else ""
    return f"{what}, by their names: {' and '.join(map(repr, fields))}{said}"


def _called_summary(name: str) -> bool:
    plain = names.normal(name)
    return any(plain.startswith(known) for known in names.SUMMARY_NAMES if known not in _LOOSE_SUMMARIES)


def _spellings(values: Sequence[Any]) -> list[tuple[str, str]]:
    """The key and the word by which the messages say who speaks, in the order in which they are met."""
    found: dict[tuple[str, str], None] = {}
    for value in values:
        for item in listed(value) or ():
            key = next((key for key in ROLE_KEYS if isinstance(item, dict) and isinstance(item.get(key), str)), None)
            if key is not None:
                found.setdefault((key, item[key]))
    return list(found)[:8]


def _translated(sight: Sight, known: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The text and its translation, as fields; nothing where there are none."""
    every = {names.normal(name): name for name in sight.profiles if sight.writes(name)}
    for source, target in names.TRANSLATION_NAMES:
        if source in known and (target in every or sight.asked) and known[source] not in sight.asked:
            return (known[source],), (every[target],) if target in every else ()
    languages = [name for name in known.values() if _language(name) and name not in sight.asked]
    # Beside a column that was named as the text there are others that were not.
    languages += [name for name in every.values() if _language(name) and name not in (*sight.free, *sight.asked)]
    if len(languages) == 2 or (len(languages) == 1 and len(sight.asked) == 1 and _language(sight.asked[0])):
        return (languages[0],), tuple(languages[1:])
    if not sight.asked:
        for name in known.values():
            values = sight.samples[name]
            if sight.profiles[name].kind == "nested" and values and all(map(_by_language, values)):
                first, second = (f"{name}.{key}" for key in list(values[0])[:2])
                return (first,), (second,)
    return (), ()


def _language(name: str) -> str | None:
    """The language that a column is called after: ``en``, ``zh-CN``, ``English``, ``中文``."""
    plain = names.normal(name).replace("_", "-")
    if names.is_identifier(plain):
        # Rows are numbered more often than Indonesian is translated.
        return None
    code = plain.partition("-")[0]
    return code if code in _CODES else _LANGUAGES.get(plain)


def _by_language(value: object) -> bool:
    """Whether it is an object of two texts, each under its language."""
    return isinstance(value, dict) and len(value) == 2 and all(map(_language, value))
