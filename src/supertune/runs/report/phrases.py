"""Sentences that other rooms say in English, in the language of the page they are shown on.

Warnings and announcements are made once, in English, for the terminal and for files that programs read. A page in
another language says those that are known here in its own; all others stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from supertune.runs.report.gate_phrases import GATE_IN_CHINESE
from supertune.runs.report.words import Language

_WARNING = "interval is approximate"
_NAMED = r"(?P<asked>.+?)(?:; answer: (?P<answer>.+))?"
_CHINESE: Sequence[tuple[str, str]] = (
    # Warnings of scores.
    (r"interval is approximate: it rests on (?P<n>[\d,]+) rows", "区间为近似值：仅依据 {n} 行"),
    (r"interval is approximate: a few rows far from the others decide it", "区间为近似值：由少数偏离较大的行决定"),
    (
        r"interval is approximate: the two models differ in only (?P<n>\d+) of (?P<all>\d+) answers",
        "区间为近似值：两个模型在 {all} 个答案中只有 {n} 个不同",
    ),
    (
        r"interval is approximate: (?P<n>\d+) rows are few to judge confidences by",
        "区间为近似值：只有 {n} 行，不足以判断置信度",
    ),
    (
        r"interval is approximate: the class (?P<label>.+) has only (?P<n>\d+) test rows",
        "区间为近似值：类别 {label} 只有 {n} 行测试数据",
    ),
    (
        r"interval is approximate \(covers 92 to 98 %\): it rests on (?P<n>\d+) right answers among (?P<all>\d+) rows",
        "区间为近似值（覆盖率 92% 至 98%）：{all} 行中只有 {n} 个正确答案",
    ),
    (
        r"interval is approximate \(covers 92 to 98 %\): it rests on (?P<n>\d+) wrong answers among (?P<all>\d+) rows",
        "区间为近似值（覆盖率 92% 至 98%）：{all} 行中只有 {n} 个错误答案",
    ),
    (
        r"interval is approximate: it rests on (?P<n>\d+) wrong answers among (?P<all>\d+) rows",
        "区间为近似值：{all} 行中只有 {n} 个错误答案",
    ),
    (
        r"interval is approximate: the rarest label has (?P<n>\d+) test \w+",
        "区间为近似值：最少的标签只有 {n} 条测试数据",
    ),
    # What is done with rows that are learned to be written.
    (r"conversations: (?P<name>'.+') \(lists of messages; (?P<who>.+)\)", "对话：{name} 列（消息列表；{who}）"),
    (
        r"conversations: (?P<name>'.+') \(ShareGPT's lists of messages; (?P<who>.+)\)",
        "对话：{name} 列（ShareGPT 的消息列表；{who}）",
    ),
    (rf"alpaca, by their names: {_NAMED}", "alpaca 格式，按列名识别：{asked}{answer}"),
    (rf"questions and answers, by their names: {_NAMED}", "问题与答案，按列名识别：{asked}{answer}"),
    (rf"documents and summaries, by their names: {_NAMED}", "文章与摘要，按列名识别：{asked}{answer}"),
    (rf"texts and translations, by their names: {_NAMED}", "原文与译文，按列名识别：{asked}{answer}"),
    (rf"prompts and completions, by their names: {_NAMED}", "提示与补全，按列名识别：{asked}{answer}"),
    (
        r"prompt: (?P<prompt>.+) \(another with --set task\.prompt=…\)",
        "提示语：{prompt}（用 --set task.prompt=… 更换）",
    ),
    (r"system message: the configuration's, where a row has none of its own", "没有系统消息的行使用配置中的系统消息"),
    (r"as asked for: conversations are written with headings \((?P<names>.+)\)", "按配置：对话用标题写成（{names}）"),
    (r"the model has no chat template: conversations are written with headings \((?P<names>.+)\)",
     "模型没有对话模板：对话用标题写成（{names}）"),
    (r"the template does not write (?P<token>\S+), which the tokenizer puts before texts: it does now",
     "模板原本不写 {token}，而分词器会把它放在文本之前：现已补上"),
    (r"the template writes today's date: the same rows become other tokens tomorrow",
     "模板会写入当天日期：同样的数据明天会变成不同的词元"),
    (r"template: the model's own", "模板：模型自带"),
    (r"template: as asked for", "模板：按配置指定"),
    (r"an answer ends with nothing", "没有任何词元结束回答"),
    (r"an answer ends with (?P<ends>.+)", "回答以 {ends} 结束"),
    (r"the encoder reads what is asked as plain text", "编码器按纯文本读取问题"),
    (r"padded with (?P<token>\S+): the tokenizer has no token for that", "用 {token} 填充：分词器没有专门的填充词元"),
    # What became of them.
    (r"(?P<rows>\d+ rows? \(.+\)) cut to (?P<n>\d+) tokens, of which (?P<lost>\d+) lost some of their answer",
     "{rows}截到 {n} 个词元，其中 {lost} 行丢了一部分回答"),
    (r"(?P<rows>\d+ rows? \(.+\)) left out: nothing of them was left to learn", "{rows}未使用：没有剩下可学的内容"),
    (r"(?P<rows>\d+ rows? \(.+\)) left out: longer than (?P<n>\d+) tokens", "{rows}未使用：超过 {n} 个词元"),
    (r"(?P<rows>\d+ rows? \(.+\)) left out: no message of it is to be learned: it has no answer",
     "{rows}未使用：没有回答，无可学习"),
    (r"training is refused when more than (?P<share>[\d.]+%) of its rows lose part of their answer",
     "超过 {share} 的行丢失部分回答时，不能训练"),
    (r"training is refused because of rows? (?P<rows>[\d, ]+)", "因为第 {rows} 行，不能训练"),
)  # fmt: skip
_KNOWN: Mapping[Language, Sequence[tuple[re.Pattern[str], str]]] = {
    "en": (),
    "zh": tuple((re.compile(pattern, re.DOTALL), said) for pattern, said in (*_CHINESE, *GATE_IN_CHINESE)),
}
_ROWS = re.compile(r"(\d+) rows? \((.+)\)")


def in_language(sentence: str, language: Language) -> str:
    """The sentence in the page's language, if it is known; else as it is.

    Of a warning below a picture (``* the class: …``) what it belongs to stays before it.
    """
    place = sentence.find(_WARNING) if sentence.startswith("* ") else 0
    before, sentence = sentence[: max(place, 0)], sentence[max(place, 0) :]
    for pattern, said in _KNOWN[language]:
        if found := pattern.fullmatch(sentence):
            parts = {name: value or "" for name, value in found.groupdict().items()}
            if "answer" in parts:
                parts["answer"] = f"；回答：{parts['answer']}" if parts["answer"] else ""
                parts["asked"] = parts["asked"].replace("' and '", "' 和 '")
            parts["rows"] = _ROWS.sub(r"\1 行（\2）", parts.get("rows", ""))
            return before + said.format(**parts)
    return before + sentence
