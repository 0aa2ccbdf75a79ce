"""Stop strings end texts exactly, however they are cut into tokens, and what is streamed is what was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_writers import PROMPTS, STOP, Script, cut_up, decode, encode, writer

from supertune.errors import UserError
from supertune.generate import Generated, GenerationSettings, generate, stream
from supertune.generate.stopping import Speech, Stops, whole_characters

TEXT = "答案是：猫🐱坐在垫子上。The cat sat.\n问：下一个问题\nQ: next 👩‍👩‍👧 一直写下去，永远不停止，直到最后"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("stop", ["\n问：", "🐱", "\nQ:", "。The", "一个问题\nQ"])
def test_a_stop_string_is_cut_off_exactly_however_it_is_cut_into_tokens(size: int, stop: str) -> None:
    script = Script(cut_up(TEXT, size))
    settings = GenerationSettings(
        max_new_tokens=len(script.pieces) - 3, stop_ids=(), stop_strings=("never said", stop, "👩")
    )
    begun = len(script.pieces[0])
    wanted = TEXT.encode()[begun : TEXT.encode().index(stop.encode())].decode("utf-8", "replace")
    (found,) = generate(script.model, [[0]], settings, decode=script.decode)
    assert (found.text, found.ended) == (wanted, "string")
    # The last token is the one that completes it.
    said = script.decode(found.ids)
    assert stop in said
    assert stop not in script.decode(found.ids[:-1])
    # Beside others that stop elsewhere or not at all.
    beside = generate(script.model, [[0], [4, 5], [0, 0]], settings, decode=script.decode)
    assert beside[0].text == beside[2].text == wanted
    assert not wanted or beside[1].ended == "string"


def test_the_first_of_stop_token_and_stop_string_ends_a_text() -> None:
    script = Script(cut_up("abcdefghij", 1))
    settings = GenerationSettings(max_new_tokens=8, stop_ids=(6, 5), stop_strings=("fg",))
    (found,) = generate(script.model, [[0]], settings, decode=script.decode)
    assert (found.text, found.ended, found.ids.tolist()) == ("bcde", "stop", [1, 2, 3, 4, 5])
    (found,) = generate(script.model, [[0]], replace(settings, stop_ids=(8,)), decode=script.decode)
    assert (found.text, found.ended, found.ids.tolist()) == ("bcde", "string", [1, 2, 3, 4, 5, 6])
    (found,) = generate(script.model, [[0]], replace(settings, stop_ids=(), stop_strings=()), decode=script.decode)
    assert (found.text, found.ended, found.tokens) == ("bcdefghi", "length", 8)


def test_no_text_ends_in_half_a_character() -> None:
    script = Script(cut_up("猫🐱猫🐱", 1))
    for count in range(1, 14):
        settings = GenerationSettings(max_new_tokens=count, stop_ids=())
        (found,) = generate(script.model, [[0]], settings, decode=script.decode)
        # The first byte of the first character was the prompt: its rest is none.
        assert found.text.lstrip("\ufffd") == "猫🐱猫🐱".encode()[3 : count + 1].decode("utf-8", "ignore")


@given(st.text(max_size=30), st.integers(1, 5))
def test_speech_says_every_character_once_and_whole(text: str, size: int) -> None:
    pieces = cut_up(text.replace("\ufffd", ""), size)
    speech = Speech(lambda ids: b"".join(pieces[token] for token in ids).decode("utf-8", "replace"))
    said = [speech.add(token) for token in range(len(pieces))]
    assert "".join(said) + speech.rest() == text.replace("\ufffd", "")
    assert all("\ufffd" not in piece for piece in said)


@given(st.text(alphabet="ab猫🐱", max_size=40), st.integers(0, 60), st.integers(1, 4))
def test_whole_characters_are_the_beginning_that_is_whole(text: str, length: int, size: int) -> None:
    pieces = cut_up(text, size)[:length]
    found = whole_characters(
        range(len(pieces)), lambda ids: b"".join(pieces[i] for i in ids).decode("utf-8", "replace")
    )
    given_bytes = b"".join(pieces)
    assert found == given_bytes.decode("utf-8", "ignore")


def test_whole_characters_survive_beside_half_ones_that_spoil_them() -> None:
    # As the decoder of byte-level fallbacks does it: a run of bytes that is no text is told as nothing but marks.
    def spoilt(ids: Sequence[int]) -> str:
        try:
            return bytes(ids).decode()
        except UnicodeDecodeError:
            return "\ufffd" * len(ids)

    whole = list("你好".encode())
    for count in range(len(whole) + 1):
        wanted = "你好"[: count // 3]
        assert whole_characters(whole[:count], spoilt) == wanted
        speech = Speech(spoilt)
        assert "".join(map(speech.add, whole[:count])) + speech.rest() == wanted


@given(st.text(alphabet="abc\n", max_size=12), st.lists(st.text(alphabet="abc\n", min_size=1, max_size=4), max_size=3))
def test_what_may_be_a_stop_string_is_told_apart(text: str, strings: list[str]) -> None:
    stops = Stops(frozenset(), tuple(strings), decode)
    held = stops.may_go_on(text)
    kept = text[: len(text) - held]
    for string in strings:
        for more in ("", string, *(string[start:] for start in range(len(string)))):
            whole = text + more
            place = whole.find(string)
            if place >= 0 and string not in text:
                assert place >= len(kept)


# ---------------------------------------------------------------- streamed


def streamed(model: object, prompt: list[int], settings: GenerationSettings, decoding: object = decode) -> list[str]:
    whole: list[Generated] = []
    pieces = list(stream(model, prompt, settings, decode=decoding, done=whole.append))  # type: ignore[arg-type]
    (found,) = generate(model, [prompt], settings, decode=decoding)  # type: ignore[arg-type]
    assert whole[0].ids.tolist() == found.ids.tolist()
    assert (whole[0].text, whole[0].ended) == (found.text, found.ended)
    assert whole[0].log_probability == pytest.approx(found.log_probability, rel=1e-4, abs=1e-3)
    assert "".join(pieces) == found.text
    return pieces


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_stream_says_what_was_written_in_whole_characters(size: int) -> None:
    script = Script([b"> ", *cut_up(TEXT, size)])
    for stops in ((), ("\nQ:",), ("。The cat sat?", "\n问：下一个问题\nQ")):
        for count in (7, 23, len(script.pieces) - 2):
            settings = GenerationSettings(max_new_tokens=count, stop_ids=(), stop_strings=stops)
            pieces = streamed(script.model, [0], settings, script.decode)
            assert not any("\ufffd" in piece or not piece for piece in pieces)
            assert len(pieces) > 1


@pytest.mark.parametrize("name", ["llama", "gemma", "t5"])
def test_a_stream_of_any_model_says_what_a_batch_does(name: str) -> None:
    model = writer(name)
    settings = GenerationSettings(max_new_tokens=12, stop_ids=(STOP,))
    for text in PROMPTS[:2]:
        whole: list[Generated] = []
        pieces = list(stream(model, encode(text), settings, decode=decode, done=whole.append))
        (found,) = generate(model, [encode(text)], settings, decode=decode)
        assert whole[0].ids.tolist() == found.ids.tolist()
        # Bytes that are no text may be told apart in another way, letters may not.
        letters = [character for character in found.text if character != "\ufffd"]
        assert [character for character in "".join(pieces) if character != "\ufffd"] == letters


def test_what_is_drawn_is_the_same_when_streamed() -> None:
    settings = GenerationSettings(max_new_tokens=12, stop_ids=(STOP,), temperature=1.0, seed=5)
    whole: list[Generated] = []
    list(stream(writer("llama"), encode("你好"), settings, decode=decode, done=whole.append))
    (found,) = generate(writer("llama"), [encode("你好")], settings, decode=decode)
    assert whole[0].ids.tolist() == found.ids.tolist()


def test_a_stream_can_be_left_and_mistakes_are_told_at_once() -> None:
    script = Script(cut_up("abcdefghij" * 3, 1))
    settings = GenerationSettings(max_new_tokens=20, stop_ids=())
    ended: list[Generated] = []
    begun = stream(script.model, [0], settings, decode=script.decode, done=ended.append)
    assert "".join(islice(begun, 3)) == "bcd"
    begun.close()  # type: ignore[attr-defined]
    assert not ended
    with pytest.raises(UserError, match="no tokens"):
        stream(script.model, [], settings, decode=script.decode)
    with pytest.raises(UserError, match="beams"):
        stream(script.model, [0], replace(settings, beams=2), decode=script.decode)
