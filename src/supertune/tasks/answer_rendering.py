"""Conversations for encoder–decoders: the encoder reads what is asked, and the decoder writes the answer.

Every answer is an item of its own, with all that was said before it to read. Nothing of what is read can be learned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from supertune.conversations import Conversation, Message
from supertune.errors import UserError
from supertune.tasks.chat_template import HEADINGS_NAME, ChatTemplate, adopt_template
from supertune.tasks.control_tokens import ControlTokens
from supertune.tasks.loss_spans import RowProblemError, Span
from supertune.tasks.rendering import Rendered, Renderer, RenderingSettings, learned_messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TEMPLATE = """
{%- set asked = messages if add_generation_prompt or messages[-1].role != 'assistant' else messages[:-1] %}
{{- BEFORE }}
{%- if ALONE and asked | length == 1 and asked[0].role == 'user' and not tools %}
    {{- asked[0].content }}
{%- else %}
    {%- if tools %}
        {{- '### Tools:\\n' }}
        {%- for tool in tools %}
            {{- (tool | tojson) + '\\n' }}
        {%- endfor %}
        {{- 'A call is written as <tool_call>{"name": ..., "arguments": ...}</tool_call>.\\n\\n' }}
    {%- endif %}
    {%- for message in asked %}
        {%- set who = {'assistant': 'Assistant', 'tool': 'Tool', 'system': 'System'}.get(message.role, 'User') %}
        {{- '### ' + who + (' ' + message.name if message.role == 'tool' and message.name else '') + ':\\n' }}
        {{- said(message) }}
        {{- '' if loop.last else '\\n\\n' }}
    {%- endfor %}
{%- endif %}
{{- AFTER }}
{%- if asked | length < messages | length %}
    {{- said(messages[-1]) + eos_token }}
{%- endif %}
""".lstrip()
_SAID = """
{%- macro said(message) %}
    {%- if message.reasoning_content %}
        {{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
    {%- endif %}
    {{- message.content or '' }}
    {%- for call in message.tool_calls or [] %}
        {{- '\\n' if message.content or not loop.first else '' }}
        {{- '<tool_call>{"name": ' + (call.function.name | tojson) }}
        {{- ', "arguments": ' + (call.function.arguments | tojson) + '}</tool_call>' }}
    {%- endfor %}
{%- endmacro %}
""".lstrip()


@dataclass(frozen=True)
class _Frame:
    """The tokens that a tokenizer puts around a text."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def single(self) -> tuple[str, str]:
        """Those that stand alone on their side."""
        return (
            self.before[0] if len(self.before) == 1 else "",
            self.after[0] if len(self.after) == 1 else "",
        )


@dataclass
class AnswerRenderer:
    """Writes conversations for a model that reads with one part and writes with another.

    Args:
        tokenizer: As `adopt_answer_template` left it.
        template: What that gave.
        settings: What is learned: ``answers`` or ``last``.

    Raises:
        UserError: More is to be learned than what is written.
    """

    tokenizer: PreTrainedTokenizerBase
    template: ChatTemplate
    settings: RenderingSettings

    encoder_decoder = True

    def __post_init__(self) -> None:
        if self.settings.learn not in ("answers", "last"):
            raise UserError(
                f"{self.settings.learn!r} cannot be learned by an encoder-decoder: what is asked is only read by its "
                "encoder, and its decoder writes the answer alone",
                where="task.learn",
                fix="set it to answers or last, or choose a decoder such as gemma-270m",
            )
        self._inner = Renderer(self.tokenizer, self.template, replace(self.settings, learn="answers"))
        self._written = _frame(self.tokenizer, written=True)
        ours = self.template.text in (_template(self.tokenizer, alone=alone) for alone in (True, False))
        # Beside the text and not in it: a tokenizer that begins every text with a space does so there.
        self._surrounds = _frame(self.tokenizer).single if ours else ("", "")

    @property
    def control(self) -> ControlTokens:
        """The tokenizer's control tokens."""
        return self._inner.control

    def unlearned(self, conversation: Conversation) -> Rendered:
        """See `Renderer.unlearned`."""
        return self._inner.unlearned(conversation)

    @property
    def identity(self) -> list[object]:
        """See `Renderer.identity`."""
        settings = [self.settings.learn, list(self._written.before), list(self._surrounds)]
        return ["encoder-decoder", *self._inner.identity, *settings]

    def render(self, conversation: Conversation) -> list[Rendered]:
        """An item for every answer that is learned, each with what is read before.

        Raises:
            RowProblemError: It cannot be learned as it is.
        """
        learned = {} if conversation.plain else learned_messages(conversation.messages, self.settings.learn)
        if not learned:
            raise RowProblemError("unanswered", "no message of it is to be learned: it has no answer")
        messages, found = conversation.messages, []
        for index in learned:
            if messages[index].role != "assistant" or not index:
                what = "an answer to nothing" if not index else f"a message of the {messages[index].role}"
                raise RowProblemError("asked", f"{what} is to be learned, which an encoder-decoder cannot write")
            before = tuple(replace(each, train=False) for each in messages[:index])
            answer = replace(messages[index], train=True)
            (item,) = self._inner.render(replace(conversation, messages=(*before, answer)))
            found.append(self._apart(item, self.prompt(replace(conversation, messages=before))))
        return found

    def prompt(self, conversation: Conversation) -> Rendered:
        """What the encoder reads.

        Raises:
            RowProblemError: The template refuses the messages.
        """
        if conversation.plain:
            asked = tuple(Message("user", message.content) for message in conversation.messages)
            conversation = replace(conversation, messages=asked, plain=False)
        return replace(self._inner.prompt(conversation), surrounds=self._surrounds)

    def _apart(self, item: Rendered, asked: Rendered) -> Rendered:
        """What is written, from the end of what is asked to the token that ends the answer."""
        if not item.text.startswith(asked.text):
            raise RowProblemError("prompt", "the template asks for an answer otherwise than it writes one")
        first = self._written.single[0]
        begin, end, shift = len(asked.text), max(span.end for span in item.spans), len(first) - len(asked.text)
        spans = [Span(max(each.begin, begin) + shift, each.end + shift, each.weight) for each in item.spans]
        if first:
            # The decoder writes it as well; nothing but an answer's reasoning may stand between.
            spans.insert(0, Span(0, len(first), spans[0].weight))
        return replace(
            item,
            text=first + item.text[begin:end],
            spans=tuple(spans),
            typed=tuple((one + shift, other + shift) for one, other in item.typed if one >= begin and other <= end),
            surrounds=(first, ""),
            reading=asked,
        )


def adopt_answer_template(
    tokenizer: PreTrainedTokenizerBase, chosen: str | None = None, options: Mapping[str, Any] | None = None
) -> ChatTemplate:
    """Settle how an encoder is asked, and put it into the tokenizer, to be saved with it; see `adopt_template`.

    A tokenizer without a template reads what is asked as the plain text that it is, with the tokens around it that the
    tokenizer puts around every text. Where more was said than one question, headings say who said what.

    Raises:
        UserError: As there; or the tokenizer writes several languages and does not say into which.
    """
    _check_languages(tokenizer)
    if chosen == HEADINGS_NAME or (chosen is None and not tokenizer.chat_template):
        if tokenizer.eos_token is None:
            raise UserError(
                "the tokenizer has no token that ends a text (eos_token): a model could not learn where an answer ends",
                fix="give the tokenizer an eos_token in its tokenizer_config.json, or take another model",
            )
        alone = chosen is None
        adopted = adopt_template(tokenizer, _template(tokenizer, alone=alone), options)
        told = "the encoder reads what is asked as plain text" if alone else "as asked for: headings say who says what"
        return replace(adopted, announcements=(*adopted.announcements, told))
    return adopt_template(tokenizer, chosen, options)


def _template(tokenizer: PreTrainedTokenizerBase, *, alone: bool) -> str:
    """Ours, as Jinja text."""
    around = _frame(tokenizer)
    values = {"BEFORE": "".join(around.before), "AFTER": "".join(around.after)}
    text = _TEMPLATE.replace("ALONE", "true" if alone else "false")
    for name, value in values.items():
        text = text.replace(name, json.dumps(value, ensure_ascii=False))
    return _SAID + text


def _frame(tokenizer: Any, *, written: bool = False) -> _Frame:
    """What the tokenizer puts around a text that is read, or one that is written (some name its language there)."""
    ids = list(tokenizer(text_target="a")["input_ids"] if written else tokenizer("a")["input_ids"])
    inner = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    at = next((at for at in range(len(ids)) if ids[at : at + len(inner)] == inner), 0)
    before, after = ids[:at], ids[at + len(inner) :]
    return _Frame(tuple(tokenizer.convert_ids_to_tokens(before)), tuple(tokenizer.convert_ids_to_tokens(after)))


def _check_languages(tokenizer: Any) -> None:
    if hasattr(tokenizer, "set_tgt_lang_special_tokens") and tokenizer.tgt_lang is None:
        raise UserError(
            "has a tokenizer of several languages that does not say which one is written",
            where=tokenizer.name_or_path or None,
            fix='name them in its tokenizer_config.json, e.g. "src_lang": "en_XX", "tgt_lang": "zh_CN"',
        )
