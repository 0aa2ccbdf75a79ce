"""Models that answer by reading each label's words behind the text: entailment models, and decoders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from supertune.errors import UserError
from supertune.files import read_json, write_json
from supertune.strategies.own_weights import quiet_saving

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

LABELS = "zero_shot.json"
_ANY_TEXT = "text"
_MOST_LOGITS = 64 * 2**20
"""Numbers that a decoder gives out at once: at 262,144 words and 256 tokens a text, 256 MB are one text's."""
_PARTS = ("names", "labels", "unread", "types")
"""What is stored: the labels' names, the tokens of their texts, what decoders make of those behind nothing, and whether
the second text has token types of its own."""


def entails(config: PreTrainedConfig) -> int | None:
    """Index of a model's answer that a text entails another; None where it has no such answer."""
    if not any(name.endswith("ForSequenceClassification") for name in config.architectures or ()):
        return None
    names = config.id2label or {}
    found = [int(index) for index, name in names.items() if str(name).lower() in ("entailment", "entail", "蕴含")]
    return found[0] if found else None


def looks_back_only(config: PreTrainedConfig) -> bool:
    """Whether a model of this kind is a decoder: it names the next token, and is not trained to fill gaps."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if config.is_encoder_decoder or config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return False
    return config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or bool(getattr(config, "is_decoder", False))


def continues(model: PreTrainedModel) -> bool:
    """Whether a model says how probable every next token is."""
    return type(model).__name__.endswith(("ForCausalLM", "LMHeadModel"))


def reads_behind(model: PreTrainedModel) -> bool:
    """Whether `appending` has a way for the model."""
    judges = type(model).__name__.endswith("ForSequenceClassification") and entails(model.config) is not None
    return judges or continues(model)


def appending(model: PreTrainedModel) -> PreTrainedModel:
    """The model as one that gives a number for every label; `read` tells it the labels.

    An entailment model: how sure it is that the label's text follows (Yin, Hay and Roth 2019, "Benchmarking zero-shot
    text classification"). A decoder: by how much the text makes the label's words more probable than they are
    without it (Holtzman et al. 2021, "Surface form competition", equation 2).
    """
    built: PreTrainedModel = _class()(model)
    return built


def read(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    names: Sequence[str],
    meanings: Sequence[Sequence[str]],
) -> None:
    """Tell the model what labels it has and what each means; of several texts the mean of the numbers counts.

    Raises:
        UserError: The tokenizer does not put a second text behind the first.
    """
    opened: Any = model
    opened.names = list(names)
    decoder = continues(opened.inner)
    tokens_of = _likelihood_tokens if decoder else _entailment_tokens
    opened.labels = [[tokens_of(opened, tokenizer, text) for text in texts] for texts in meanings]
    opened.unread = _unread(opened, tokenizer) if decoder else []


def save(model: PreTrainedModel, folder: str) -> None:
    """The model as it was, and the labels' tokens in ``zero_shot.json``."""
    opened: Any = model
    with quiet_saving():
        opened.inner.save_pretrained(folder)
    write_json(Path(folder) / LABELS, {part: getattr(opened, part) for part in _PARTS})


def load(model: PreTrainedModel, folder: str) -> PreTrainedModel:
    """What `save` wrote, over the model that it saved.

    Raises:
        UserError: The labels' file is missing or damaged.
    """
    stored = read_json(Path(folder) / LABELS)
    opened: Any = appending(model)
    try:
        for part in _PARTS:
            setattr(opened, part, stored[part])
    except (KeyError, TypeError) as error:
        raise UserError("is damaged", where=str(Path(folder) / LABELS), fix="restore the file") from error
    whole: PreTrainedModel = opened
    return whole


def load_lines(model: PreTrainedModel) -> str:
    """Python lines that make ``tokenizer`` and ``model`` from the folder saved, text by text and label by label."""
    if continues(cast(Any, model).inner):
        auto_class, number = (
            "AutoModelForCausalLM",
            """\
    shares = inner(input_ids=both).logits[0].log_softmax(-1)
    return sum(shares[len(text) + place - 1, token] for place, token in enumerate(tokens))""",
        )
    else:
        auto_class, number = (
            "AutoModelForSequenceClassification",
            f"""\
    types = {{"token_type_ids": torch.tensor([[0] * len(text) + [1] * len(tokens)])}} if known["types"] else {{}}
    return inner(input_ids=both, **types).logits[0, {entails(model.config)}]""",
        )
    return f"""\
import json
from types import SimpleNamespace

from transformers import {auto_class}, AutoTokenizer

folder = "."  # this folder
tokenizer = AutoTokenizer.from_pretrained(folder)
inner = {auto_class}.from_pretrained(folder).eval()
with open(f"{{folder}}/{LABELS}", encoding="utf-8") as file:
    known = json.load(file)


def number(text, tokens):
    both = torch.cat([text, torch.tensor(tokens)])[None]
{number}


def model(input_ids, attention_mask, **others):
    rows = []
    for ids, mask in zip(input_ids, attention_mask):
        found = [sum(number(ids[mask == 1], tokens) for tokens in texts) / len(texts) for texts in known["labels"]]
        rows.append(torch.tensor(found) - torch.tensor([sum(each) / len(each) for each in known["unread"]] or 0.0))
    return SimpleNamespace(logits=torch.stack(rows))


model.config = SimpleNamespace(id2label=dict(enumerate(known["names"])))
"""


def _behind(
    input_ids: torch.Tensor, attention_mask: torch.Tensor, tokens: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids and mask with the tokens behind every text, before its padding; and the first position of theirs."""
    import torch

    begins = attention_mask.sum(dim=1)
    room = torch.zeros(len(input_ids), len(tokens), dtype=input_ids.dtype, device=input_ids.device)
    ids, mask = torch.cat([input_ids, room], dim=1), torch.cat([attention_mask, room.to(attention_mask.dtype)], dim=1)
    places = begins[:, None] + torch.arange(len(tokens), device=input_ids.device)
    ids = ids.scatter(1, places, torch.tensor(tokens, device=ids.device, dtype=ids.dtype).expand(len(ids), -1))
    return ids, mask.scatter(1, places, 1), begins


def _entailment_tokens(model: Any, tokenizer: Any, text: str) -> list[int]:
    alone = tokenizer(_ANY_TEXT)["input_ids"]
    both = tokenizer(_ANY_TEXT, text)
    if both["input_ids"][: len(alone)] != alone:
        raise UserError(
            "has a tokenizer that does not put a second text behind the first",
            where=model.config.name_or_path or None,
            fix="choose another entailment model",
        )
    model.types = any(both.get("token_type_ids") or ())
    return list(both["input_ids"][len(alone) :])


def _entailment(
    model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, tokens: Sequence[int]
) -> torch.Tensor:
    """How sure the model is that the tokens' text follows, float (items,)."""
    import torch

    ids, mask, begins = _behind(input_ids, attention_mask, tokens)
    named = {}
    if model.types:
        places = torch.arange(ids.shape[1], device=ids.device)
        named["token_type_ids"] = ((places >= begins[:, None]) & mask.bool()).to(ids.dtype)
    answer: torch.Tensor = model.inner(input_ids=ids, attention_mask=mask, **named).logits[:, entails(model.config)]
    return answer


def _likelihood_tokens(model: Any, tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer("\n" + text, add_special_tokens=False)["input_ids"])


def _likelihood(
    model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, tokens: Sequence[int]
) -> torch.Tensor:
    """Log-probability of the tokens behind each text, float32 (items,)."""
    import torch

    vocabulary = model.config.get_text_config().vocab_size
    rows_at_once = max(1, _MOST_LOGITS // (vocabulary * (input_ids.shape[1] + len(tokens))))
    if len(input_ids) > rows_at_once:
        pieces = zip(torch.split(input_ids, rows_at_once), torch.split(attention_mask, rows_at_once), strict=True)
        return torch.cat([_likelihood(model, ids, mask, tokens) for ids, mask in pieces])
    ids, mask, begins = _behind(input_ids, attention_mask, tokens)
    logits = model.inner(input_ids=ids, attention_mask=mask).logits
    # Of a blank text nothing is read: see `forward`.
    places = begins.clamp(min=1)[:, None] + torch.arange(len(tokens), device=ids.device)
    places = places.clamp(max=ids.shape[1] - 1)
    rows = torch.arange(len(ids), device=ids.device)[:, None]
    shares = torch.log_softmax(logits[rows, places - 1].float(), dim=-1)
    return shares.gather(2, ids.gather(1, places)[..., None]).squeeze(-1).sum(1)


def _unread(model: Any, tokenizer: Any) -> list[list[float]]:
    """Log-probability of every label's texts behind nothing."""
    import torch

    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = torch.tensor([tokenizer("")["input_ids"] or [0 if first is None else first]])
    with torch.inference_mode():
        return [
            [float(_likelihood(model, ids, torch.ones_like(ids), tokens)) for tokens in texts] for texts in model.labels
        ]


@cache
def _class() -> Any:
    # A class in a function, so that this module can be imported without torch.
    import torch
    from transformers.modeling_outputs import SequenceClassifierOutput

    class Appending(torch.nn.Module):
        """A model that gives a number for every label; used like a classifier of transformers."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.config, self.inner = inner.config, inner
            self.names: list[str] = []
            self.labels: list[list[list[int]]] = []
            self.unread: list[list[float]] = []
            self.types = False

        @property
        def base_model(self) -> Any:
            return self.inner.base_model

        @property
        def longest(self) -> int:
            """Tokens of the longest text behind."""
            return max((len(tokens) for texts in self.labels for tokens in texts), default=0)

        def set_attn_implementation(self, *given: Any, **named: Any) -> None:
            self.inner.set_attn_implementation(*given, **named)

        def get_input_embeddings(self) -> Any:
            return self.inner.get_input_embeddings()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> Any:
            number = _likelihood if continues(self.inner) else _entailment
            found = [
                torch.stack([number(self, input_ids, attention_mask, tokens) for tokens in texts]).mean(0)
                for texts in self.labels
            ]
            logits = torch.stack(found, dim=1)
            if self.unread:
                logits = logits - torch.tensor([sum(each) / len(each) for each in self.unread], device=logits.device)
            # A text of no tokens says nothing for or against any label.
            return SequenceClassifierOutput(logits=logits * (attention_mask.sum(dim=1) > 0)[:, None])

    return Appending
