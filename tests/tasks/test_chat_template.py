"""By which template conversations are written, and that it is saved with the tokenizer as it was used."""

from __future__ import annotations

import re
from typing import Any

import jinja2
import pytest

from chat_templates import CHATML, GEMMA, KNOWN, QWEN, Known, chat_tokenizer
from supertune.conversations import Conversation, Message, ToolCall
from supertune.errors import UserError
from supertune.tasks import chat_template
from supertune.tasks.chat_template import HEADINGS, RefusedByTemplateError, adopt_template, as_dict
from supertune.tasks.conversation_tokens import ConversationEncoder, text_pieces
from supertune.tasks.rendering import Renderer
from supertune.tasks.template_probe import probed

ASKED = [{"role": "user", "content": "Hi"}]
TALK = [*ASKED, {"role": "assistant", "content": "Ho\n"}, {"role": "user", "content": " x"}]


def reopened(tokenizer: Any, folder: Any) -> Any:
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(str(folder))
    return AutoTokenizer.from_pretrained(str(folder))


@pytest.mark.parametrize("name", KNOWN)
def test_a_models_own_template_is_used_as_it_is(name):
    tokenizer = chat_tokenizer(KNOWN[name])
    template = adopt_template(tokenizer)
    assert tokenizer.chat_template == KNOWN[name].text
    assert template.announcements == ()
    for prompt in (False, True):
        assert template.render(TALK, prompt=prompt) == tokenizer.apply_chat_template(
            TALK, tokenize=False, add_generation_prompt=prompt
        )


@pytest.mark.parametrize("bos", [None, "<s>"])
def test_a_model_without_a_template_gets_headings_that_are_saved_with_it(bos, tmp_path):
    tokenizer = chat_tokenizer(Known("", ("<s>", "</s>"), (), "</s>", bos, "</s>"), template=False)
    template = adopt_template(tokenizer)
    expected = "### User:\nHi\n\n### Assistant:\nHo\n</s>\n\n### User:\n x\n\n"
    assert template.render(TALK) == (bos or "") + expected
    assert template.render(ASKED, prompt=True) == (bos or "") + "### User:\nHi\n\n### Assistant:\n"
    assert "the model has no chat template" in template.announcements[0]
    served = reopened(tokenizer, tmp_path)
    assert served.apply_chat_template(TALK, tokenize=False) == (bos or "") + expected
    ids = served.apply_chat_template(TALK, return_dict=False)
    assert bos is None or ids.count(served.bos_token_id) == 1


def test_where_a_line_break_is_a_space_the_prompt_ends_before_it_so_that_an_answers_first_word_is_learned():
    from tokenizers import Regex, normalizers

    tokenizer = chat_tokenizer(Known("", ("<s>", "</s>"), (), "</s>", "<s>", "</s>"), "unigram-always", template=False)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex(r"\s"), " ")
    template = adopt_template(tokenizer)
    assert template.render(ASKED, prompt=True) == "<s>### User:\nHi\n\n### Assistant:"
    encoder = ConversationEncoder(Renderer(tokenizer, template), 100)
    row = Conversation((Message("user", "Where"), Message("assistant", "the parcel 包裹")))
    (text,) = encoder.renderer.render(row)
    (tokens,) = encoder.tokens([text])
    learned = "".join(piece for piece, weight, _ in text_pieces(text, tokens) if weight)
    assert learned == "\nthe parcel 包裹</s>"
    assert probed(encoder, [row]).seams == 0


def test_the_headings_write_tools_calls_and_reasoning():
    tokenizer = chat_tokenizer(Known("", ("<s>", "</s>"), (), "</s>", None, "</s>"), template=False)
    messages = (
        Message("system", "Be kind."),
        Message("user", "天气？"),
        Message("assistant", "", reasoning="问一下", tool_calls=(ToolCall("f", {"城市": "<北京>"}), ToolCall("g", {}))),
        Message("tool", "晴", name="f"),
        Message("assistant", "So", tool_calls=(ToolCall("f", {}),)),
    )
    tool = {"name": "f"}
    assert adopt_template(tokenizer).render([as_dict(message) for message in messages], [tool]) == (
        '### Tools:\n{"name": "f"}\n'
        'A call is written as <tool_call>{"name": ..., "arguments": ...}</tool_call>.\n\n'
        "### System:\nBe kind.\n\n### User:\n天气？\n\n"
        "### Assistant:\n<think>\n问一下\n</think>\n\n"
        '<tool_call>{"name": "f", "arguments": {"城市": "<北京>"}}</tool_call>\n'
        '<tool_call>{"name": "g", "arguments": {}}</tool_call></s>\n\n'
        "### Tool f:\n晴\n\n"
        '### Assistant:\nSo\n<tool_call>{"name": "f", "arguments": {}}</tool_call></s>\n\n'
    )


def test_a_template_without_bos_gets_it_where_the_tokenizer_puts_it_before_texts(tmp_path):
    tokenizer = chat_tokenizer(KNOWN["llama3"])
    template = adopt_template(tokenizer, CHATML)
    assert template.render(TALK).startswith("<|begin_of_text|><|im_start|>user")
    assert template.announcements == (
        "the template does not write <|begin_of_text|>, which the tokenizer puts before texts: it does now",
    )
    assert reopened(tokenizer, tmp_path).apply_chat_template(TALK, return_dict=False).count(tokenizer.bos_token_id) == 1
    without = chat_tokenizer(KNOWN["chatml"])
    assert not adopt_template(without, CHATML).announcements


def test_named_templates_and_those_for_tools():
    tokenizer = chat_tokenizer(KNOWN["qwen"])
    tokenizer.chat_template = {"default": CHATML, "tool_use": QWEN, "rag": "{{ 1 }}"}
    template = adopt_template(tokenizer)
    assert template.render(ASKED) == "<|im_start|>user\nHi<|im_end|>\n"
    assert template.render(ASKED, [{"name": "f"}]).startswith("<|im_start|>system\n# Tools")
    assert template.render(ASKED, [{"name": "f"}]) == tokenizer.apply_chat_template(
        ASKED, tools=[{"name": "f"}], tokenize=False
    )
    template = adopt_template(tokenizer, "tool_use")
    assert (tokenizer.chat_template, template.with_tools) == (QWEN, QWEN)
    assert "saved as its only one" in template.announcements[0]
    assert adopt_template(tokenizer, "headings").text == HEADINGS


@pytest.mark.parametrize(
    ("value", "constant"),
    [(False, "False"), (None, "None"), (3, "3"), (0.5, "0.5"), ('北京 "x" \n😀', '北京 "x" \n😀')],
)
def test_variables_of_a_template_are_saved_in_it_and_can_still_be_set(value, constant, tmp_path):
    tokenizer = chat_tokenizer(KNOWN["qwen"])
    template = adopt_template(
        tokenizer, "{% for m in messages %}{{ mood }} {{ m.content }}{% endfor %}", {"mood": value}
    )
    assert template.render(ASKED) == f"{constant} Hi"
    served = reopened(tokenizer, tmp_path)
    assert served.apply_chat_template(ASKED, tokenize=False) == f"{constant} Hi"
    assert served.apply_chat_template(ASKED, tokenize=False, mood="good") == "good Hi"


def test_a_template_that_writes_the_date_is_told():
    tokenizer = chat_tokenizer(KNOWN["chatml"])
    dated = CHATML + "{% if false %}{{ strftime_now('%d') }}{% endif %}"
    assert "today's date" in adopt_template(tokenizer, dated).announcements[0]


@pytest.mark.parametrize(
    ("own", "chosen", "options", "what", "fix"),
    [
        (CHATML, "chatty", None, "there is no chat template 'chatty'", "default, headings"),
        ({"a": CHATML, "b": GEMMA}, None, None, "has several chat templates (a, b) and none by default", "name one"),
        (CHATML, "{% for %}", None, "is no Jinja", "repair it"),
        (QWEN, None, {"enable_thought": False}, "reads no variable 'enable_thought'", "enable_thinking"),
        (QWEN, None, {"messages": "x"}, "reads no variable 'messages'", "enable_thinking"),
        (QWEN, None, {"enable_thinking": [1]}, "[1] is no value", "true or false"),
    ],
)
def test_what_cannot_be_used_is_refused(own, chosen, options, what, fix):
    tokenizer = chat_tokenizer(KNOWN["qwen"])
    tokenizer.chat_template = own
    with pytest.raises(UserError) as caught:
        adopt_template(tokenizer, chosen, options)
    assert what in caught.value.what
    assert fix in (caught.value.fix or "")


def test_a_tokenizer_without_an_end_is_refused_where_it_is_needed():
    tokenizer = chat_tokenizer(KNOWN["chatml"], template=False)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="no token that ends a text"):
        adopt_template(tokenizer)


def test_what_a_template_says_when_it_refuses_is_kept():
    template = adopt_template(chat_tokenizer(KNOWN["gemma"]))
    with pytest.raises(RefusedByTemplateError, match="roles must alternate"):
        template.render([*ASKED, *ASKED])
    template = adopt_template(chat_tokenizer(KNOWN["chatml"]), "{{ messages[7].content.x }}")
    with pytest.raises(RefusedByTemplateError, match="has no element 7"):
        template.render(ASKED)


def test_templates_of_strangers_reach_nothing():
    template = adopt_template(chat_tokenizer(KNOWN["chatml"]), "{{ messages.__class__.__mro__ }}")
    with pytest.raises(RefusedByTemplateError, match="unsafe"):
        template.render(ASKED)


@pytest.mark.parametrize("name", ["role", "items", "get", "nothing", "__class__", "keys", "format", "none"])
@pytest.mark.parametrize("value", [{"role": "user", "items": 1, "none": None}, {}, "text", [1], None, 3])
def test_entries_are_found_as_the_library_finds_them(name, value):
    from transformers.utils.chat_template_utils import _compile_jinja_template

    texts = ["{{ m.NAME }}", "{{ m.NAME is defined }}", "{{ m['NAME'] is defined }}", "{{ m.NAME.x is defined }}"]
    for text in (each.replace("NAME", name) for each in texts):
        found = []
        for template in (chat_template._compile(text), _compile_jinja_template(text)):
            try:
                found.append(re.sub("0x[0-9a-f]+", "", template.render(m=value)))
            except jinja2.TemplateError as error:
                found.append(repr(error))
        assert found[0] == found[1]
