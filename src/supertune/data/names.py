"""What people call their columns, in English and Chinese."""

from __future__ import annotations

import re
import unicodedata

PLAIN_TEXT_NAMES = frozenset({"text", "texts", "文本"})
PLAIN_LABEL_NAMES = frozenset({"label", "labels", "标签"})
TEXT_NAMES = PLAIN_TEXT_NAMES | {
    *("sentence", "review", "message", "content", "body", "comment", "tweet", "question", "query", "utterance"),
    *("document", "article", "post", "description", "feedback", "ticket", "email", "news", "passage", "paragraph"),
    *("input", "prompt", "story", "snippet", "sms", "complaint", "transcript", "request"),
    *("内容", "正文", "评论", "评价", "句子", "消息", "问题", "留言", "文章", "弹幕", "微博", "新闻", "反馈", "对话"),
    *("文字", "原文", "描述", "摘要", "工单", "咨询", "短信", "投诉"),
}
TITLE_NAMES = frozenset({"title", "subject", "headline", "heading", "标题", "主题", "题目"})
BODY_NAMES = frozenset(
    {
        *("body", "content", "text", "description", "message", "article", "review", "abstract", "post", "comment"),
        *("正文", "内容", "文本", "描述", "评论", "文章", "摘要", "留言"),
    }
)
LABEL_NAMES = PLAIN_LABEL_NAMES | {
    *("intent", "category", "class", "sentiment", "target", "topic", "y", "tag", "emotion", "polarity", "gold"),
    *("rating", "stars", "type", "is_spam", "spam", "toxic", "answer", "output", "department", "priority"),
    *("类别", "意图", "情感", "分类", "类型", "情绪", "主题", "极性", "评分", "标注", "星级", "类目"),
}
NUMBER_NAMES = PLAIN_LABEL_NAMES | {
    *("score", "scores", "rating", "ratings", "stars", "grade", "points", "value", "target", "y", "gold", "similarity"),
    *("relatedness", "price", "intensity", "valence", "difficulty", "readability", "quality"),
    *("分数", "评分", "得分", "打分", "星级", "等级", "相似度", "价格", "数值", "强度", "难度"),
}
SET_NAMES = LABEL_NAMES | {
    *("tags", "categories", "topics", "classes", "genres", "intents", "emotions", "aspects", "keywords", "targets"),
    *("标签列表", "多标签", "主题词", "关键词", "情绪列表", "体裁"),
}
QUESTION_NAMES = ("question", "questions", "query", "q", "问题", "提问", "问句", "问")
CONTEXT_NAMES = (
    *("context", "contexts", "passage", "paragraph", "document", "article", "text", "body"),
    *("上下文", "段落", "文章", "材料", "正文", "原文", "文本", "篇章", "背景"),
)
ANSWER_NAMES = ("answers", "answer", "answer_text", "label", "labels", "答案", "回答", "标准答案", "标签")
QUERY_NAMES = (
    "query",
    "queries",
    "question",
    "questions",
    "anchor",
    "q",
    "search",
    "查询",
    "问题",
    "提问",
    "检索词",
    "问句",
)
PASSAGE_NAMES = (
    *("positive", "pos", "passage", "document", "doc", "relevant", "answer", "response", "context", "paragraph"),
    *("text", "article", "body", "段落", "文档", "正例", "相关文档", "答案", "回答", "上下文", "文章", "正文", "文本"),
)
NEGATIVE_NAMES = (
    *("negative", "negatives", "neg", "negs", "hard_negative", "hard_negatives", "negative_passages"),
    *("负例", "负样本", "不相关文档"),
)
RELEVANCE_NAMES = (
    *("relevance", "relevant", "score", "label", "labels", "grade", "rating", "similarity"),
    *("相关性", "相关度", "得分", "分数", "标签", "评分"),
)
START_NAMES = (
    *("answer_start", "answer_starts", "start", "answer_begin", "begin", "start_char"),
    *("答案起始", "答案位置", "起始位置", "起始", "开始位置"),
)
DOCUMENT_NAMES = (
    *("document", "article", "dialogue", "dialog", "conversation", "transcript", "text", "content", "body", "source"),
    *("story", "passage", "news", "report", "meeting", "input", "documents", "articles"),
    *("正文", "原文", "文章", "文档", "对话", "会话", "内容", "文本", "新闻", "全文", "报道", "会议记录"),
)
SUMMARY_NAMES = (
    *("summary", "summaries", "highlights", "abstract", "tldr", "tl;dr", "gist", "reference_summary", "target"),
    *("摘要", "总结", "概要", "提要", "小结", "要点", "概述", "梗概", "label", "标签"),
)
TOKEN_NAMES = ("tokens", "token", "words", "word_list", "characters", "chars", "字", "词", "词语", "字符", "分词")
SPAN_NAMES = (
    *(
        "entities",
        "spans",
        "ner_tags",
        "ner",
        "tags",
        "bio",
        "bio_tags",
        "label",
        "labels",
        "annotations",
        "annotation",
    ),
    *("实体", "实体列表", "命名实体", "标注", "标签", "标签序列", "实体标签"),
)
MESSAGES_NAMES = (
    *("messages", "conversations", "conversation", "chat", "dialogue", "dialog", "dialogs", "turns"),
    *("消息", "对话", "会话", "多轮对话"),
)
INSTRUCTION_NAMES = ("instruction", "instructions", "指令", "任务指令")
INPUT_NAMES = ("input", "inputs", "context", "输入", "上下文", "背景")
PROMPT_NAMES = (
    *("prompt", "instruction", "question", "query", "user", "human", "input", "ask", "source"),
    *("提示", "提示词", "指令", "问题", "提问", "用户", "输入", "问"),
)
COMPLETION_NAMES = (
    *("completion", "response", "output", "answer", "assistant", "reply", "gpt", "chosen", "target", "answers"),
    *("回答", "回复", "答案", "输出", "应答", "答复", "助手", "答"),
)
HISTORY_NAMES = ("history", "历史", "历史对话")
SYSTEM_NAMES = ("system", "system_prompt", "系统", "系统提示", "系统提示词")
TOOLS_NAMES = ("tools", "functions", "available_tools", "工具", "函数")
REASONING_NAMES = (
    *("reasoning", "reasoning_content", "thinking", "thought", "chain_of_thought", "cot", "complex_cot"),
    *("推理", "思考", "思考过程", "推理过程", "思维链"),
)
WEIGHT_NAMES = ("weight", "sample_weight", "row_weight", "loss_weight", "权重", "样本权重")
TRANSLATION_NAMES = (
    *(("source", "target"), ("src", "tgt"), ("source_text", "target_text"), ("src_text", "tgt_text")),
    *(("source", "translation"), ("text", "translation"), ("原文", "译文"), ("源文", "译文"), ("源语言", "目标语言")),
)
"""What a text and its translation are called."""
SOURCE_NAMES = frozenset(
    {
        *("source", "site", "website", "domain", "host", "url", "link", "dataset", "corpus", "origin", "channel"),
        *("platform", "file", "filename", "collection", "batch"),
        *("来源", "网站", "站点", "域名", "网址", "链接", "数据集", "语料", "渠道", "平台", "文件", "文件名", "批次"),
    }
)
ANNOTATOR_NAMES = frozenset(
    {
        *("annotator", "annotators", "worker", "labeler", "labeller", "rater", "coder", "grader", "judge"),
        *("annotatedby", "labeledby", "labelledby", "taggedby", "reviewer"),
        *("标注员", "标注者", "标注人", "标注人员", "评分员", "审核员", "审核人"),
    }
)
TIME_NAMES = frozenset(
    {
        *("date", "time", "datetime", "timestamp", "created", "posted", "published", "submitted", "labeled"),
        *("日期", "时间", "创建时间", "发布时间", "发布日期", "评论时间", "提交时间", "标注时间"),
    }
)
_PAIRED = ("sentence", "text", "question", "句子", "文本", "问题", "句")


def side(name: str) -> str:
    """The name of a column that may be a side of a pair: without case, width, spaces and underscores."""
    return re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", name)).casefold()


PAIR_NAMES = (
    *((f"{name}{one}", f"{name}{two}") for name in _PAIRED for one, two in (("1", "2"), ("a", "b"), ("一", "二"))),
    *(("premise", "hypothesis"), ("query", "passage"), ("query", "document"), ("s1", "s2"), ("q1", "q2")),
    *(("前提", "假设"), ("查询", "段落"), ("查询", "文档"), ("问题", "段落")),
)
"""What the two sides of a pair are called, as `side` has it."""
_OTHER_NAMES = frozenset(
    {
        *("id", "idx", "index", "uid", "uuid", "guid", "date", "time", "timestamp", "created", "user", "author"),
        *("file", "split", "source", "lang", "language", "score", "url", "name", "key", "value", "premise"),
        *("hypothesis", "context", "response", "编号", "序号", "日期", "时间", "用户", "来源", "语言", "姓名"),
    }
)
_IDENTIFIERS = frozenset(
    {
        *("id", "idx", "index", "uid", "uuid", "guid", "key", "date", "time", "timestamp", "created", "year", "row"),
        *("编号", "序号", "日期", "时间", "年份"),
    }
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LONGEST_NAME = 20
_MOST_WORDS = 3
_HAN_RUN = re.compile(r"[\u4e00-\u9fff]+")


def normal(name: str) -> str:
    """The name as it is compared: without case and outer white space."""
    return name.strip().casefold()


def words(name: str) -> frozenset[str]:
    """The words of a compound name: ``reviewText``, ``review_text`` and ``review text`` have the same two.

    Chinese has no spaces between words: every run of two to four characters counts as one.
    """
    latin = {word.casefold() for word in _WORD.findall(name) if len(word) > 1}
    runs = _HAN_RUN.findall(name)
    parts = {run[i : i + size] for run in runs for size in (2, 3, 4) for i in range(len(run) - size + 1)}
    return frozenset(latin | parts)


def is_question(name: str) -> bool:
    """True for what columns of questions are called."""
    return normal(name) in QUESTION_NAMES


def is_identifier(name: str) -> bool:
    """True for what rows are numbered by, and for when they were written."""
    return bool(({normal(name)} | words(name)) & _IDENTIFIERS)


def is_source_name(name: str) -> bool:
    """True for what tells where a row comes from."""
    return _is_called(name, SOURCE_NAMES, ("", "name", "id"))


def is_annotator_name(name: str) -> bool:
    """True for what tells who gave a row its label."""
    return _is_called(name, ANNOTATOR_NAMES, ("", "id", "name"))


def is_time_name(name: str) -> bool:
    """True for what tells when a row was written."""
    return _is_called(name, TIME_NAMES, ("", "at", "on", "time", "date"))


def _is_called(name: str, known: frozenset[str], endings: tuple[str, ...]) -> bool:
    """True where a name is one of those known, with one of these endings."""
    called = side(name)
    return any(called.endswith(ending) and called[: len(called) - len(ending)] in known for ending in endings)


def is_known_name(name: str) -> bool:
    """True when a column is likely to be called that."""
    known = TEXT_NAMES | TITLE_NAMES | SET_NAMES | NUMBER_NAMES | _OTHER_NAMES
    known |= {*QUESTION_NAMES, *CONTEXT_NAMES, *ANSWER_NAMES, *START_NAMES, *DOCUMENT_NAMES, *SUMMARY_NAMES}
    known |= {*TOKEN_NAMES, *SPAN_NAMES, *MESSAGES_NAMES, *PROMPT_NAMES, *COMPLETION_NAMES}
    if any(side(name) in pair for pair in PAIR_NAMES):
        return True
    is_short = len(name) <= _LONGEST_NAME and len(_WORD.findall(name)) <= _MOST_WORDS
    return normal(name) in known or (is_short and bool(words(name) & known))
