"""Chat templates: how a conversation is written as one text.

The tokenizer's own Jinja template is used, and ours where it has none. What is used is put into the tokenizer, so that
it is saved with it and whoever serves the model writes what it was trained on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from supertune.conversations import Message
from supertune.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HEADINGS = """
{%- if tools %}
    {{- '### Tools:\\n' }}
    {%- for tool in tools %}
        {{- (tool | tojson) + '\\n' }}
    {%- endfor %}
    {{- 'A call is written as <tool_call>{"name": ..., "arguments": ...}</tool_call>.\\n\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '### Assistant:\\n' }}
        {%- if message.reasoning_content %}
            {{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- message.content or '' }}
        {%- for call in message.tool_calls or [] %}
            {{- '\\n' if message.content or not loop.first else '' }}
            {{- '<tool_call>{"name": ' + (call.function.name | tojson) }}
            {{- ', "arguments": ' + (call.function.arguments | tojson) + '}</tool_call>' }}
        {%- endfor %}
        {{- eos_token + '\\n\\n' }}
    {%- elif message.role == 'tool' %}
        {{- '### Tool' + (' ' + message.name if message.name else '') + ':\\n' + message.content + '\\n\\n' }}
    {%- else %}
        {{- '### ' + ('System' if message.role == 'system' else 'User') + ':\\n' + message.content + '\\n\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '### Assistant:\\n' }}
{%- endif %}
""".lstrip()
"""The template of models that have none: headings in plain text, which every model can read, and after each answer the
token that ends texts, which every decoder knows: the vocabulary stays as it is, and so do contents."""

_ASKED = "{{- '### Assistant:\\n' }}\n{%- endif %}"
HEADINGS_OF_WORDS = HEADINGS.replace(_ASKED, _ASKED.replace("\\n", ""))
"""The same for tokenizers to which a line break is a space, which they count to the word behind it: the prompt ends
before it, so that an answer's first word is a token of its own."""

HEADINGS_NAME = "headings"
"""What a user types to have it although the model has a template."""

_JINJA = re.compile(r"\{[{%#]")
_OPTION = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
_NOT_OPTIONS = frozenset({"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token"})


class RefusedByTemplateError(Exception):
    """The template refuses a conversation; the text is its reason."""


@dataclass(frozen=True)
class ChatTemplate:
    """How conversations are written.

    Attributes:
        text: The Jinja text for conversations without tools.
        with_tools: That for conversations with tools.
        variables: What templates read besides the messages: special tokens by their names (``bos_token``).
        announcements: What was chosen and changed, one sentence each, for the user to read.
    """

    text: str
    with_tools: str
    variables: Mapping[str, Any]
    announcements: tuple[str, ...] = ()

    def render(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = (), *, prompt: bool = False
    ) -> str:
        """The conversation as a text, with what an answer begins with behind it if ``prompt``.

        Args:
            messages: As from `as_dict`.
            tools: JSON schemas.
            prompt: Whether the model is to answer next.

        Raises:
            RefusedByTemplateError: The template does not take these messages.
        """
        import jinja2

        try:
            text: str = self._compiled(tools).render(**self._variables(messages, tools, prompt=prompt))
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise RefusedByTemplateError(_reason(error)) from error
        return text

    def marked(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[str, list[tuple[int, int]]]:
        """The text, and where in it the template's own ``{% generation %}`` blocks begin and end, in characters.

        Raises:
            RefusedByTemplateError: As `render`.
        """
        import jinja2

        compiled = self._compiled(tools)
        pieces: list[str] = []
        marks: list[tuple[int, int]] = []
        try:
            with compiled.environment.activate_tracker(pieces, marks):
                # One by one: where a block begins is counted from the pieces that are already there.
                for piece in compiled.generate(**self._variables(messages, tools, prompt=False)):
                    pieces.append(piece)
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise RefusedByTemplateError(_reason(error)) from error
        return "".join(pieces), marks

    @property
    def has_marks(self) -> bool:
        """Whether it says by ``{% generation %}`` blocks what the assistant writes."""
        return any(re.search(r"\{%-?\s*generation\b", text) for text in {self.text, self.with_tools})

    @property
    def dated(self) -> bool:
        """Whether it writes today's date, so that the same rows become other tokens tomorrow."""
        return any("strftime_now" in text for text in {self.text, self.with_tools})

    def knows(self, option: str) -> bool:
        """Whether the template reads a variable of this name that it is not given otherwise."""
        return any(option in _read_variables(text) for text in {self.text, self.with_tools})

    def _compiled(self, tools: Sequence[Mapping[str, Any]]) -> Any:
        return _compile(self.with_tools if tools else self.text)

    def _variables(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], *, prompt: bool
    ) -> dict[str, Any]:
        return {
            "messages": messages,
            "tools": list(tools) or None,
            "documents": None,
            "add_generation_prompt": prompt,
            **self.variables,
        }


def headings() -> ChatTemplate:
    """Our own as nothing but words, to show examples to a model that has learned no template."""
    return ChatTemplate(HEADINGS, HEADINGS, {"eos_token": ""})


def as_dict(message: Message, *, reasoning: bool = True) -> dict[str, Any]:
    """A message as templates know it: the form of OpenAI's API, with ``reasoning_content``."""
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if reasoning and message.reasoning.strip():
        found["reasoning_content"] = found["thinking"] = message.reasoning
    if message.tool_calls:
        found["tool_calls"] = [
            {
                "type": "function",
                **({} if call.id is None else {"id": call.id}),
                "function": {"name": call.name, "arguments": plain(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.name is not None:
        found["name"] = message.name
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    return found


def plain(value: Any) -> Any:
    """A value of a row as dictionaries, lists and scalars of JSON: templates of strangers get nothing with methods."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or type(value) in (str, int, float, bool) else str(value)


def adopt_template(
    tokenizer: PreTrainedTokenizerBase, chosen: str | None = None, options: Mapping[str, Any] | None = None
) -> ChatTemplate:
    """Settle by which template conversations are written, and put it into the tokenizer, to be saved with it.

    A tokenizer that puts its ``bos_token`` before every text gets it before conversations too, once: where the template
    does not write it, it is put before the template.

    Args:
        tokenizer: Its ``chat_template`` is replaced by what is used.
        chosen: Jinja text, the name of one of several templates of the tokenizer, or ``headings`` for our own. None for
            the tokenizer's own, or ours where it has none.
        options: Variables of the template (``enable_thinking``), written into it as what holds unless said otherwise.

    Raises:
        UserError: There is no such template, it is no Jinja, the tokenizer has no token that ends a text, or an option
            is none that the template reads.
    """
    templates, said = _chosen(tokenizer, chosen)
    variables = {key: value for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    announcements = [said] if said else []
    for name, text in templates.items():
        _check(text, name)
    known = set().union(*(_read_variables(text) for text in templates.values()))
    given = dict(options or {})
    for name, value in given.items():
        if not (value is None or isinstance(value, (bool, int, float, str))):
            raise UserError(
                f"{value!r} is no value for the template's variable {name!r}",
                where="task.template_options",
                fix="give text, a number, or true or false",
            )
        if name in _NOT_OPTIONS or not _OPTION.fullmatch(name) or name not in known:
            offered = ", ".join(sorted(known - _NOT_OPTIONS - _library_names())) or "none"
            raise UserError(
                f"the chat template reads no variable {name!r}",
                where="task.template_options",
                fix=f"leave it out; what it reads besides the messages: {offered}",
            )
    for name, text in templates.items():
        templates[name] = _with_options(text, given)
    if _adds_bos(tokenizer) and not _writes_bos(ChatTemplate(*_both(templates), variables)):
        for name, text in templates.items():
            templates[name] = "{{- bos_token }}" + text
        announcements.append(
            f"the template does not write {tokenizer.bos_token}, which the tokenizer puts before texts: it does now"
        )
    tokenizer.chat_template = templates["default"] if len(templates) == 1 else dict(templates)
    adopted = ChatTemplate(*_both(templates), variables, tuple(announcements))
    if adopted.dated:
        note = "the template writes today's date: the same rows become other tokens tomorrow"
        adopted = ChatTemplate(*_both(templates), variables, (*announcements, note))
    return adopted


def _chosen(tokenizer: PreTrainedTokenizerBase, chosen: str | None) -> tuple[dict[str, str], str | None]:
    """Name → text of the templates to be used, ``default`` among them, and what is to be told."""
    own = tokenizer.chat_template
    named: dict[str, str] = dict(own) if isinstance(own, Mapping) else {"default": own} if own else {}
    if chosen is not None and _JINJA.search(chosen):
        return {"default": chosen}, None
    if chosen is not None and chosen in named:
        return {"default": named[chosen]}, f"the model's template {chosen!r} is used, and saved as its only one"
    if chosen == HEADINGS_NAME or (chosen is None and not named):
        if tokenizer.eos_token is None:
            raise UserError(
                "the tokenizer has no token that ends a text (eos_token): a model could not learn where an answer ends",
                fix="give the tokenizer an eos_token in its tokenizer_config.json, or take another model",
            )
        why = "the model has no chat template" if not named else "as asked for"
        headings = HEADINGS_OF_WORDS if _breaks_are_spaces(tokenizer) else HEADINGS
        return {"default": headings}, f"{why}: conversations are written with headings (### User:, ### Assistant:)"
    if chosen is not None:
        raise UserError(
            f"there is no chat template {chosen!r}",
            where="task.template",
            fix=f"name one of {', '.join(sorted({*named, HEADINGS_NAME}))}, or a file of Jinja text",
        )
    if "default" not in named:
        raise UserError(
            f"the model has several chat templates ({', '.join(sorted(named))}) and none by default",
            where="task.template",
            fix="name one of them",
        )
    return {name: text for name, text in named.items() if name in ("default", "tool_use")}, None


def _both(templates: Mapping[str, str]) -> tuple[str, str]:
    return templates["default"], templates.get("tool_use", templates["default"])


def _check(text: str, name: str) -> None:
    import jinja2

    try:
        _compile(text)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(
            f"the chat template {name!r} is no Jinja: {error.message} (its line {error.lineno})",
            where="task.template",
            fix="repair it, or leave task.template out",
        ) from error


def _with_options(text: str, options: Mapping[str, Any]) -> str:
    """The template with values for some of its variables, which hold where whoever renders it says nothing else."""
    lines = []
    for name, value in options.items():
        constant = "none" if value is None else json.dumps(value, ensure_ascii=False)
        lines.append(f"{{%- if {name} is not defined %}}{{%- set {name} = {constant} %}}{{%- endif %}}")
    return "".join(lines) + text


def _breaks_are_spaces(tokenizer: PreTrainedTokenizerBase) -> bool:
    broken, spaced = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("a\nb", "a b"))
    return bool(broken == spaced)


def _adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    if tokenizer.bos_token_id is None:
        return False
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and ids[0] == tokenizer.bos_token_id


def _writes_bos(template: ChatTemplate) -> bool:
    """Whether conversations begin with ``bos_token``; one that the template refuses says nothing."""
    question = {"role": "user", "content": "a"}
    for messages in ([question], [question, {"role": "assistant", "content": "a"}]):
        try:
            return template.render(messages, prompt=True).lstrip().startswith(str(template.variables["bos_token"]))
        except RefusedByTemplateError:
            continue
    return True


_OF_DICTIONARIES = frozenset(dir(dict))


@lru_cache(maxsize=64)
def _compile(text: str) -> Any:
    # The public function converts and copies each conversation anew, which takes as long as rendering a short one.
    from transformers.utils.chat_template_utils import _compile_jinja_template

    # One of our own: what is kept there is the library's.
    compiled = getattr(_compile_jinja_template, "__wrapped__", _compile_jinja_template)(text)
    # A chain of mappings is walked at every rendering, and nobody changes it any more.
    compiled.globals = dict(compiled.globals)
    environment, usual = compiled.environment, compiled.environment.getattr

    def entry_or_attribute(value: Any, name: str) -> Any:
        # As Jinja does, which first looks for an attribute, in vain: messages are dictionaries.
        if type(value) is dict and name in value and name not in _OF_DICTIONARIES:
            return value[name]
        return usual(value, name)

    environment.getattr = entry_or_attribute
    return compiled


def _read_variables(text: str) -> frozenset[str]:
    from jinja2 import meta

    return frozenset(meta.find_undeclared_variables(_compile(text).environment.parse(text)))


def _library_names() -> frozenset[str]:
    return frozenset(_compile("").environment.globals)


def _reason(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
