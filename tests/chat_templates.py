"""Chat templates of well-known models, written anew from their published formats, and tokenizers that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

CHATML = """{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

YI = """{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}
{%- for m in messages if m.role != 'system' %}
    {{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

QWEN = """
{%- if tools %}
    {{- '<|im_start|>system\\n' + (messages[0].content + '\\n\\n' if messages[0].role == 'system' else '') }}
    {{- '# Tools\\n<tools>' }}
    {%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
    {{- '\\n</tools><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last=-1) %}
{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}
{%- for m in messages %}
    {%- if m.role == 'user' or (m.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
    {%- elif m.role == 'assistant' %}
        {%- set content = m.content %}
        {%- set thought = m.reasoning_content or '' %}
        {%- if not thought and '</think>' in content %}
            {%- set thought = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') }}
            {{- '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {%- for call in m.tool_calls or [] %}
            {{- '\\n' if content or not loop.first else '' }}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- (call.function.arguments | tojson) + '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif m.role == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}"""

LLAMA3 = """{{- bos_token }}
{%- for m in messages %}
    {{- '<|start_header_id|>' + ('ipython' if m.role == 'tool' else m.role) + '<|end_header_id|>\\n\\n' }}
    {%- if m.tool_calls %}
        {%- if m.tool_calls | length != 1 %}{{ raise_exception('one call at a time') }}{%- endif %}
        {%- set call = m.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' + (call.arguments | tojson) + '}' }}
    {%- else %}
        {{- m.content | trim }}
    {%- endif %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"""

GEMMA = """{{- bos_token }}
{%- set head = '' %}
{%- if messages[0].role == 'system' %}
    {%- set head = messages[0].content + '\\n\\n' %}
    {%- set messages = messages[1:] %}
{%- endif %}
{%- for m in messages %}
    {%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {{- '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + '\\n' + (head if loop.first else '') }}
    {{- (m.content | trim) + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}"""

MISTRAL = """{{- bos_token }}
{%- if messages[0].role == 'system' %}
    {%- set system, turns = messages[0].content, messages[1:] %}
{%- else %}
    {%- set system, turns = '', messages %}
{%- endif %}
{%- for m in turns %}
    {%- if m.role == 'user' %}
        {{- '[INST] ' + (system + '\\n\\n' if system and loop.revindex <= 2 else '') + m.content + '[/INST]' }}
    {%- elif m.role == 'assistant' %}
        {{- ' ' + (m.content | trim) + eos_token }}
    {%- else %}
        {{- raise_exception('Only user and assistant roles are supported') }}
    {%- endif %}
{%- endfor %}"""

DEEPSEEK = """{{- bos_token }}
{%- for m in messages if m.role == 'system' %}{{- m.content }}{%- endfor %}
{%- for m in messages %}
    {%- if m.role == 'user' %}{{- '<｜User｜>' + m.content }}
    {%- elif m.role == 'assistant' and m.tool_calls %}
        {{- '<｜Assistant｜><｜tool▁calls▁begin｜>' }}
        {%- for call in m.tool_calls %}
            {{- '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + call.function.name + '\\n' }}
            {{- (call.function.arguments | tojson) + '<｜tool▁call▁end｜>' }}
        {%- endfor %}
        {{- '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}
    {%- elif m.role == 'assistant' %}
        {{- '<｜Assistant｜>' + m.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}
    {%- elif m.role == 'tool' %}{{- '<｜tool▁output▁begin｜>' + m.content + '<｜tool▁output▁end｜>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<｜Assistant｜>' }}{%- endif %}"""

DEEPSEEK_R1 = DEEPSEEK.replace("{{- '<｜Assistant｜>' }}{%- endif %}", "{{- '<｜Assistant｜><think>\\n' }}{%- endif %}")

GLM = """{{- '[gMASK]<sop>' }}
{%- for m in messages %}
    {{- '<|' + ('observation' if m.role == 'tool' else m.role) + '|>\\n' + m.content }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}"""

PHI = """{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"""


@dataclass(frozen=True)
class Known:
    """A model's template, the tokens that it needs, and which of them ends an answer."""

    text: str
    special: tuple[str, ...]
    added: tuple[str, ...]
    stop: str
    bos: str | None
    eos: str
    before: str = ""
    """White space that the template writes between its prompt and an answer."""


KNOWN: dict[str, Known] = {
    "chatml": Known(CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), (), "<|im_end|>", None, "<|endoftext|>"),
    "qwen": Known(
        QWEN,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
        "<|im_end|>",
        None,
        "<|im_end|>",
    ),
    "llama3": Known(
        LLAMA3,
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        (),
        "<|eot_id|>",
        "<|begin_of_text|>",
        "<|end_of_text|>",
    ),
    "gemma": Known(
        GEMMA,
        ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
        ("\n\n",),
        "<end_of_turn>",
        "<bos>",
        "<eos>",
    ),
    "mistral": Known(MISTRAL, ("<s>", "</s>", "[INST]", "[/INST]"), (), "</s>", "<s>", "</s>", before=" "),
    "deepseek": Known(
        DEEPSEEK,
        (
            *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
            *("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"),
            *("<｜tool▁sep｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>"),
        ),
        ("<think>", "</think>"),
        "<｜end▁of▁sentence｜>",
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
    ),
    "glm": Known(
        GLM,
        ("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
        (),
        "<|user|>",
        None,
        "<|endoftext|>",
        before="\n",
    ),
    "phi": Known(
        PHI,
        ("<s>", "</s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
        (),
        "<|end|>",
        None,
        "<|endoftext|>",
    ),
    "yi": Known(YI, ("<s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"), (), "<|im_end|>", None, "<|endoftext|>"),
}

TEXTS = [
    "Where is my parcel? It was to come on Monday. user assistant system model tool think function name arguments",
    "包裹什么时候到？星期一还没到，请帮我查一下。谢谢！天气很好，助手回答问题。",
    'The answer is 42 😀, not 👍🏽 or 👩‍👩‍👧. café naïve ﷺ العربية हिन्दी {"city": "York"} [1, 2]\n\n  x',
] * 20

KINDS = ("byte-bpe", "unigram-always", "unigram-first", "metaspace-bpe", "prepend-bpe", "wordpiece")


@cache
def _trained(kind: str, special: tuple[str, ...]) -> str:
    """A tokenizer of a few hundred pieces, as JSON; those that models of its kind keep in the vocabulary are in it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    held = ["<unk>", *special]
    quiet: Any = {"show_progress": False}
    if kind == "byte-bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, **quiet))
    elif kind.startswith("unigram"):
        tokenizer = Tokenizer(models.Unigram())
        scheme: Any = kind.partition("-")[2]
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
        trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=held, unk_token="<unk>", **quiet)
        tokenizer.train_from_iterator(TEXTS, trainer)
    elif kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=500, special_tokens=held, **quiet))
    else:
        tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        prepend: Any = [normalizers.Prepend("▁")] if kind == "prepend-bpe" else []
        tokenizer.normalizer = normalizers.Sequence([*prepend, normalizers.Replace(" ", "▁")])
        pieces: Any = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        tokenizer.decoder = decoders.Sequence(pieces)
        trained = [*held, *(f"<0x{byte:02X}>" for byte in range(256))]
        trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=trained, **quiet)
        tokenizer.train_from_iterator(TEXTS, trainer)
    return str(tokenizer.to_str())


def chat_tokenizer(known: Known, kind: str = "byte-bpe", *, template: bool = True) -> Any:
    """A tokenizer as transformers opens it that holds a template's markers and puts ``bos``, if any, before texts."""
    from tokenizers import AddedToken, Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer.from_str(_trained(kind, known.special))
    raw.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in known.special])
    raw.add_tokens([AddedToken(token, special=False, normalized=False) for token in known.added])
    if known.bos:
        raw.post_processor = processors.TemplateProcessing(
            single=f"{known.bos} $A", special_tokens=[(known.bos, raw.token_to_id(known.bos))]
        )
    names: Any = {"eos_token": known.eos, **({"bos_token": known.bos} if known.bos else {})}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, clean_up_tokenization_spaces=False, **names)
    if template:
        tokenizer.chat_template = known.text
    return tokenizer
