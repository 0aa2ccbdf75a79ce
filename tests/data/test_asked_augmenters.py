"""Models that are asked for new texts: what they are asked, what is taken of their answers, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supertune.contracts import Answered, TextPrompt, WrittenText
from supertune.data import Table, infer_columns
from supertune.data.augment import BackTranslation, LabelConditioned, Paraphrase, Protection, augment
from supertune.data.augment.answers import NotWritten, text_of
from supertune.data.augment.augmenter import BatchAugmenter
from supertune.data.augment.comparing import in_language, is_copy, lost, out_of_bounds
from supertune.errors import UserError

LATE = "The parcel arrived 3 days late and nobody answered my 2 letters."
LATE_OTHERWISE = "My parcel came 3 days too late, and to my 2 letters there was no answer."
CHINESE = "包裹晚到了3天，客服一直没有回复。"
CHINESE_OTHERWISE = "快递迟了3天才到，一直没人答复。"


class Known:
    """Answers as a function of the prompt says, and remembers what was asked."""

    local = True
    identity: Mapping[str, object] = {"known": True}

    def __init__(self, answer: Callable[[TextPrompt], str | None], *, instructed: bool = True) -> None:
        self.answer, self.instructed = answer, instructed
        self.asked: list[TextPrompt] = []

    def write(self, prompts: Sequence[TextPrompt], answered: Answered | None = None) -> list[WrittenText]:
        self.asked += prompts
        texts = [self.answer(prompt) for prompt in prompts]
        return [WrittenText(text, None if text is not None else "the budget is spent") for text in texts]


def draws(count: int) -> list[random.Random]:
    return [random.Random(number) for number in range(count)]


def written(
    augmenter: BatchAugmenter,
    writer: Known,
    texts: Sequence[str],
    labels: Sequence[str | None] | None = None,
    examples: Mapping[str, Sequence[str]] | None = None,
) -> list[str | None]:
    made = augmenter.write(texts, labels or [None] * len(texts), draws(len(texts)), writer, examples or {})
    return [one.reason if isinstance(one, NotWritten) else one for one in made]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (LATE_OTHERWISE, LATE_OTHERWISE),
        (f"Sure, here is a paraphrase:\n\n{LATE_OTHERWISE}", LATE_OTHERWISE),
        (f'Sure! Here\'s the rewritten text: "{LATE_OTHERWISE}"', LATE_OTHERWISE),
        (f"**Paraphrased text:** {LATE_OTHERWISE}", LATE_OTHERWISE),
        (f"好的，以下是改写后的文本：\n{CHINESE_OTHERWISE}", CHINESE_OTHERWISE),
        (f"改写：“{CHINESE_OTHERWISE}”", CHINESE_OTHERWISE),
        (f"1. {LATE_OTHERWISE}", LATE_OTHERWISE),
        (f"1、{CHINESE_OTHERWISE}", CHINESE_OTHERWISE),
        (f"```text\n{LATE_OTHERWISE}\n```", LATE_OTHERWISE),
        (f"**{LATE_OTHERWISE}**", LATE_OTHERWISE),
        (f"<think>\nThe user wants:\n- a\n</think>\n\n{LATE_OTHERWISE}", LATE_OTHERWISE),
        (f"they want a text</think>{LATE_OTHERWISE}<|im_end|>", LATE_OTHERWISE),
        (f"<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>{LATE_OTHERWISE}", LATE_OTHERWISE),
        (f"{LATE_OTHERWISE}\n\nLet me know if you would like another version!", LATE_OTHERWISE),
        (f"{CHINESE_OTHERWISE}\n\n注：保留了数字。", CHINESE_OTHERWISE),
        # What may belong to the text stays.
        ("3.5 days late, it came.", "3.5 days late, it came."),
        ("2024年到的，晚了。", "2024年到的，晚了。"),
        ('"Late" is what they call "soon"', '"Late" is what they call "soon"'),
        ("Sure, it came late.", "Sure, it came late."),
        ("Here is where it went wrong: the post.", "the post."),
        ("好的服务不是这样的。", "好的服务不是这样的。"),
        ("I can't say it came in time.", "I can't say it came in time."),
        ("Sorry to say, it was late.", "Sorry to say, it was late."),
    ],
)
def test_what_is_written_around_a_text_is_taken_off_where_that_is_certain(answer: str, expected: str) -> None:
    assert text_of(answer, LATE) == expected


@pytest.mark.parametrize(
    "source", ['"Never again," he said.', "1. It was late.", "Here is what happened: it was late.", "**late**"]
)
def test_texts_that_look_like_that_themselves_may_be_answered_alike(source: str) -> None:
    for answer in ('"Never more," she said."', "1. It came late.", "Here is the story: it came late.", "**too late**"):
        if answer[:2] == source[:2]:
            assert text_of(answer, source) == answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty answer"),
        ("\u200b \n", "empty answer"),
        ("```\n\n```", "empty answer"),
        ("<think>still thinking about", "thoughts and no answer"),
        ("I'm sorry, but I can't help with that.", "refused by the model"),
        ("As an AI language model, I do not write reviews.", "refused by the model"),
        ("I cannot assist with this request.", "refused by the model"),
        ("抱歉，我无法完成这个请求。", "refused by the model"),
        ("作为一个人工智能，我没有包裹。", "refused by the model"),
        ("1. It came late.\n2. Late it came.\n3. It was late.", "several answers in one"),
        ("It came late.\nLate it came.", "several lines where the text has one"),
    ],
)
def test_answers_that_are_no_text_are_refused_with_the_reason(answer: str, reason: str) -> None:
    assert text_of(answer, LATE) == NotWritten(reason)


@given(st.text(), st.text())
def test_whatever_is_answered_nothing_breaks_and_nothing_is_added(answer: str, source: str) -> None:
    found = text_of(answer, source)
    assert isinstance(found, NotWritten) or (found in answer and found.strip() == found != "")


@given(st.text(st.characters(categories=["L"]), min_size=1), st.integers(0, 10**6))
def test_a_plain_answer_is_taken_as_it_is(word: str, number: int) -> None:
    text = f"x{word} {number} times"
    assert text_of(text, "any text") == text


def test_numbers_and_placeholders_have_to_survive_however_they_are_set() -> None:
    text = "Pay 3,000 euros to [NAME] by 12:30 at http://a.b/c"
    spans = Protection(negations=False).spans(text)
    assert not lost(text, spans, "By 12：30, [NAME] gets 3000 euros: http://a.b/c")
    assert lost(text, spans, "By 12:30, [NAME] gets 13000 euros: http://a.b/c")
    assert lost(text, spans, "By 12:30, [name2] gets 3,000 euros: http://a.b/c")
    assert lost(CHINESE, Protection(negations=False).spans(CHINESE), "包裹晚到了，没有回复。")


def test_languages_lengths_and_copies() -> None:
    assert in_language("是", "zh")
    assert not in_language("yes", "zh")
    assert in_language("123", "en")
    long_french = "Le colis est arrivé avec beaucoup de retard et personne ne m'a répondu depuis."
    assert not in_language(long_french, "en")
    assert in_language(long_french, "en", sure=False)
    assert out_of_bounds(LATE, [LATE]) is None
    assert out_of_bounds(LATE * 10, [LATE]) == NotWritten("answer far longer than the text")
    assert out_of_bounds("No.", [LATE * 5]) == NotWritten("answer far shorter than the text")
    assert out_of_bounds("It is so.", ["Yes!"]) is None
    assert is_copy(LATE.upper() + "!", ["x", LATE])
    assert not is_copy(LATE_OTHERWISE, ["x", LATE])
    assert is_copy("好", ["好"])


def test_paraphrases_are_asked_for_in_the_language_of_the_text() -> None:
    writer = Known(lambda prompt: CHINESE_OTHERWISE if CHINESE in prompt.user else LATE_OTHERWISE)
    found = written(Paraphrase(about="a complaint"), writer, [LATE, CHINESE], ["post", "邮政"])
    assert found == [LATE_OTHERWISE, CHINESE_OTHERWISE]
    english, chinese = writer.asked
    assert LATE in english.user
    assert 'labelled "post"' in english.user
    assert "It is a complaint." in english.user
    assert "请换一种说法" in chinese.user
    assert "“邮政”" in chinese.user
    assert english.seed != chinese.seed
    assert writer.asked[0].seed == random.Random(0).getrandbits(31)


def test_a_line_about_what_is_not_known_is_left_out_and_templates_can_be_given() -> None:
    writer = Known(lambda _: LATE_OTHERWISE)
    written(Paraphrase(), writer, [LATE])
    assert "labelled" not in writer.asked[0].user
    assert "It is" not in writer.asked[0].user
    written(Paraphrase(prompt="Rewrite as a pirate {{arr}}: {text} ({language})"), writer, [LATE])
    assert writer.asked[1].user == f"Rewrite as a pirate {{arr}}: {LATE} (English)"
    with pytest.raises(UserError, match="no column 'txt'"):
        written(Paraphrase(prompt="Rewrite {txt}"), writer, [LATE])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (LATE, "equal to the original"),
        (LATE.upper(), "equal to the original"),
        (CHINESE_OTHERWISE, "answer in another language"),
        (None, "the budget is spent"),
        (LATE_OTHERWISE * 5, "answer far longer than the text"),
    ],
)
def test_paraphrases_that_are_none_are_dropped(answer: str | None, reason: str) -> None:
    assert written(Paraphrase(), Known(lambda _: answer), [LATE]) == [reason]


def test_back_translation_goes_there_and_back() -> None:
    french = "Mon colis est arrivé avec 3 jours de retard et mes 2 lettres sont restées sans réponse."

    def answer(prompt: TextPrompt) -> str:
        if prompt.step == 0:
            return french if LATE in prompt.user else LATE
        return LATE_OTHERWISE if french in prompt.user else CHINESE_OTHERWISE

    writer = Known(answer)
    assert written(BackTranslation(), writer, [LATE, CHINESE]) == [LATE_OTHERWISE, CHINESE_OTHERWISE]
    assert [prompt.step for prompt in writer.asked] == [0, 0, 1, 1]
    assert "from English into French" in writer.asked[0].user
    assert "从中文翻译成英文" in writer.asked[1].user
    assert "from French into English" in writer.asked[2].user
    # A translation that is none is not translated back, and nobody is asked to translate into the same language.
    assert written(BackTranslation(), Known(lambda _: LATE), [LATE]) == ["answer in another language"]
    writer = Known(answer)
    assert written(BackTranslation(pivot="zh"), writer, [CHINESE]) == ["answer in another language"]
    assert not writer.asked
    with pytest.raises(ValueError, match="none of the languages"):
        BackTranslation(pivot="xx")


def test_models_that_only_translate_are_given_the_bare_text() -> None:
    writer = Known(lambda prompt: ["包裹晚到了3天", LATE_OTHERWISE][prompt.step], instructed=False)
    assert written(BackTranslation(pivot="zh"), writer, [LATE]) == [LATE_OTHERWISE]
    assert [(prompt.user, prompt.system) for prompt in writer.asked] == [(LATE, ""), ("包裹晚到了3天", "")]
    for other in (Paraphrase(), LabelConditioned()):
        with pytest.raises(UserError, match="does nothing else that it is told"):
            written(other, writer, [LATE], ["post"], {"post": [LATE]})


def test_texts_for_a_label_are_asked_for_with_examples_of_it_alone() -> None:
    post = [LATE, *(f"The letter number {n} never came at all." for n in range(6)), CHINESE]
    examples = {"post": post, "bank": ["My card was swallowed by the machine."]}
    writer = Known(lambda _: "They delivered my shoes to a neighbour I do not know.")
    augmenter = LabelConditioned(examples=3, descriptions={"post": "delivery went wrong"})
    texts, labels = [LATE, post[1]], ["post", "post"]
    found = written(augmenter, writer, texts, labels, examples)
    assert found == ["They delivered my shoes to a neighbour I do not know."] * 2
    first = writer.asked[0].user
    assert 'labelled "post"' in first
    assert "What this label means: delivery went wrong." in first
    assert "must not fit: bank" in first
    assert first.count("\n- ") == 3
    assert LATE in first
    assert CHINESE not in first
    assert "swallowed" not in first
    # The same row with the same draw is asked the same.
    again = Known(lambda _: "x")
    written(augmenter, again, texts[:1], labels[:1], examples)
    assert again.asked[0] == writer.asked[0]


def test_copies_and_rows_without_labels_are_dropped() -> None:
    examples = {"post": [LATE, LATE_OTHERWISE]}
    for answer, reason in ((LATE_OTHERWISE + "!", "copy of an example"), (CHINESE, "answer in another language")):
        assert written(LabelConditioned(), Known(lambda _: answer), [LATE], ["post"], examples) == [reason]  # noqa: B023
    assert written(LabelConditioned(), Known(lambda _: "x"), [LATE], [None], examples) == ["the row has no label"]
    with pytest.raises(UserError, match="no classes"):
        written(LabelConditioned(), Known(lambda _: "x"), [LATE])
    with pytest.raises(UserError, match="'pst', which is no label"):
        written(LabelConditioned(descriptions={"pst": "x"}), Known(lambda _: "x"), [LATE], ["post"], examples)
    with pytest.raises(UserError, match="several that belong together"):
        written(LabelConditioned(), Known(lambda _: "x"), ["a part"], ["post"], examples)


def test_rows_are_added_to_a_table_and_reasons_are_counted() -> None:
    rows = [{"text": f"The parcel {n} came late today.", "label": "post"} for n in range(12)]
    rows += [{"text": f"The card {n} was refused today.", "label": "bank"} for n in range(4)]
    table = Table.from_rows(rows, source="rows")
    columns = infer_columns(table)

    def answer(prompt: TextPrompt) -> str | None:
        number = next(word for word in prompt.user.split() if word.isdigit())
        if "bank" in prompt.user:
            return None
        return f"Late today was number {number if int(number) % 2 else 'none'} of the parcels"

    made = augment(table, columns, [Paraphrase()], writer=Known(answer), seed=3)
    (tally,) = made.made
    assert (tally.asked, tally.added) == (16, 6)
    assert tally.dropped == {"a number, name or placeholder was lost": 6, "the budget is spent": 4}
    added = list(made.table.rows())[16:]
    assert {row["supertune_augmenter"] for row in added} == {"paraphrase"}
    assert all(int(row["text"].split()[4]) == row["supertune_augmented_from"] for row in added)
    # In whatever order the rows stand, the same is asked of each.
    one, other = Known(answer), Known(answer)
    augment(table, columns, [Paraphrase()], writer=one, seed=3)
    augment(Table.from_rows(rows[::-1], source="rows"), columns, [Paraphrase()], writer=other, seed=3)
    assert sorted(map(repr, one.asked)) == sorted(map(repr, other.asked))
