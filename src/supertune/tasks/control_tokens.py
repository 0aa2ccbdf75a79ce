"""Control tokens: what a template writes as one token stays one, and what a person typed never becomes one.

A person may type ``<|im_end|>``. Tokenised as it stands, it would end their turn. So what people spell is marked while
a template writes it (`ControlTokens.typed`), and such rows go through a second tokenizer, which knows control tokens
under secret names of equal length (`careful_tokenizer`): the template's are written so, and typed ones are text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from supertune.conversations import Conversation, ToolCall

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
"""Put around what was typed while a template writes the text: Unicode promises that they are no characters."""
_SECRET = 0x100000
"""The first of the private characters that secret names are made of: the last plane, which hardly any font uses."""
_PLAIN = re.compile(f"[{_OPEN}{_CLOSE}{chr(_SECRET)}-{chr(0x10FFFD)}]")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
"""A piece for a byte, by which characters are written that the vocabulary does not hold; it steers nothing."""


@dataclass(frozen=True)
class ControlTokens:
    """The tokens that steer a model, and where they are spelled.

    Attributes:
        ids: Content → id of every control token: those that are special, and added ones that the template writes.
        special: Contents of those that are special.
        names: Content → its secret name.
    """

    ids: Mapping[str, int]
    special: frozenset[str]
    names: Mapping[str, str]
    _any: re.Pattern[str]
    _special: re.Pattern[str]

    def spelled_in(self, conversation: Conversation) -> bool:
        """Whether somebody's text spells a control token, or holds characters that secret names are made of."""
        # No token holds the character in between.
        text = "\0".join(_texts(conversation))
        return self._any.search(text) is not None or _has_secret(text)

    def typed(self, conversation: Conversation) -> Conversation:
        """The conversation with marks around every control token that somebody typed.

        What the assistant says may hold added tokens that are not special (``<think>``): it is meant to.
        """
        messages = []
        for message in conversation.messages:
            pattern = self._special if message.role == "assistant" else self._any
            mark = _Marker(pattern)
            calls = tuple(
                ToolCall(mark(call.name), _each(call.arguments, mark), call.id) for call in message.tool_calls
            )
            messages.append(
                replace(
                    message,
                    content=mark(message.content),
                    reasoning=mark(message.reasoning),
                    tool_calls=calls,
                    name=None if message.name is None else mark(message.name),
                )
            )
        mark = _Marker(self._any)
        tools = tuple(_each(tool, mark) for tool in conversation.tools)
        return replace(conversation, messages=tuple(messages), tools=tools)

    def written(self, text: str, begin: int = 0) -> Iterator[tuple[int, int, str]]:
        """Where special tokens stand that nobody typed: (first character, behind the last, content); marks may be in.

        Args:
            text: As a template wrote it.
            begin: The first character to look at; not within a typed token.
        """
        for match in self._special.finditer(text, begin):
            if match.start() == 0 or text[match.start() - 1] != _OPEN:
                yield match.start(), match.end(), match.group()

    def secret(self, text: str, typed: Sequence[tuple[int, int]]) -> str:
        """An unmarked text with the template's tokens under their secret names; ``typed`` is what people spelled."""
        parts, reached, next_typed = [], 0, 0
        for match in self._any.finditer(text):
            while next_typed < len(typed) and typed[next_typed][1] <= match.start():
                next_typed += 1
            if next_typed < len(typed) and typed[next_typed][0] < match.end():
                continue
            parts += [text[reached : match.start()], self.names[match.group()]]
            reached = match.end()
        return "".join([*parts, text[reached:]])


_TYPED = re.compile(f"{_OPEN}[^{_CLOSE}]*{_CLOSE}")


@dataclass(frozen=True)
class Unmarked:
    """A text without marks.

    Attributes:
        text: It.
        typed: First character and behind the last of each control token that somebody typed.
        marks: Places of the marks in the text that had them, in order.
    """

    text: str
    typed: tuple[tuple[int, int], ...]
    marks: tuple[int, ...]

    def place(self, marked: int) -> int:
        """Where a place of the marked text is in this one."""
        return marked - bisect_left(self.marks, marked)


def unmarked(text: str) -> Unmarked:
    """Take the marks out of a rendered text, and say where they were."""
    if _OPEN not in text and _CLOSE not in text:
        return Unmarked(text, (), ())
    marks = tuple(match.start() for match in re.finditer(f"[{_OPEN}{_CLOSE}]", text))
    found = Unmarked(re.sub(f"[{_OPEN}{_CLOSE}]", "", text), (), marks)
    typed = tuple((found.place(match.start()), found.place(match.end())) for match in _TYPED.finditer(text))
    return replace(found, typed=typed)


def control_tokens(tokenizer: PreTrainedTokenizerBase, templates: Iterable[str] = ()) -> ControlTokens:
    """The control tokens of a tokenizer: special ones, and added ones that a template writes, but no white space."""
    literal = "\0".join(templates)
    ids, special = {}, set()
    for token_id, token in tokenizer.added_tokens_decoder.items():
        if token.content.isspace() or not token.content or _BYTE.fullmatch(token.content):
            continue
        if token.special or token.content in literal:
            ids[token.content] = token_id
        if token.special:
            special.add(token.content)
    return ControlTokens(ids, frozenset(special), secret_names(ids), _pattern(ids), _pattern(special))


def holds_secrets(conversation: Conversation) -> bool:
    """Whether a text holds characters that are needed to tell the template's tokens from typed ones."""
    return any(map(_has_secret, _texts(conversation)))


def _has_secret(text: str) -> bool:
    return not text.isascii() and _PLAIN.search(text) is not None


def secret_names(ids: Mapping[str, int]) -> dict[str, str]:
    """Control token → its secret name: as many characters, all the same, a character of its own."""
    return {content: chr(_SECRET + index) * len(content) for index, content in enumerate(sorted(ids))}


def careful_tokenizer(raw: Tokenizer, ids: Mapping[str, int]) -> Tokenizer:
    """A tokenizer that gives the same ids, and knows control tokens by their secret names alone.

    What they are usually called is ordinary text to it, also where a vocabulary holds it as a piece of its own, as
    those of Unigram models do.

    Raises:
        ValueError: A token got another id: the tokenizer is of a form that is not known here.
    """
    from tokenizers import Tokenizer

    names = secret_names(ids)
    content = json.loads(raw.to_str())
    for token in content["added_tokens"]:
        if token["content"] in names:
            token.update(content=names[token["content"]], normalized=False)
    content.update(post_processor=None, truncation=None, padding=None)
    _rename(content["model"], names)
    careful = Tokenizer.from_str(json.dumps(content))
    for token, token_id in ids.items():
        if careful.token_to_id(names[token]) != token_id:
            raise ValueError(f"the control token {token!r} cannot be renamed in this tokenizer")
    return careful


def _rename(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Give control tokens that are pieces of the vocabulary their secret names, so that no text spells them."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, list):
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    elif isinstance(vocabulary, dict):
        model["vocab"] = {names.get(piece, piece): number for piece, number in vocabulary.items()}
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if not _makes(merge, names)]


def _makes(merge: str | list[str], names: Mapping[str, str]) -> bool:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    return "".join(parts) in names or any(part in names for part in parts)


class _Marker:
    """Puts marks around what a pattern finds, in any text it is called with."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda match: f"{_OPEN}{match.group()}{_CLOSE}", text)


def _each(value: Any, mark: _Marker) -> Any:
    """A value of JSON with marks in all its texts, names of entries included."""
    if isinstance(value, str):
        return mark(value)
    if isinstance(value, Mapping):
        return {mark(str(key)): _each(item, mark) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each(item, mark) for item in value]
    return value


def _texts(conversation: Conversation) -> Iterator[str]:
    """Every text that somebody gave, those in tools and calls as well."""
    for message in conversation.messages:
        yield message.content
        if message.reasoning:
            yield message.reasoning
        if message.name is not None:
            yield message.name
        for call in message.tool_calls:
            yield call.name
            yield from _strings(call.arguments)
    for tool in conversation.tools:
        yield from _strings(tool)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _pattern(contents: Iterable[str]) -> re.Pattern[str]:
    """Finds the longest of some texts at the first place where one stands, as tokenizers do; nothing of none.

    Written as a tree by common beginnings: some models have 6,000 of them. In order, so that the same ones are written
    alike, and understood once.
    """
    tree: dict[str, Any] = {}
    for content in sorted(contents):
        branch = tree
        for character in content:
            branch = branch.setdefault(character, {})
        branch[""] = {}
    return re.compile(_branches(tree) if tree else "(?!)")


def _branches(tree: Mapping[str, Any]) -> str:
    ways = [re.escape(character) + _branches(branch) for character, branch in tree.items() if character]
    if not ways:
        return ""
    joined = ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"
    return f"(?:{joined})?" if "" in tree else joined
