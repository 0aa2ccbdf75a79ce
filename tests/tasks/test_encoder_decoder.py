"""What an encoder reads and its decoder writes: tokens are the tokenizer's own, and the loss is the model's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from supertune.contracts import Columns, Layout
from supertune.conversations import Conversation, Message, ToolCall
from supertune.errors import UserError
from supertune.tasks import ConversationEncoder, RowProblemError, probed, prompt_tokens, text_pieces
from supertune.tasks.answer_rendering import AnswerRenderer, adopt_answer_template
from supertune.tasks.encoder_decoder import decoder_start, parted, second_half
from supertune.tasks.generation import ChatTask, PlainTextTask
from supertune.tasks.likelihoods import check_head, summed_loss, token_likelihoods
from supertune.tasks.rendering import RenderingSettings
from supertune.train import TokenRule, collate, linear_cross_entropy, token_losses
from tiny_decoders import write_tiny_bart, write_tiny_t5

VOCABULARY = 60
BART: dict[str, Any] = {
    **{"vocab_size": VOCABULARY, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "init_std": 0.5},
    **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16},
    **{"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 64},
}
T5: dict[str, Any] = {
    **{"vocab_size": VOCABULARY, "d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 32},
    **{"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1},
}
HALF = {
    **{"vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1},
    **{"final_logit_softcapping": 3.0},
}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("T5ForConditionalGeneration", T5),
    "t5-untied-gated": ("T5ForConditionalGeneration", T5 | GATED),
    "mt5": ("MT5ForConditionalGeneration", T5),
    "bart": ("BartForConditionalGeneration", BART | {"decoder_start_token_id": 2}),
    "mbart": ("MBartForConditionalGeneration", BART | {"decoder_start_token_id": 2}),
    "marian": ("MarianMTModel", BART | {"decoder_start_token_id": 1, "scale_embedding": True}),
    "pegasus": ("PegasusForConditionalGeneration", BART | {"decoder_start_token_id": 1}),
    "t5gemma": (
        "T5GemmaForConditionalGeneration",
        {"encoder": HALF, "decoder": HALF, "decoder_start_token_id": 2, "pad_token_id": 0},
    ),
}


def built(kind: str) -> Any:
    name, settings = MODELS[kind]
    model_class = getattr(transformers, name)
    torch.manual_seed(0)
    model = model_class(model_class.config_class(**settings)).eval()
    if hasattr(model, "final_logits_bias"):
        # Those of Marian are not zero once it was trained.
        model.final_logits_bias.copy_(torch.randn(1, VOCABULARY))
    return model


def batches(model: Any, sizes: tuple[tuple[int, int], ...] = ((5, 3), (2, 7), (9, 1))) -> tuple[Any, Any]:
    """Random texts, read and written: as a batch of ours, and as transformers has it."""
    generator = torch.Generator().manual_seed(1)
    config, count = model.config, len(sizes)
    longest, most_read, most_written = max(map(sum, sizes)), *(max(each) for each in zip(*sizes, strict=True))
    ours = {name: torch.zeros(count, longest, dtype=torch.long) for name in ("input_ids", "attention_mask", "written")}
    ours["weights"] = torch.zeros(count, longest)
    theirs = {
        "input_ids": torch.full((count, most_read), config.pad_token_id),
        "attention_mask": torch.zeros(count, most_read, dtype=torch.long),
        "labels": torch.full((count, most_written), -100),
    }
    for row, (read, wrote) in enumerate(sizes):
        ids = torch.randint(3, VOCABULARY, (read + wrote,), generator=generator)
        ids[-1] = config.eos_token_id
        ours["input_ids"][row, : read + wrote], ours["attention_mask"][row, : read + wrote] = ids, 1
        ours["written"][row, read : read + wrote], ours["weights"][row, read : read + wrote] = 1, 1
        theirs["input_ids"][row, :read], theirs["attention_mask"][row, :read] = ids[:read], 1
        theirs["labels"][row, :wrote] = ids[read:]
    return ours, theirs


def criterion(hidden: Any, head: Any, targets: Any, weights: Any, cap: float | None) -> Any:
    return linear_cross_entropy(hidden, head, targets, weights, TokenRule(cap))


@pytest.mark.parametrize("kind", MODELS)
def test_loss_and_gradients_are_those_of_the_models_own_labels(kind: str) -> None:
    model = built(kind)
    ours, theirs = batches(model)
    loss, count = summed_loss(model, ours, criterion)
    (loss / count).backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    model.zero_grad()
    own = model(**theirs).loss
    own.backward()
    assert int(count) == 11
    assert loss.item() / 11 == pytest.approx(own.item(), rel=1e-5)
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (name not in gradients), name
        if parameter.grad is not None:
            scale = max(1.0, float(parameter.grad.abs().max()))
            torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-5, atol=1e-5 * scale)
    check_head(model, ours, token_losses, where="here")


def test_likelihoods_stand_at_the_tokens_that_are_written_and_padding_changes_nothing() -> None:
    model = built("bart")
    ours, theirs = batches(model)
    found = token_likelihoods(model, ours, token_losses)
    with torch.no_grad():
        shares = model(**theirs).logits.log_softmax(-1)
    assert not found[ours["written"] == 0].any()
    for row, labels in enumerate(theirs["labels"]):
        kept = labels[labels >= 0]
        expected = -shares[row, range(len(kept)), kept]
        torch.testing.assert_close(found[row][ours["written"][row] == 1], expected, rtol=1e-5, atol=1e-5)
        alone = {name: each[row : row + 1, : int(ours["attention_mask"][row].sum())] for name, each in ours.items()}
        single = token_likelihoods(model, alone, token_losses)[0]
        torch.testing.assert_close(single, found[row, : len(single)], rtol=1e-5, atol=1e-5)


def test_each_side_is_padded_to_its_own_longest() -> None:
    model = built("t5")
    inputs = parted(model, batches(model)[0])
    assert {name: tuple(each.shape) for name, each in inputs.items()} == {
        **{"input_ids": (3, 9), "attention_mask": (3, 9), "decoder_input_ids": (3, 7)}
    }
    assert inputs["decoder_input_ids"][:, 0].tolist() == [0, 0, 0]
    assert not inputs["input_ids"][inputs["attention_mask"] == 0].any()


def test_texts_that_nobody_parted_are_cut_in_two() -> None:
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]])
    assert second_half(mask_batch := {"attention_mask": mask}).tolist() == [[0, 0, 1, 1], [0, 0, 1, 0], [0, 1, 0, 0]]
    assert not (second_half(mask_batch) & (1 - mask)).any()


def test_a_model_that_changes_its_logits_is_refused() -> None:
    model = built("bart")
    model.register_forward_hook(lambda module, given, out: replace(out, logits=out.logits * 2))
    with pytest.raises(UserError, match="changes its logits"):
        check_head(model, batches(model)[0], token_losses, where="here")


def test_a_decoder_must_know_where_it_begins() -> None:
    model = built("bart")
    assert decoder_start(model) == 2
    model.config.decoder_start_token_id = model.generation_config.decoder_start_token_id = None
    with pytest.raises(UserError, match="with which token its decoder begins"):
        decoder_start(model)


# ------------------------------------------------------------ tokens


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = write_tiny_t5(tmp_path_factory.mktemp("t5"))
    return lambda: transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def bart(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = write_tiny_bart(tmp_path_factory.mktemp("bart"))
    return lambda: transformers.AutoTokenizer.from_pretrained(folder)


def encoder(tokenizer: Any, max_length: int = 64, template: str | None = None, **options: Any) -> ConversationEncoder:
    too_long = options.pop("too_long", "cut")
    adopted = adopt_answer_template(tokenizer, template)
    return ConversationEncoder(
        AnswerRenderer(tokenizer, adopted, RenderingSettings(**options)), max_length, too_long=too_long
    )


def talk(*said: str, **last: Any) -> Conversation:
    """A question, an answer, and so on."""
    roles = ("user", "assistant")
    messages = [Message(roles[place % 2], text) for place, text in enumerate(said)]  # type: ignore[arg-type]
    return Conversation((*messages[:-1], replace(messages[-1], **last)))


def items(made: ConversationEncoder, *conversations: Conversation) -> list[tuple[list[int], list[int], list[float]]]:
    """What is read, what is written, and what it weighs."""
    features = made.encode(conversations)
    found = []
    for begin, end in zip(features.offsets[:-1], features.offsets[1:], strict=True):
        ids, written = features.tokens["input_ids"][begin:end], features.tokens["written"][begin:end].astype(bool)
        assert not features.tokens["weights"][begin:end][~written].any()
        assert (np.diff(written.astype(int)) >= 0).all()
        weights = features.tokens["weights"][begin:end][written]
        found.append((ids[~written].tolist(), ids[written].tolist(), weights.tolist()))
    return found


@pytest.mark.parametrize("kind", ["t5", "bart"])
@pytest.mark.parametrize(
    ("asked", "answer"), [("good film", "好电影"), ("包裹 迟到 了 😀\n\n?", "my  parcel\n is late ")]
)
def test_both_sides_are_as_the_tokenizer_writes_texts(kind: str, asked: str, answer: str, request: Any) -> None:
    tokenizer = request.getfixturevalue(kind)()
    expected = (tokenizer(asked)["input_ids"], tokenizer(text_target=answer)["input_ids"])
    made = encoder(tokenizer)
    for _ in range(3):
        ((read, written, weights),) = items(made, talk(asked, answer))
        assert (read, written) == expected
        assert weights == [1.0] * len(written)
    (prompt,) = prompt_tokens(made, [talk(asked)])
    assert prompt.tolist() == expected[0]
    (plain,) = prompt_tokens(made, [Conversation((Message("assistant", asked),), plain=True)])
    assert plain.tolist() == expected[0]
    served = tokenizer.apply_chat_template(
        [{"role": "user", "content": asked}], add_generation_prompt=True, return_dict=True
    )
    assert served["input_ids"] == expected[0]
    assert made.counts.summary()["stops"] == {"<eos>": 3}


def test_every_answer_is_an_item_with_what_was_said_before(t5: Any) -> None:
    tokenizer = t5()
    conversation = Conversation((Message("system", "Be brief."), *talk("good", "好", "bad", "坏").messages))
    first, second = items(encoder(tokenizer), conversation)
    assert tokenizer.decode(first[0]) == "### System:\nBe brief.\n\n### User:\ngood<eos>"
    assert tokenizer.decode(first[1]) == "好<eos>"
    assert tokenizer.decode(second[0]) == (
        "### System:\nBe brief.\n\n### User:\ngood\n\n### Assistant:\n好\n\n### User:\nbad<eos>"
    )
    assert tokenizer.decode(second[1]) == "坏<eos>"
    (last,) = items(encoder(tokenizer, learn="last"), conversation)
    assert last == second


def test_weights_and_what_is_not_to_be_learned_are_respected(t5: Any) -> None:
    made = encoder(t5())
    heavy, silent = talk("good", "好", "bad", "坏", weight=2.0), talk("good", "好", "bad", "坏", train=False)
    assert [set(weights) for _, _, weights in items(made, heavy)] == [{1.0}, {2.0}]
    assert len(items(made, silent)) == 1
    assert not items(made, talk("good"))
    assert made.counts.problems == {"unanswered": [0]}
    # One among others is left out and told; alone it is all there is.
    made.counts.refuse()
    assert any("it has no answer" in told for told in made.counts.told())
    alone = encoder(t5())
    assert not items(alone, talk("good"))
    with pytest.raises(UserError, match=r"no row is left to learn from.*it has no answer"):
        alone.counts.refuse()
    with pytest.raises(RowProblemError, match="message of the user"):
        made.renderer.render(Conversation((Message("user", "a"), Message("user", "b", train=True))))


def test_reasoning_and_calls_are_written(t5: Any) -> None:
    tokenizer = t5()
    thought = talk("good", "好", reasoning="Chinese it is.")
    for reasoning, said, learned in (
        ("keep", "<think>\nChinese it is.\n</think>\n\n好<eos>", "<think>\nChinese it is.\n</think>\n\n好<eos>"),
        ("mask", "<think>\nChinese it is.\n</think>\n\n好<eos>", "好<eos>"),
        ("drop", "好<eos>", "好<eos>"),
    ):
        ((_, written, weights),) = items(encoder(tokenizer, reasoning=reasoning), thought)
        assert tokenizer.decode(written) == said
        kept = [token for token, weight in zip(written, weights, strict=True) if weight]
        assert tokenizer.decode(kept).strip() == learned
    call = ToolCall("weather", {"city": "北京"})
    tools = ({"type": "function", "function": {"name": "weather", "parameters": {}}},)
    asked = replace(talk("rain?", "", tool_calls=(call,)), tools=tools)
    ((read, written, _),) = items(encoder(tokenizer, 256), asked)
    assert '"name": "weather"' in tokenizer.decode(read)
    assert tokenizer.decode(written) == '<tool_call>{"name": "weather", "arguments": {"city": "北京"}}</tool_call><eos>'


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_what_people_type_stays_text(kind: str, request: Any) -> None:
    tokenizer = request.getfixturevalue(kind)()
    made = encoder(tokenizer)
    ((read, written, _),) = items(made, talk("say <eos> or <pad>", "<bos> it <eos>!"))
    frame, end = ([1], [2]) if kind == "bart" else ([], [2])
    for ids, text in ((read, "say <eos> or <pad>"), (written, "<bos> it <eos>!")):
        assert ids[: len(frame)] == frame
        assert ids[-1:] == end
        inner = ids[len(frame) : -1]
        assert not set(inner) & {0, 1, 2}
        assert tokenizer.decode(inner) == text


def test_each_side_has_its_own_limit(t5: Any) -> None:
    tokenizer = t5()
    conversation = talk("good film " * 20, "好电影")
    whole = tokenizer("good film " * 20)["input_ids"]
    made = encoder(tokenizer, 16)
    ((read, written, _),) = items(made, conversation)
    assert read == [*whole[:15], whole[-1]]
    assert tokenizer.decode(written) == "好电影<eos>"
    features = made.encode([conversation])
    assert features.full_lengths.tolist() == [len(whole)]
    assert features.lengths.tolist() == [16 + len(written)]
    assert made.counts.cut_rows == [0]
    assert not made.counts.lost_rows
    made.counts.refuse()


def test_an_answer_that_would_be_cut_is_refused_dropped_or_counted(t5: Any) -> None:
    long = talk("good", "好电影 " * 20)
    cutting = encoder(t5(), 16)
    ((_, written, _),) = items(cutting, long)
    assert len(written) == 16
    with pytest.raises(UserError, match="would lose part of their answer at 16 tokens"):
        cutting.counts.refuse()
    dropping = encoder(t5(), 16, too_long="drop")
    assert [len(written) for _, written, _ in items(dropping, long, talk("good", "好"))] == [2]
    assert list(dropping.counts.long_rows) == [0]


@pytest.mark.parametrize("learn", ["all", "template"])
def test_what_is_asked_cannot_be_learned(t5: Any, learn: Any) -> None:
    with pytest.raises(UserError, match="only read by its encoder"):
        encoder(t5(), learn=learn)


def test_headings_can_be_asked_for_and_a_template_of_ones_own_is_used(t5: Any) -> None:
    tokenizer = t5()
    ((read, _, _),) = items(encoder(tokenizer, template="headings"), talk("good", "好"))
    assert tokenizer.decode(read) == "### User:\ngood<eos>"
    own = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token if m.role == 'assistant' }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    tokenizer = t5()
    ((read, written, _),) = items(encoder(tokenizer, template=own), talk("good", "好"))
    assert tokenizer.decode(read) == "[user]good[assistant]"
    assert tokenizer.decode(written) == "好<eos>"


def test_a_tokenizer_that_was_saved_asks_in_the_same_way(bart: Any, tmp_path: Path) -> None:
    tokenizer = bart()
    before = items(encoder(tokenizer), talk("good film", "好电影"))
    tokenizer.save_pretrained(tmp_path)
    again = encoder(transformers.AutoTokenizer.from_pretrained(tmp_path))
    assert items(again, talk("good film", "好电影")) == before
    assert again.renderer.identity == encoder(tokenizer).renderer.identity


def test_pieces_are_the_texts_in_order(bart: Any) -> None:
    made = encoder(bart())
    (item,) = made.renderer.render(talk("good film", "好电影"))
    (tokens,) = made.tokens([item])
    assert item.reading is not None
    assert tokens.reading is not None
    read, written = text_pieces(item.reading, tokens.reading), text_pieces(item, tokens)
    assert "".join(said for said, _, _ in read) == "<bos>good film<eos>"
    assert "".join(said for said, _, _ in written) == "<bos>好电影<eos>"
    assert not any(weight for _, weight, _ in read)
    assert all(weight for _, weight, _ in written)
    assert [tokens.ids[first] for said, _, first in written if said in ("<bos>", "<eos>")] == [1, 2]


def test_what_the_template_does_is_found_without_alarm(bart: Any) -> None:
    found = probed(encoder(bart()), [talk("good film", "好电影"), talk("good", "好", "bad", "坏")])
    assert found.stops == {"<eos>": 3}
    assert found.announcements == ("an answer ends with <eos>",)


def languages(target: str | None) -> Any:
    """A tokenizer of mBART-50's kind: the language stands before both sides."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(piece, -2.0) for piece in ("▁good", "▁film", "▁", "好", "电影", "a")]
    return transformers.MBart50Tokenizer(vocab=pieces, src_lang="en_XX", tgt_lang=target)


def test_languages_stand_where_the_tokenizer_puts_them() -> None:
    tokenizer = languages("zh_CN")
    expected = (tokenizer("good film")["input_ids"], tokenizer(text_target="好电影")["input_ids"])
    assert tokenizer.convert_ids_to_tokens(expected[1])[0] == "zh_CN"
    ((read, written, weights),) = items(encoder(tokenizer), talk("good film", "好电影"))
    assert (read, written) == expected
    assert weights == [1.0] * len(written)
    with pytest.raises(UserError, match="does not say which one is written"):
        encoder(languages(None))


# ------------------------------------------------------------ the task


def test_the_task_knows_its_kind_when_it_is_opened_again() -> None:
    layout = Layout("prompt-completion", {"answer": "b"}, prompt="{a}")
    columns = Columns(("a",), ("b",), answers="generated", layout=layout)
    task = ChatTask(columns).for_encoder_decoder().ending(["<eos>"])
    again = ChatTask.from_state(task.state())
    assert again.encoder_decoder
    assert again.head().auto_class == "AutoModelForSeq2SeqLM"
    assert again.stops == ("<eos>",)
    old = {name: value for name, value in ChatTask(columns).state().items() if name != "encoder_decoder"}
    assert ChatTask.from_state(old).head().auto_class == "AutoModelForCausalLM"


def test_plain_texts_are_refused() -> None:
    layout = Layout("text", {}, prompt="{text}")
    with pytest.raises(UserError, match="nobody asked for"):
        PlainTextTask(Columns(("text",), answers="generated", layout=layout)).for_encoder_decoder()


def test_random_tokens_have_likelihoods_to_compare_a_merged_model_by() -> None:
    layout = Layout("prompt-completion", {"answer": "b"}, prompt="{a}")
    task = ChatTask(Columns(("a",), ("b",), answers="generated", layout=layout)).for_encoder_decoder()
    ids = torch.arange(3, 19).reshape(2, 8)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    found = task.measuring(token_losses).forward(built("t5"), batch)
    assert (found[:, 4:] > 0).all()
    assert not found[:, :4].any()


def test_collated_features_give_the_same_loss_whatever_they_share_a_batch_with(t5: Any) -> None:
    tokenizer = t5()
    features = encoder(tokenizer).encode([talk("good film", "好"), talk("a", "my parcel is late"), talk("tea", "茶")])
    torch.manual_seed(0)
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**{**T5, "vocab_size": 400})).eval()
    together = summed_loss(model, collate(features, np.arange(3), {}), criterion)
    alone = [summed_loss(model, collate(features, np.array([item]), {}), criterion) for item in range(3)]
    assert together[0].item() == pytest.approx(sum(loss.item() for loss, _ in alone), rel=1e-5)
    assert int(together[1]) == sum(int(count) for _, count in alone)
