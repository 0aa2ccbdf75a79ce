"""Tokens and weights of conversations: plain texts, what is cut, counted, and refused before training."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from chat_templates import DEEPSEEK_R1, KINDS, KNOWN, Known, chat_tokenizer
from supertune.conversations import Conversation, Message
from supertune.errors import UserError
from supertune.tasks.chat_template import adopt_template
from supertune.tasks.conversation_tokens import ConversationEncoder, TooLong, prompt_tokens, text_pieces
from supertune.tasks.rendering import Renderer, RenderingSettings
from supertune.tasks.tokenise import joined


@cache
def renderer(name: str, kind: str = "byte-bpe", **settled: Any) -> Renderer:
    tokenizer = chat_tokenizer(KNOWN[name], kind)
    return Renderer(tokenizer, adopt_template(tokenizer), RenderingSettings(**settled))


def asked(question: str, answer: str) -> Conversation:
    return Conversation((Message("user", question), Message("assistant", answer)))


ROWS = [asked(f"Question {n} 问题", "An answer. 回答 😀" * (1 + n % 5)) for n in range(30)]


@pytest.mark.parametrize("name", ["chatml", "llama3", "glm"])
def test_rows_in_pieces_are_rows_at_once_and_weights_are_those_of_each_text(name):
    encoder = ConversationEncoder(renderer(name), 1000)
    at_once = encoder.encode(ROWS)
    pieces = joined(encoder.encode(ROWS[begin : begin + 7], begin) for begin in range(0, 30, 7))
    batches = joined(ConversationEncoder(renderer(name), 1000).batches(iter(ROWS)))
    for other in (pieces, batches):
        for column, dtype in (("input_ids", np.int32), ("weights", np.float32)):
            np.testing.assert_array_equal(at_once.tokens[column], other.tokens[column])
            assert at_once.tokens[column].dtype == dtype
        np.testing.assert_array_equal(at_once.rows, other.rows)
        np.testing.assert_array_equal(at_once.offsets, other.offsets)
    assert at_once.rows.tolist() == list(range(30))
    (text,) = encoder.renderer.render(ROWS[3])
    (tokens,) = encoder.tokens([text])
    item = slice(at_once.offsets[3], at_once.offsets[4])
    assert at_once.tokens["input_ids"][item].tolist() == tokens.ids
    np.testing.assert_array_equal(at_once.tokens["weights"][item], tokens.weights)
    encoder.counts.refuse()
    assert encoder.counts.stopped_rows == encoder.counts.rows == 30 + 30


def test_lengths_are_those_of_the_longest_item_uncut_and_none_of_what_cannot_be_learned():
    encoder = ConversationEncoder(renderer("gemma", rewritten="each"), 10)
    unanswered = Conversation((Message("user", "a"),))
    refused = Conversation((Message("user", "a"), Message("user", "b"), Message("assistant", "c")))
    found = encoder.lengths([*ROWS[:7], unanswered, refused, *ROWS[7:]])
    whole = ConversationEncoder(renderer("gemma", rewritten="each"), 1000).encode(ROWS)
    assert found.tolist() == [*whole.full_lengths[:7], 0, 0, *whole.full_lengths[7:]]
    assert encoder.lengths([refused, unanswered]).tolist() == [0, 0]
    assert encoder.lengths([]).shape == (0,)


def test_no_rows_are_no_items():
    (empty,) = ConversationEncoder(renderer("chatml"), 10).batches([])
    assert (len(empty), empty.tokens["input_ids"].shape, empty.offsets.tolist()) == (0, (0,), [0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_text_is_tokenised_as_the_tokenizer_does_and_its_end_is_learned(kind):
    found = ConversationEncoder(renderer("llama3", kind), 1000)
    for text in ("The answer is 42.", " 天气很好  😀", "x"):
        (item,) = found.renderer.render(Conversation((Message("user", text),), plain=True))
        (tokens,) = found.tokens([item])
        tokenizer = found.renderer.tokenizer
        assert tokens.ids == [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
        assert tokens.weights.tolist() == [0.0, *[1.0] * (len(tokens.ids) - 1)]
        assert item.stops == (tokenizer.eos_token,)
        assert "".join(piece for piece, _, _ in text_pieces(item, tokens)) == f"<|begin_of_text|>{text}<|end_of_text|>"


def test_a_plain_text_without_bos_does_not_learn_its_first_token_which_nothing_predicts():
    found = ConversationEncoder(renderer("chatml"), 1000)
    features = found.encode([Conversation((Message("user", "Where is my parcel?"),), plain=True)])
    assert features.tokens["weights"][0] == 0
    assert features.tokens["weights"][1:].all()
    assert features.tokens["input_ids"][-1] == found.renderer.tokenizer.eos_token_id


@pytest.mark.parametrize("too_long", ["cut", "drop", "error"])
def test_long_rows_are_cut_or_left_out_and_counted(too_long: TooLong):
    short, long_answer, long_question = asked("Q", "A"), asked("Q", "wordy " * 60), asked("wordy " * 60, "A")
    mid = Conversation((*short.messages, Message("user", "wordy " * 60), Message("assistant", "B", train=False)))
    encoder = ConversationEncoder(renderer("chatml"), 40, too_long=too_long)
    features = encoder.encode([short, long_answer, long_question, mid], 10)
    counts = encoder.counts
    roomy = ConversationEncoder(renderer("chatml"), counts.longest, too_long=too_long)
    roomy.encode([short, long_answer, long_question, mid])
    assert not roomy.counts.told()
    assert (roomy.counts.items, roomy.counts.longest) == (4, 0)
    assert f"({counts.longest} would cut nothing)" in counts.room
    if too_long == "cut":
        assert features.rows.tolist() == [10, 11, 13]
        assert features.lengths.tolist()[1:] == [40, 40]
        assert (features.full_lengths[1:] > 40).all()
        assert (counts.cut_rows, counts.lost_rows, counts.silent_rows) == ([11, 12, 13], [11, 12], [12])
        with pytest.raises(
            UserError, match=r"2 rows \(11, 12\) would lose part of their answer at 40 tokens"
        ) as caught:
            counts.refuse("rows.jsonl")
        assert caught.value.where == "rows.jsonl"
        assert "task.too_long=drop" in (caught.value.fix or "")
        counts.refuse(most_lost=0.5)
        assert counts.told() == [
            "3 rows (11, 12, 13) cut to 40 tokens, of which 2 lost some of their answer",
            counts.told()[1],
        ]
    else:
        assert features.rows.tolist() == [10]
        assert list(counts.long_rows) == [11, 12, 13]
        if too_long == "error":
            with pytest.raises(UserError, match=r"3 rows \(11, 12, 13\) are longer than 40 tokens \(row 1\d: \d+\)"):
                counts.refuse()
        else:
            counts.refuse()
    assert counts.summary()["dropped_rows"].keys() == ({"11", "12", "13"} if too_long != "cut" else set())
    assert counts.summary()["rows"] == 4


def test_up_to_one_row_in_a_thousand_may_lose_its_answers_end():
    encoder = ConversationEncoder(renderer("chatml"), 40)
    encoder.encode([asked("Q", "A")] * 999 + [asked("Q", "wordy " * 60)])
    encoder.counts.refuse()
    encoder.encode([asked("Q", "wordy " * 60)], 1000)
    with pytest.raises(UserError, match=r"2 rows \(999, 1000\) would lose"):
        encoder.counts.refuse()


def test_rows_that_cannot_be_learned_are_counted_by_kind_and_refused_with_the_way_round():
    rows = [
        asked("Q", "A"),
        Conversation((Message("user", "a"), Message("user", "b"), Message("assistant", "c"))),
        Conversation((Message("user", "a"),)),
    ]
    encoder = ConversationEncoder(renderer("gemma"), 100)
    assert encoder.encode(rows).rows.tolist() == [0]
    assert encoder.counts.summary()["problem_rows"] == {"refused": [1], "unanswered": [2]}
    with pytest.raises(
        UserError, match=r"1 row \(1\) cannot be learned: the chat template refuses it.*alternate"
    ) as caught:
        encoder.counts.refuse()
    assert "task.template=headings" in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("name", "settled", "row", "what", "way"),
    [
        (
            "mistral",
            {},
            Conversation((Message("system", "s"), *asked("a", "b").messages, *asked("c", "d").messages)),
            "anew once more messages follow: first '<s>[INST] s",
            "task.rewritten=each",
        ),
        ("r1", {}, asked("a", "b"), r"asks for an answer with '<｜Assistant｜><think>\n'", "task.template_options"),
        (
            "chatml",
            {},
            Conversation((Message("user", "a"), Message("assistant", "b", reasoning="long thought"))),
            "does not write the reasoning",
            "task.reasoning=drop",
        ),
        ("chatml", {}, asked("\ufdd0", "b"), "characters (U+FDD0", "take the control token out"),
    ],
)
def test_each_kind_of_problem_is_refused_with_its_way_round(name, settled, row, what, way):
    if name == "r1":
        deepseek = KNOWN["deepseek"]
        tokenizer = chat_tokenizer(Known(DEEPSEEK_R1, deepseek.special, deepseek.added, "", deepseek.bos, deepseek.eos))
        found = Renderer(tokenizer, adopt_template(tokenizer))
    else:
        found = renderer(name, **settled)
    encoder = ConversationEncoder(found, 100)
    encoder.encode([row])
    with pytest.raises(UserError) as caught:
        encoder.counts.refuse()
    assert what in caught.value.what
    assert way in (caught.value.fix or "")


def test_answers_that_no_token_ends_are_refused_as_long_as_no_row_has_one():
    tokenizer = chat_tokenizer(KNOWN["chatml"])
    endless = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    endless += "{% if add_generation_prompt %}assistant: {% endif %}"
    encoder = ConversationEncoder(Renderer(tokenizer, adopt_template(tokenizer, endless)), 100)
    features = encoder.encode([asked("Q", "A")])
    assert features.tokens["weights"].any()
    with pytest.raises(UserError, match="would never stop") as caught:
        encoder.counts.refuse()
    assert "headings" in (caught.value.fix or "")
    # Cut behind every answer's last word, the token that ends it is nowhere learned either.
    ends = ConversationEncoder(renderer("chatml"), 13)
    ends.encode([asked("Q", "wordy " * 9)] * 3)
    with pytest.raises(UserError, match="would never stop"):
        ends.counts.refuse(most_lost=1)


def test_nothing_left_to_learn_is_refused():
    encoder = ConversationEncoder(renderer("chatml"), 5)
    encoder.encode([asked("Q", "A")])
    with pytest.raises(UserError, match="no row is left"):
        encoder.counts.refuse(most_lost=1)


def test_the_end_of_a_text_that_is_also_its_padding_is_learned():
    known = KNOWN["llama3"]
    tokenizer = chat_tokenizer(Known(known.text, known.special, (), known.stop, known.bos, known.stop))
    tokenizer.pad_token = tokenizer.eos_token
    encoder = ConversationEncoder(Renderer(tokenizer, adopt_template(tokenizer)), 100)
    features = encoder.encode([asked("Q", "A")])
    assert features.tokens["input_ids"][-1] == tokenizer.pad_token_id
    assert features.tokens["weights"][-1] == 1


@pytest.mark.parametrize("name", [*KNOWN])
@pytest.mark.parametrize("kind", ["metaspace-bpe", "unigram-first"])
def test_the_model_is_asked_with_the_tokens_that_stood_before_the_answer_in_training(name, kind):
    encoder = ConversationEncoder(renderer(name, kind), 1000)
    question = Message("user", "天气？ Tell me")
    (prompt,) = prompt_tokens(encoder, [Conversation((question,))])
    features = encoder.encode([Conversation((question, Message("assistant", "晴。")))])
    ids = features.tokens["input_ids"].tolist()
    assert ids[: len(prompt)] == prompt.tolist()
    between = features.tokens["weights"][len(prompt) :]
    assert features.tokens["weights"][: len(prompt)].sum() == 0
    if name != "qwen":
        assert between[0] == 1
    asked_for = encoder.renderer.tokenizer.apply_chat_template(
        [{"role": "user", "content": question.content}], add_generation_prompt=True, return_dict=False
    )
    assert prompt.tolist() == asked_for


def test_pieces_show_whole_characters():
    encoder = ConversationEncoder(renderer("chatml"), 1000)
    (text,) = encoder.renderer.render(asked("हिन्दी 👩‍👩‍👧", "👍🏽 ﷺ 包裹"))
    (tokens,) = encoder.tokens([text])
    pieces = text_pieces(text, tokens)
    assert "".join(piece for piece, _, _ in pieces) == text.text
    assert "".join(piece for piece, weight, _ in pieces if weight) == "👍🏽 ﷺ 包裹<|im_end|>"
    assert [first for _, _, first in pieces] == sorted({first for _, _, first in pieces})


def test_settings_that_contradict_each_other_or_the_template_are_refused():
    tokenizer = chat_tokenizer(KNOWN["chatml"])
    template = adopt_template(tokenizer)
    with pytest.raises(UserError, match=r"no \{% generation %\} blocks"):
        Renderer(tokenizer, template, RenderingSettings(learn="template"))
    with pytest.raises(UserError, match="the whole text is to be learned"):
        Renderer(tokenizer, template, RenderingSettings(learn="all", reasoning="mask"))
