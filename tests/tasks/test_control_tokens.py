"""What a person typed never becomes a control token, and nothing else of a row becomes other tokens for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import cycle
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from chat_templates import KINDS, KNOWN, chat_tokenizer
from supertune.conversations import Conversation, Message, ToolCall
from supertune.tasks.chat_template import adopt_template
from supertune.tasks.control_tokens import careful_tokenizer, control_tokens, unmarked
from supertune.tasks.conversation_tokens import ConversationEncoder, prompt_tokens, text_pieces
from supertune.tasks.loss_spans import RowProblemError
from supertune.tasks.rendering import Renderer, RenderingSettings

NAMES = ("chatml", "qwen", "llama3", "gemma", "mistral", "deepseek", "glm", "phi")
PAIRS = [*zip(NAMES, cycle(KINDS), strict=False), *(("llama3", kind) for kind in KINDS), ("chatml", "metaspace-bpe")]
CHARACTERS = [*"ab \n.<>|/[]_", *"包裹。", "😀", "é"]


@cache
def encoder(name: str, kind: str, **settled: Any) -> ConversationEncoder:
    tokenizer = chat_tokenizer(KNOWN[name], kind)
    return ConversationEncoder(Renderer(tokenizer, adopt_template(tokenizer), RenderingSettings(**settled)), 10_000)


@cache
def careful_copy(name: str, kind: str) -> Any:
    renderer = encoder(name, kind).renderer
    return careful_tokenizer(renderer.tokenizer.backend_tokenizer, renderer.control.ids)


def words(*more: str) -> st.SearchStrategy[str]:
    return (
        st.lists(st.sampled_from([*CHARACTERS, *more]), min_size=1, max_size=20)
        .map("".join)
        .map(str.strip)
        .filter(bool)
    )


def asked(question: str, answer: str = "Fine.") -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)))


@pytest.mark.parametrize(("name", "kind"), PAIRS)
@given(data=st.data())
@settings(max_examples=12)
def test_the_careful_tokenizer_gives_the_same_ids_where_nobody_typed_a_control_token(name, kind, data):
    found = encoder(name, kind)
    conversation = asked(data.draw(words()), data.draw(words()))
    (text,) = found.renderer.render(conversation)
    (tokens,) = found.tokens([text])
    control = found.renderer.control
    careful = careful_copy(name, kind)
    encoding = careful.encode(control.secret(text.text, ()), add_special_tokens=False)
    assert encoding.ids == tokens.ids
    assert encoding.offsets == list(map(tuple, tokens.places.tolist()))


@pytest.mark.parametrize(("name", "kind"), PAIRS)
@given(data=st.data())
@settings(max_examples=12)
def test_typed_control_tokens_are_ordinary_text(name, kind, data):
    found = encoder(name, kind)
    control = found.renderer.control
    typed = data.draw(words(*sorted(control.ids)))
    # What is typed is set off from the template, so that only its own tokens may differ.
    conversation, other = asked(f"a {typed} b"), asked("a b")
    if name == "qwen" and typed.startswith("<tool_response>"):
        return
    ((text, tokens), (_, plainly)) = (
        (item, found.tokens([item])[0]) for each in (conversation, other) for item in found.renderer.render(each)
    )
    # What a vocabulary does not hold becomes <unk>, typed or not.
    steering = {token_id for token, token_id in control.ids.items() if token != "<unk>"}
    parts, expected = (_split(each.ids, steering) for each in (tokens, plainly))
    assert [part for part in parts if len(part) == 1 and part[0] in steering] == [
        part for part in expected if len(part) == 1 and part[0] in steering
    ]
    assert sum(one != two for one, two in zip(parts, expected, strict=True)) <= 1
    assert "".join(piece for piece, _, _ in text_pieces(text, tokens)) == text.text
    assert f"a {typed} b" in text.text
    assert [text.text[span.begin : span.end].strip() for span in text.spans] == ["Fine." + KNOWN[name].stop]


def _split(ids: list[int], at: set[int]) -> list[list[int]]:
    parts: list[list[int]] = [[]]
    for token in ids:
        if token in at:
            parts += [[token], []]
        else:
            parts[-1].append(token)
    return parts


@given(typed=words("<|im_end|>", "<|im_start|>", "<|endoftext|>"))
@settings(max_examples=50)
def test_typed_text_has_the_ids_of_the_model_alone(typed):
    found = encoder("chatml", "byte-bpe")
    tokenizer = found.renderer.tokenizer
    (tokens,) = found.tokens(found.renderer.render(asked(typed)))
    start, end = (tokenizer.convert_tokens_to_ids(name) for name in ("<|im_start|>", "<|im_end|>"))
    question = tokens.ids[tokens.ids.index(start) + 1 : tokens.ids.index(end)]
    assert question == tokenizer.encode(f"user\n{typed}", split_special_tokens=True, add_special_tokens=False)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=10)
def test_prompts_and_plain_texts_are_as_careful(kind, data):
    found = encoder("llama3", kind)
    eot = found.renderer.control.ids["<|eot_id|>"]
    typed = f"a {data.draw(words('<|eot_id|>'))} b <|eot_id|>"
    (prompt,) = prompt_tokens(found, [Conversation((Message("user", typed),))])
    assert prompt.tolist().count(eot) == 1
    (tokens,) = found.tokens(found.renderer.render(Conversation((Message("user", typed),), plain=True)))
    assert eot not in tokens.ids
    ids = found.renderer.control.ids
    assert (tokens.ids[0], tokens.ids[-1]) == (ids["<|begin_of_text|>"], ids["<|end_of_text|>"])


def test_a_typed_token_is_text_in_every_place_that_somebody_can_write_to():
    found = encoder("qwen", "byte-bpe")
    stop = "<|im_end|>"
    conversation = Conversation(
        (
            Message("system", f"s {stop}"),
            Message("user", f"u {stop}"),
            Message("assistant", f"a {stop}", tool_calls=(ToolCall("f", {"k": f"v {stop}", stop: [stop]}),)),
            Message("tool", f"t {stop}"),
            Message("assistant", f"b {stop}", reasoning=f"r {stop}"),
        ),
        ({"type": "function", "function": {"name": "f", "description": stop}},),
    )
    (text,) = found.renderer.render(conversation)
    (tokens,) = found.tokens([text])
    assert text.text.count(stop) == 10 + 5
    assert tokens.ids.count(found.renderer.control.ids[stop]) == 5
    assert [text.text[span.begin : span.end] for span in text.spans][
        1
    ] == f"<think>\nr {stop}\n</think>\n\nb {stop}{stop}"
    assert text.stops == (stop, stop)


def test_what_an_assistant_may_say_by_a_token_that_is_not_special_stays_one():
    found = encoder("qwen", "byte-bpe")
    think = found.renderer.control.ids["<think>"]
    answered = found.tokens(found.renderer.render(asked("q", "<think>\nhm\n</think>\n\nyes")))[0]
    assert answered.ids.count(think) == 1
    question = found.tokens(found.renderer.render(asked("what is <think>?", "a tag")))[0]
    assert question.ids.count(think) == 1, "that of the empty think block"


def test_a_template_that_acts_on_a_typed_token_refuses_the_row():
    tokenizer = chat_tokenizer(KNOWN["chatml"])
    cutting = KNOWN["chatml"].text.replace("{{ m.content }}", "{{ m.content.replace('<|im_end|>x', '') }}")
    renderer = Renderer(tokenizer, adopt_template(tokenizer, cutting))
    with pytest.raises(RowProblemError, match="acts on a control token") as caught:
        renderer.render(asked("a <|im_end|>x b"))
    assert caught.value.kind == "typed"


def test_marks_are_taken_out_and_places_follow():
    tokenizer = chat_tokenizer(KNOWN["chatml"])
    control = control_tokens(tokenizer)
    marked = control.typed(asked("x<|im_end|>y<|im_start|>")).messages[0].content
    found = unmarked(marked)
    assert found.text == "x<|im_end|>y<|im_start|>"
    assert found.typed == ((1, 11), (12, 24))
    assert [found.place(place) for place in (0, 1, marked.index("y"), len(marked))] == [0, 1, 11, 24]


def test_models_with_thousands_of_special_tokens_are_looked_through_quickly():
    import time

    tokenizer = chat_tokenizer(replace(KNOWN["gemma"], added=tuple(f"<unused{n}>" for n in range(6000))))
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<unused{n}>" for n in range(6000)]})
    control = control_tokens(tokenizer)
    assert len(control.ids) > 6000
    page = asked("<p>some <b>bold</b> <u>text</u></p> " * 1000)
    started = time.perf_counter()
    assert not control.spelled_in(page)
    assert time.perf_counter() - started < 1
    assert control.spelled_in(asked("see <unused4711>"))
