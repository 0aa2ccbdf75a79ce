"""What ends an answer and what stands before one, found before training; where generation stops."""

from __future__ import annotations

from typing import Any

import pytest

from chat_templates import KNOWN, chat_tokenizer
from supertune.conversations import Conversation, Message
from supertune.errors import UserError
from supertune.tasks.chat_template import adopt_template
from supertune.tasks.conversation_tokens import ConversationEncoder
from supertune.tasks.rendering import Renderer, RenderingSettings
from supertune.tasks.template_probe import probed, stop_generation, stop_ids

ONE = Conversation((Message("user", "天气？"), Message("assistant", "晴。")))
TWO = Conversation((*ONE.messages, *ONE.messages))


def probe_of(
    tokenizer: Any, template: str | None = None, settings: RenderingSettings | None = None
) -> ConversationEncoder:
    settled = settings or RenderingSettings()
    return ConversationEncoder(Renderer(tokenizer, adopt_template(tokenizer, template), settled), 1000)


@pytest.mark.parametrize("name", KNOWN)
def test_the_token_that_ends_an_answer_is_found_and_generation_stops_at_it(name):
    tokenizer = chat_tokenizer(KNOWN[name])
    found = probed(probe_of(tokenizer), [ONE, TWO, Conversation((Message("user", "a"),))])
    assert dict(found.stops) == {KNOWN[name].stop: 3}
    assert found.announcements[0] == f"an answer ends with {KNOWN[name].stop}"
    stop, eos = (tokenizer.convert_tokens_to_ids(token) for token in (KNOWN[name].stop, KNOWN[name].eos))
    assert stop_ids(found.stops, tokenizer) == list(dict.fromkeys([stop, eos]))


def test_answers_that_nothing_ends_are_refused():
    tokenizer = chat_tokenizer(KNOWN["chatml"])
    endless = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    with pytest.raises(UserError, match="would never stop"):
        probed(probe_of(tokenizer, endless), [ONE])


def test_thinking_is_switched_off_where_no_row_thinks_and_the_prompt_is_then_what_was_trained():
    tokenizer = chat_tokenizer(KNOWN["qwen"])
    found = probed(probe_of(tokenizer), [ONE])
    assert (found.preamble, found.thinking_off) == ("<think>\n\n</think>\n\n", True)
    settled = Renderer(tokenizer, adopt_template(tokenizer, options={"enable_thinking": False}))
    (item,) = settled.render(ONE)
    prompt = settled.prompt(Conversation(ONE.messages[:1])).text
    assert item.text.startswith(prompt)
    assert item.spans[0].begin == len(prompt)
    assert tokenizer.apply_chat_template(
        [{"role": "user", "content": "x"}], tokenize=False, add_generation_prompt=True
    ).endswith("<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    "conversation", [TWO, Conversation((Message("user", "a"), Message("assistant", "b", reasoning="c")))]
)
def test_thinking_is_left_on_where_a_row_thinks_or_could_not_be_learned_without(conversation):
    tokenizer = chat_tokenizer(KNOWN["qwen"])
    found = probed(probe_of(tokenizer), [ONE, conversation])
    assert not found.thinking_off
    assert "does not ask for them with it" in found.announcements[1]


def test_reasoning_that_is_left_out_is_no_thinking():
    tokenizer = chat_tokenizer(KNOWN["qwen"])
    thoughtful = Conversation((Message("user", "a"), Message("assistant", "b", reasoning="c")))
    settings = RenderingSettings(reasoning="drop")
    assert probed(probe_of(tokenizer, settings=settings), [thoughtful]).thinking_off


def test_generation_stops_where_answers_end_and_where_it_did_before(tmp_path):
    from transformers import GenerationConfig

    config = GenerationConfig(eos_token_id=7)
    stop_generation(config, [5, 3])
    config.save_pretrained(tmp_path)
    saved = GenerationConfig.from_pretrained(tmp_path)
    assert saved.eos_token_id == [5, 3, 7]
    assert saved.pad_token_id == 5
    padded = GenerationConfig(eos_token_id=[3], pad_token_id=0)
    stop_generation(padded, [3])
    assert (padded.eos_token_id, padded.pad_token_id) == ([3], 0)


def test_a_prompt_whose_end_is_cut_otherwise_before_an_answer_is_told():
    # The pattern of GPT-2 leaves a line break to the word behind it: two are one token alone, and two in front of it.
    found = probed(probe_of(chat_tokenizer(KNOWN["llama3"], "byte-bpe")), [ONE, TWO])
    assert (found.seams, found.rows) == (2, 2)
    assert "in 2 of 2 rows the prompt's last tokens are others" in found.announcements[-1]
    assert probed(probe_of(chat_tokenizer(KNOWN["llama3"], "metaspace-bpe")), [ONE, TWO]).seams == 0
