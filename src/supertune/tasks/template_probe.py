"""What a template does with the rows, found before any training: what ends an answer, and what stands before one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from supertune.conversations import Conversation
from supertune.errors import UserError
from supertune.tasks.answer_rendering import AnswerRenderer
from supertune.tasks.conversation_tokens import ConversationEncoder
from supertune.tasks.loss_spans import RowProblemError
from supertune.tasks.rendering import Rendered, Renderer

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedTokenizerBase

_THINKING = "enable_thinking"


@dataclass(frozen=True)
class Probe:
    """What was found.

    Attributes:
        stops: Token that ends answers → how many of those that were looked at.
        preamble: What the template writes between its prompt and an answer and nobody learns (an empty think block);
            empty where there is nothing.
        seams: In how many rows the prompt's tokens are others when it stands alone than in front of the answer, because
            its end and the answer's beginning are cut otherwise together.
        rows: How many rows were looked at.
        thinking_off: ``enable_thinking: false`` makes that part of the prompt: then the model is asked as trained.
    """

    stops: Counter[str]
    preamble: str
    seams: int
    rows: int
    thinking_off: bool

    @property
    def announcements(self) -> tuple[str, ...]:
        """What the user should know, one sentence each."""
        ends = " or ".join(self.stops) or "nothing"
        found = [f"an answer ends with {ends}"]
        if self.preamble and not self.thinking_off:
            found.append(f"the template writes {self.preamble!r} before answers, but does not ask for them with it")
        if self.seams:
            found.append(
                f"in {self.seams} of {self.rows} rows the prompt's last tokens are others in front of the answer than "
                "alone: the model is asked a little otherwise than it was trained (a prompt that ends with a token of "
                "its own or with one line break has no such seam)"
            )
        return tuple(found)


def probed(encoder: ConversationEncoder, conversations: Iterable[Conversation]) -> Probe:
    """Look at some conversations; those that cannot be learned are passed over, and named when all are encoded.

    What ``encoder`` counts stays as it is.

    Raises:
        UserError: None of those that can be learned trains a token that ends an answer.
    """
    renderer = encoder.renderer
    stops: Counter[str] = Counter()
    seams = 0
    preambles: Counter[str] = Counter()
    seen = []
    for conversation in conversations:
        try:
            items = renderer.render(conversation)
        except RowProblemError:
            continue
        for item in items:
            stops.update(item.stops)
        if items:
            preambles[_preamble(renderer, conversation)] += 1
            seams += _has_seam(encoder, conversation, items[-1])
            seen.append(conversation)
    if seen and not stops:
        raise UserError(
            "no answer ends with a token of its own: a model trained on it would never stop",
            where="task.template",
            fix="set task.template=headings, or end answers with the tokenizer's eos_token in your template",
        )
    preamble = max((text for text in preambles if text), key=preambles.__getitem__, default="")
    return Probe(stops, preamble, seams, len(seen), bool(preamble) and _without_thinking(renderer, seen))


def stop_ids(stops: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that `generate` must stop at: those that end answers, the most frequent first, and ``eos_token``."""
    frequent = [stop for stop, _ in stops.most_common()] if isinstance(stops, Counter) else list(stops)
    names = [*frequent, *([tokenizer.eos_token] if tokenizer.eos_token is not None else [])]
    return list(dict.fromkeys(int(tokenizer.backend_tokenizer.token_to_id(name)) for name in names))


def stop_generation(config: GenerationConfig, ids: Sequence[int]) -> None:
    """Have a model's ``generation_config`` stop where its answers end, and where it stopped before.

    What it is padded with is set to the first of them where nothing else is known: generated texts are told apart by
    their length.
    """
    before = config.eos_token_id
    known = [] if before is None else [before] if isinstance(before, int) else list(before)
    config.eos_token_id = list(dict.fromkeys([*ids, *known]))
    if config.pad_token_id is None:
        config.pad_token_id = config.eos_token_id[0]


def _preamble(renderer: Renderer | AnswerRenderer, conversation: Conversation) -> str:
    """What stands between the prompt for the last answer and what is learned of it; empty where that is white space."""
    last = _last_answer(conversation)
    message = conversation.messages[last]
    if conversation.plain or not last or (message.reasoning and renderer.settings.reasoning != "drop"):
        return ""
    upto = replace(conversation, messages=conversation.messages[: last + 1])
    try:
        prompt = renderer.prompt(replace(conversation, messages=conversation.messages[:last])).text
        items = renderer.render(upto)
    except RowProblemError:
        return ""
    # What an encoder reads is no part of what is written.
    begin = len(prompt) if items[-1].reading is None else 0
    spans = [span for item in items[-1:] for span in item.spans if span.begin >= begin]
    between = items[-1].text[begin : spans[0].begin] if spans else ""
    return between if between.strip() else ""


def _has_seam(encoder: ConversationEncoder, conversation: Conversation, item: Rendered) -> bool:
    last = _last_answer(conversation)
    if conversation.plain or not last:
        return False
    try:
        prompt = encoder.renderer.prompt(replace(conversation, messages=conversation.messages[:last]))
    except RowProblemError:
        return False
    if item.reading is not None or not item.text.startswith(prompt.text):
        return False
    alone, together = encoder.tokens([prompt, item])
    return together.ids[: len(alone.ids)] != alone.ids


def _last_answer(conversation: Conversation) -> int:
    """Number of the assistant's last message; 0 where there is none."""
    return max((place for place, each in enumerate(conversation.messages) if each.role == "assistant"), default=0)


def _without_thinking(renderer: Renderer | AnswerRenderer, conversations: Sequence[Conversation]) -> bool:
    """Whether all of some conversations could be learned with ``enable_thinking: false``, asked for as trained."""
    if not renderer.template.knows(_THINKING):
        return False
    template = replace(renderer.template, variables={**renderer.template.variables, _THINKING: False})
    other = type(renderer)(renderer.tokenizer, template, renderer.settings)
    for conversation in conversations:
        if any(message.reasoning for message in conversation.messages) and renderer.settings.reasoning != "drop":
            return False
        try:
            other.render(conversation)
        except RowProblemError:
            return False
        if _preamble(other, conversation):
            return False
    return True
