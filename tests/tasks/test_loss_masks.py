"""What carries loss, for well-known templates and tokenizers of any kind: exactly the answers and their stop tokens."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from chat_templates import CHATML, DEEPSEEK_R1, KINDS, KNOWN, QWEN, Known, chat_tokenizer
from supertune.conversations import Conversation, Message, ToolCall
from supertune.tasks.chat_template import HEADINGS, adopt_template, as_dict
from supertune.tasks.conversation_tokens import ConversationEncoder, Tokens, text_pieces
from supertune.tasks.loss_spans import RowProblemError
from supertune.tasks.rendering import Learn, Rendered, Renderer, RenderingSettings

HEADED = Known(HEADINGS, ("<pad>", "<eos>", "<bos>"), (), "<eos>", "<bos>", "<eos>")
SILENT = replace(KNOWN["chatml"], text=CHATML.replace("in messages", "in messages if m.role != 'system'"))
"""A template that leaves out what the system says."""
ALL = {**KNOWN, "headings": HEADED}

CHARACTERS = st.sampled_from(
    [*"abcXYZ 019.,!?\n<>|/[]{}\"'#", *"包裹什么时候到？，。好", "😀", "👍🏽", "é", "e\u0301", "ﷺ", "ह", "\u200d"]
)
ANY_TEXT = st.lists(CHARACTERS, max_size=30).map("".join)
SAID = ANY_TEXT.map(str.strip).filter(bool)


@cache
def encoder(name: str, kind: str = "byte-bpe", **settled: Any) -> ConversationEncoder:
    known = SILENT if name == "silent" else ALL[name]
    tokenizer = chat_tokenizer(known, kind, template=name != "headings")
    return ConversationEncoder(Renderer(tokenizer, adopt_template(tokenizer), RenderingSettings(**settled)), 10_000)


def encoded(encoder: ConversationEncoder, conversation: Conversation) -> list[tuple[Rendered, Tokens]]:
    items = encoder.renderer.render(conversation)
    return list(zip(items, encoder.tokens(items), strict=True))


def learned(encoder: ConversationEncoder, conversation: Conversation) -> list[str]:
    """What carries loss, decoded, one text for each run of tokens."""
    found = []
    for _, tokens in encoded(encoder, conversation):
        on = np.flatnonzero(np.diff(np.concatenate([[0], tokens.weights > 0, [0]])))
        for begin, end in zip(on[::2], on[1::2], strict=True):
            found.append(encoder.renderer.tokenizer.decode(tokens.ids[begin:end], skip_special_tokens=False))
    return found


@st.composite
def conversations(draw: Any, system: bool = True, turns: int = 3) -> Conversation:
    messages = [Message("system", draw(SAID))] if system and draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, turns))):
        messages += [Message("user", draw(SAID)), Message("assistant", draw(SAID))]
    return Conversation(tuple(messages))


def answers_of(name: str, conversation: Conversation) -> list[str]:
    known = ALL[name]
    return [known.before + each.content + known.stop for each in conversation.messages if each.role == "assistant"]


# What of these a template writes anew once more messages follow is tried below.
LATER_SYSTEM = {"mistral"}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ["byte-bpe", "metaspace-bpe"])
@given(data=st.data())
@settings(max_examples=30)
def test_what_carries_loss_is_exactly_the_answers_and_their_stop_tokens(name, kind, data):
    conversation = data.draw(conversations(system=name not in LATER_SYSTEM))
    texts = [message.content for message in conversation.messages]
    found = encoder(name, kind)
    if name == "qwen" and any("</think>" in text for text in texts):
        return
    expected = answers_of(name, conversation)
    # Decoders of this kind write every such bar as a space, those within DeepSeek's markers as well.
    assert learned(found, conversation) == (expected if kind == "byte-bpe" else [t.replace("▁", " ") for t in expected])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=10)
def test_tokens_with_loss_lie_within_the_spans_and_no_other_within_does(name, kind, data):
    found = encoder(name, kind)
    conversation = data.draw(conversations(system=name not in LATER_SYSTEM))
    ((text, tokens),) = encoded(found, conversation)
    for (begin, end), weight in zip(tokens.places[1:].tolist(), tokens.weights[1:], strict=True):
        inside = any(span.begin <= begin and end <= span.end and begin < end for span in text.spans)
        if begin < end:
            assert (weight == 1) == inside
    assert "".join(piece for piece, _, _ in text_pieces(text, tokens)) == text.text


@pytest.mark.parametrize("name", ["chatml", "llama3", "gemma", "headings"])
@pytest.mark.parametrize("kind", ["byte-bpe", "metaspace-bpe"])
@given(data=st.data())
@settings(max_examples=15)
def test_characters_that_are_learned_are_those_of_the_answers(name, kind, data):
    found = encoder(name, kind)
    conversation = data.draw(conversations())
    # Where no token begins a plain text, nothing predicts its first token.
    if name != "chatml" and data.draw(st.booleans()):
        conversation = Conversation((Message("assistant", data.draw(SAID)),), plain=True)
    ((_, tokens),) = encoded(found, conversation)
    said = [message.content for message in conversation.messages if message.role == "assistant"]
    assert int(tokens.characters.sum()) == sum(map(len, said))
    assert not tokens.characters[tokens.weights == 0].any()
    features = found.encode([conversation])
    assert features.tokens["characters"].tolist() == tokens.characters.tolist()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("learn", ["answers", "last", "all"])
@given(data=st.data())
@settings(max_examples=15)
def test_what_was_found_of_one_conversation_holds_for_all_of_its_shape(name, learn, data):
    conversation = data.draw(
        st.lists(st.tuples(SAID, ANY_TEXT), min_size=1, max_size=2).map(
            lambda turns: Conversation(
                tuple(
                    message
                    for asked, said in turns
                    for message in (
                        Message("user", asked),
                        Message("assistant", said, weight=0.5 if " " in said else 1.0),
                    )
                )
            )
        )
    )
    renderer = encoder(name, learn=learn).renderer
    try:
        slowly = renderer._items(conversation)
    except RowProblemError as problem:
        with pytest.raises(RowProblemError, match=f"^{re.escape(str(problem))}$"):
            renderer.render(conversation)
        return
    assert renderer.render(conversation) == slowly
    assert renderer.render(conversation) == slowly, "once more: now its shape is known"


@pytest.mark.parametrize("name", ALL)
def test_the_text_and_its_tokens_are_those_of_transformers(name):
    found = encoder(name)
    messages = (
        Message("user", "Where? 包裹"),
        Message("assistant", "Here 😀"),
        Message("user", "So"),
        Message("assistant", "No"),
    )
    ((text, tokens),) = encoded(found, Conversation(messages))
    tokenizer, dicts = found.renderer.tokenizer, [as_dict(message) for message in messages]
    assert text.text[: len(text.text) - text.appended] == tokenizer.apply_chat_template(dicts, tokenize=False)
    whole = tokenizer.apply_chat_template(dicts, return_dict=False)
    assert tokens.ids[: len(whole)] == whole
    bos = tokenizer.bos_token_id
    assert bos is None or tokens.ids.count(bos) == 1


TOOLS = ({"type": "function", "function": {"name": "weather", "parameters": {"city": "城市"}}},)
CALL = ToolCall("weather", {"city": "北京 <York>"}, "call-1")
ASKED = (Message("user", "天气？"), Message("assistant", "", tool_calls=(CALL,)))
ANSWERED = (*ASKED, Message("tool", "晴 22°", name="weather", tool_call_id="call-1"), Message("assistant", "晴天 😀。"))


@pytest.mark.parametrize("kind", ["byte-bpe", "metaspace-bpe"])
@pytest.mark.parametrize("name", ["qwen", "llama3", "deepseek", "headings"])
def test_a_call_of_a_function_is_part_of_the_answer(name, kind):
    arguments = json.dumps(CALL.arguments, ensure_ascii=False)
    calls = {
        "qwen": f'<tool_call>\n{{"name": "weather", "arguments": {arguments}}}\n</tool_call><|im_end|>',
        "llama3": f'{{"name": "weather", "parameters": {arguments}}}<|eot_id|>',
        "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n"
        f"{arguments}<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
        "headings": f'<tool_call>{{"name": "weather", "arguments": {arguments}}}</tool_call><eos>',
    }
    found = learned(encoder(name, kind), Conversation(ANSWERED, TOOLS))
    expected = [calls[name], "晴天 😀。" + ALL[name].stop]
    assert found == (expected if kind == "byte-bpe" else [text.replace("▁", " ") for text in expected])


@pytest.mark.parametrize("kind", KINDS[:5])
def test_reasoning_is_kept_masked_or_left_out(kind):
    conversation = Conversation((Message("user", "2+2?"), Message("assistant", "4。", reasoning="Two and two.")))
    for name, block in (
        ("qwen", "<think>\nTwo and two.\n</think>\n\n"),
        ("headings", "<think>\nTwo and two.\n</think>\n\n"),
    ):
        stop = ALL[name].stop
        kept, masked, dropped = (encoder(name, kind, reasoning=how) for how in ("keep", "mask", "drop"))
        assert [text.text[s.begin : s.end] for text, _ in encoded(kept, conversation) for s in text.spans] == [
            block + "4。" + stop
        ]
        ((text, _),) = encoded(masked, conversation)
        assert block in text.text
        assert [text.text[s.begin : s.end] for s in text.spans] == ["4。" + stop]
        ((text, _),) = encoded(dropped, conversation)
        assert "Two and two" not in text.text
        assert [text.text[s.begin : s.end] for s in text.spans] == ["4。" + stop]


@pytest.mark.parametrize("name", ["qwen", "headings"])
def test_a_call_is_learned_without_the_reasoning_that_led_to_it(name):
    thoughtful = (Message("user", "天气？"), Message("assistant", "", reasoning="Ask.", tool_calls=(CALL,)))
    ((text, _),) = encoded(encoder(name, reasoning="mask"), Conversation(thoughtful, TOOLS))
    assert "Ask." in text.text
    (span,) = text.spans
    assert text.text[span.begin :].startswith("<tool_call>")


def test_an_empty_think_block_is_not_learned():
    ((text, _),) = encoded(encoder("qwen"), Conversation((Message("user", "Hi"), Message("assistant", "Ho"))))
    assert text.text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\nHo<|im_end|>\n")
    assert [text.text[span.begin : span.end] for span in text.spans] == ["Ho<|im_end|>"]


THOUGHTFUL = Conversation(
    (
        *(Message("user", "One?"), Message("assistant", "1", reasoning="Count.")),
        *(Message("user", "Two?"), Message("assistant", "2", reasoning="Count on.")),
    )
)
MOVED = Conversation(
    (Message("system", "Be kind."), *(Message(r, c) for r, c in (("user", "A"), ("assistant", "B")) * 2))
)


@pytest.mark.parametrize(
    ("name", "conversation", "each", "last"),
    [
        (
            "qwen",
            THOUGHTFUL,
            ["<think>\nCount.\n</think>\n\n1<|im_end|>", "<think>\nCount on.\n</think>\n\n2<|im_end|>"],
            "<think>\nCount on.\n</think>\n\n2<|im_end|>",
        ),
        ("mistral", MOVED, [" B</s>", " B</s>"], " B</s>"),
    ],
)
def test_a_template_that_writes_earlier_turns_anew_is_refused_or_learned_as_asked(name, conversation, each, last):
    with pytest.raises(RowProblemError, match="writes what comes before or in the answer") as caught:
        encoder(name).renderer.render(conversation)
    assert caught.value.kind == "history"
    assert learned(encoder(name, rewritten="each"), conversation) == each
    assert learned(encoder(name, rewritten="last"), conversation) == [last]
    items = encoder(name, rewritten="each").renderer.render(conversation)
    assert all(item.rewritten for item in items)
    for item, upto in zip(items, (2, 4) if name == "qwen" else (3, 5), strict=True):
        prompt = encoder(name).renderer.prompt(Conversation(conversation.messages[: upto - 1])).text
        assert item.text.startswith(prompt)
        assert item.spans[0].begin == len(prompt)


def test_a_template_that_asks_otherwise_than_it_writes_is_refused():
    known = Known(
        DEEPSEEK_R1, *(getattr(KNOWN["deepseek"], field) for field in ("special", "added", "stop", "bos", "eos"))
    )
    tokenizer = chat_tokenizer(known)
    renderer = Renderer(tokenizer, adopt_template(tokenizer))
    with pytest.raises(RowProblemError, match=r"asks for an answer with '<｜Assistant｜><think>\\n'") as caught:
        renderer.render(Conversation((Message("user", "Hi"), Message("assistant", "Ho"))))
    assert caught.value.kind == "prompt"


@pytest.mark.parametrize(
    ("name", "messages", "kind", "what"),
    [
        ("gemma", (Message("assistant", "Hi"), Message("user", "Ho")), "refused", "roles must alternate"),
        ("mistral", (*ASKED, Message("tool", "x"), Message("assistant", "y")), "refused", "Only user and assistant"),
        ("chatml", ANSWERED, "tools", "does not write the call of 'weather'"),
        ("chatml", (Message("user", "a"), Message("assistant", "b", reasoning="c d")), "reasoning", "reasoning"),
        (
            "llama3",
            (Message("user", "a"), Message("assistant", "I look it up.", tool_calls=(CALL,))),
            "tools",
            "what an answer says beside its calls",
        ),
        (
            "deepseek",
            (Message("user", "a"), Message("assistant", "<think>\nhm hm\n</think>\n\nyes")),
            "reasoning",
            "does not write the reasoning",
        ),
        (
            "silent",
            (Message("system", "Be kind"), *ASKED[:1], Message("assistant", "y")),
            "system",
            "what the system says",
        ),
        ("chatml", (Message("user", "a"),), "unanswered", "no message of it is to be learned"),
        ("chatml", (Message("user", "a"), Message("assistant", "b", train=False)), "unanswered", "no message"),
        ("chatml", (Message("user", "\U00100000"), Message("assistant", "b")), "typed", "set apart"),
    ],
)
def test_rows_that_cannot_be_learned_say_why(name, messages, kind, what):
    with pytest.raises(RowProblemError, match=what) as caught:
        encoder(name).renderer.render(Conversation(messages))
    assert caught.value.kind == kind


@pytest.mark.parametrize("name", ["chatml", "llama3", "phi", "glm", "headings"])
def test_odd_orders_and_empty_answers_are_learned_where_the_template_takes_them(name):
    stop, before = ALL[name].stop, ALL[name].before
    messages = (
        Message("assistant", "First"),
        Message("assistant", "Second"),
        Message("user", "x"),
        Message("assistant", ""),
    )
    found = learned(encoder(name), Conversation(messages))
    first = stop if name != "glm" else "<|assistant|>"
    expected = [before + "First" + first, before + "Second" + stop, before + stop]
    assert "|".join(found) == "|".join(expected).replace("<|assistant|>|", "<|assistant|>")


@pytest.mark.parametrize("name", ["chatml", "llama3", "gemma", "glm", "headings"])
def test_messages_say_for_themselves_whether_they_are_learned_and_how_much_they_count(name):
    stop, before = ALL[name].stop, ALL[name].before
    messages = (
        Message("user", "Ask this", train=True, weight=0.25),
        Message("assistant", "No", train=False),
        Message("user", "And"),
        Message("assistant", "Yes", weight=2.0),
    )
    expected: dict[Learn, list[tuple[str, float]]] = {
        "answers": [
            ("Ask this" + (stop if name not in ("glm", "headings") else ""), 0.25),
            (before + "Yes" + stop, 2.0),
        ],
        "last": [("Ask this" + (stop if name not in ("glm", "headings") else ""), 0.25), (before + "Yes" + stop, 2.0)],
    }
    for learn, spans in expected.items():
        ((text, tokens),) = encoded(encoder(name, learn=learn), Conversation(messages))
        found = [(text.text[span.begin : span.end], span.weight) for span in text.spans]
        if name == "glm":
            spans = [("Ask this<|assistant|>", 0.25), spans[1]]
        assert found == spans
        assert set(tokens.weights.tolist()) == {0.0, 0.25, 2.0}


def test_functions_that_a_template_leaves_out_are_not_left_out_in_silence():
    with pytest.raises(RowProblemError, match="does not write the function 'weather'") as caught:
        encoder("chatml").renderer.render(Conversation((Message("user", "a"), Message("assistant", "b")), TOOLS))
    assert caught.value.kind == "tools"


def test_the_whole_text_is_learned_but_for_its_first_token_and_what_a_message_says_of_itself():
    messages = (
        Message("user", "Ask"),
        Message("assistant", "No", train=False),
        Message("user", "x"),
        Message("assistant", "y"),
    )
    ((text, tokens),) = encoded(encoder("chatml", learn="all"), Conversation(messages))
    silent = "".join(piece for piece, weight, _ in text_pieces(text, tokens) if not weight)
    assert silent == "<|im_start|>" + "No<|im_end|>"


MARKED = (
    QWEN.replace(
        "{{- '<|im_start|>assistant\\n' + content }}",
        "{{- '<|im_start|>assistant\\n' }}{% generation %}{{- content + '<|im_end|>' }}{% endgeneration %}{{- '\\n' }}",
    )
    .replace("{%- if loop.index0 > ns.last and (loop.last or thought) %}", "{%- if false %}")
    .replace("        {{- '<|im_end|>\\n' }}\n    {%- elif m.role == 'tool' %}", "    {%- elif m.role == 'tool' %}")
)


@given(conversation=conversations())
@settings(max_examples=20)
def test_a_templates_own_marks_are_followed(conversation):
    known = Known(MARKED, KNOWN["qwen"].special, KNOWN["qwen"].added, "<|im_end|>", None, "<|im_end|>")
    tokenizer = chat_tokenizer(known)
    found = ConversationEncoder(
        Renderer(tokenizer, adopt_template(tokenizer), RenderingSettings(learn="template")), 10_000
    )
    if any("</think>" in message.content for message in conversation.messages):
        return
    assert learned(found, conversation) == answers_of("qwen", conversation)
    ((text, tokens),) = encoded(found, conversation)
    masked = tokenizer.apply_chat_template(
        [as_dict(message) for message in conversation.messages], return_assistant_tokens_mask=True, return_dict=True
    )
    assert (tokens.weights > 0).astype(int).tolist() == masked["assistant_masks"]
    assert tokens.ids == masked["input_ids"]
    assert set(text.stops) == {"<|im_end|>"}
