"""One paragraph in plain words on texts that a model wrote, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from supertune.contracts import Score
from supertune.evaluate.telling import Words, teller, too_few

_WIDE = 0.1
_MOST = 0.5
_OFTEN = 0.02
"""Share of texts from which on something is worth a sentence."""
_BITS = "bits_per_character"
_FORGOTTEN = 0.05
"""Bits per character by which general texts may become dearer before that is worth a sentence."""
_FAULTS = {"run on": "run_on", "empty": "empty"}
_RIVALS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        "few_shot": ("the untrained model shown a few examples", "showing examples to the untrained model"),
        "untrained": ("the model before training", "the model as it was"),
    },
    "zh": {
        "few_shot": ("看了几个示例的未训练模型", "给未训练模型看示例"),
        "untrained": ("训练前的模型", "训练前的模型"),
    },
}
"""Baseline → what it is called beside the model, and as what to do instead."""
WORDS: Words = {
    "en": {
        "chrf": "On {n:,} {test} {n:row|rows} {unseen}, what the model writes reaches a chrF of {score:.1%}: so much "
        "do its runs of characters have in common with what people wrote.",
        "rouge1": "On {n:,} {test} {n:row|rows} {unseen}, {score:.1%} of the words are the same in what the model "
        "writes and what people wrote (ROUGE-1).",
        "f1": "On {n:,} {test} {n:question|questions} {unseen}, answers have {score:.1%} of their words in common with "
        "the right ones (F1), and {exact:.1%} are the same word for word.",
        "bits": "On {n:,} {test} {n:row|rows} {unseen}, what people wrote costs the model "
        "{bits:.2f bits per character}.",
        "beside bits": "What people wrote costs it {bits:.2f} bits per character, and cost {before:.2f} before "
        "training.",
        "chrf name": "chrF",
        "rouge1 name": "ROUGE-1",
        "f1 name": "F1",
        "bits name": "bits per character",
        "run on": "{share:.0%} of its texts came to no end and were cut off.",
        "empty": "{share:.0%} of its texts are empty.",
        "forgotten": "It has forgotten some of what it knew: general texts cost {bits:.2f bits per character} more "
        "than before training; mixing general texts in (data.mix) or going part of the way back (train.interpolation) "
        "can help.",
        "otherwise": "To become better, read the worst texts in the report first, then add rows like them.",
        "run on advice": "What would help most: let answers become longer (task.max_new_tokens), or look whether "
        "training answers end as they should.",
    },
    "zh": {
        "chrf": "在{unseen}的 {n} 条{test}数据上，模型所写与人所写的字符片段重合程度（chrF）为 {score:.1%}。",
        "rouge1": "在{unseen}的 {n} 条{test}数据上，模型所写与人所写重合的词（中文为字，ROUGE-1）占 {score:.1%}。",
        "f1": "在{unseen}的 {n} 个{test}问题上，回答与标准答案的重合程度（F1）为 {score:.1%}，"
        "完全相同的占 {exact:.1%}。",
        "bits": "在{unseen}的 {n} 条{test}数据上，模型预测人所写的文本平均每个字符需要 {bits:.2f 比特}。",
        "beside bits": "预测人所写的文本平均每个字符需要 {bits:.2f} 比特，训练前为 {before:.2f}。",
        "chrf name": " chrF",
        "rouge1 name": " ROUGE-1",
        "f1 name": " F1",
        "bits name": "每字符比特数",
        "run on": "{share:.0%} 的文本没有正常结束，被截断。",
        "empty": "{share:.0%} 的文本为空。",
        "forgotten": "模型遗忘了部分原有知识：预测一般文本平均每个字符比训练前多需要 {bits:.2f 比特}；"
        "可以混入一般文本（data.mix），或向训练前的权重退回一部分（train.interpolation）。",
        "otherwise": "想要更好，请先阅读报告中最差的文本，再补充类似的数据。",
        "run on advice": "最有帮助的是允许更长的回答（task.max_new_tokens），或检查训练数据中的回答是否正常结束。",
    },
}


def verdict_on_texts(
    scores: Mapping[str, Score],
    baselines: Mapping[str, Mapping[str, Score]],
    difference: Score | None,
    *,
    metric: str,
    rival: str,
    forgotten: Mapping[str, Score] | None = None,
    language: str = "en",
    split: str = "test",
) -> str:
    """Three to six sentences for a person who is not a statistician.

    Args:
        scores: The model's scores on the test rows.
        baselines: Name (``untrained``, ``few_shot``) → its scores on the same rows.
        difference: The model minus the rival in ``metric``, or None.
        metric: By which texts are judged first, or ``bits_per_character`` where none were written.
        rival: The baseline that it is compared with.
        forgotten: General texts (``general_en``) → bits per character after training minus before.
        language: ``en`` or ``zh``.
        split: What the rows are: ``test``, or ``validation`` where there are no test rows.

    Raises:
        UserError: The language has no words here.
    """
    name, simple = _RIVALS.get(language, _RIVALS["en"])[rival]
    family = "bits" if metric == _BITS else metric.removesuffix("_cmrc")
    tell = teller(WORDS, language, split)
    named = {"metric": tell.phrases[f"{family} name"], "rival": name, "simple": simple}
    tell = replace(tell, phrases={**tell.phrases, **named})
    score, bits = scores[metric], scores.get(_BITS)
    before = baselines.get("untrained", {}).get(_BITS)
    lost = [change for change in (forgotten or {}).values() if change.low > 0 and change.value > _FORGOTTEN]
    worst = max(lost, key=lambda change: change.value, default=None)
    kept = "" if worst is None else tell("forgotten", bits=worst)
    if metric == _BITS:
        said = [tell("bits", bits=score, n=score.n), tell.compared(_less(difference), decimals=2, points=False), kept]
        return tell.paragraph(said, tell.advice(_less(difference), vague=too_few(score, width=score.value)))
    exact = scores.get(metric.replace("f1", "exact_match"), score)
    said = [
        tell(family, score=score, n=score.n, exact=exact),
        tell.compared(difference),
        tell("beside bits", bits=bits.value, before=before.value) if bits and before else "",
        *(tell(phrase, share=scores[name].value) for phrase, name in _FAULTS.items() if scores[name].value > _OFTEN),
        kept,
    ]
    cut_off = scores["run_on"].value
    if cut_off > _MOST:
        # No number of rows tells more of a model that cannot stop.
        return tell.paragraph(said, tell("run on advice"))
    advice = tell.advice(
        difference, vague=too_few(score, width=2 * _WIDE), otherwise="run on advice" if cut_off > _WIDE else "otherwise"
    )
    return tell.paragraph(said, advice)


def _less(difference: Score | None) -> Score | None:
    """By how much less: what is below the rival is ahead of it."""
    if difference is None:
        return None
    return replace(difference, value=-difference.value, low=-difference.high, high=-difference.low)
