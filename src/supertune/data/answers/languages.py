"""Answers in another language than what was asked, as far as scripts tell: languages of one are not compared."""

from __future__ import annotations

import re

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|<[^<>]{1,200}>|\S+@\S+", re.DOTALL)
_SCRIPTS = {
    "Chinese": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "Japanese": re.compile(r"[\u3041-\u3096\u30a1-\u30fa]"),
    "Korean": re.compile(r"[\uac00-\ud7a3\u1100-\u11ff]"),
    # A word of these counts as one, as a character of the others does.
    "Latin": re.compile(r"[A-Za-z\u00c0-\u024f]+"),
    "Cyrillic": re.compile(r"[\u0400-\u04ff]+"),
    "Greek": re.compile(r"[\u0370-\u03ff]+"),
    "Arabic": re.compile(r"[\u0600-\u06ff]+"),
    "Hebrew": re.compile(r"[\u0590-\u05ff]+"),
    "Devanagari": re.compile(r"[\u0900-\u097f]+"),
    "Thai": re.compile(r"[\u0e01-\u0e5b]"),
}
_BEYOND_LATIN = re.compile(r"[\u0370-\U0010ffff]")
_LEAST = 6
"""Words or characters of a script that an answer in it has at least: names and formulas have fewer."""
_MOSTLY = 0.8
# Whoever asks for a language, for code or for names in their own script gets it.
_ASKED_FOR = re.compile(
    r"translat|language|bilingual|english|chinese|mandarin|cantonese|japanese|korean|russian|arabic|hebrew|greek|hindi"
    r"|thai|french|spanish|german|italian|portuguese|latin|vietnamese|pinyin|romani[sz]|transliterat|letters?\b|alphabet"
    r"|\bcode\b|program|python|java|sql|html|css|regex|script|function|json|xml|yaml|latex|command|shell|bash|url|email"
    r"|翻译|翻譯|译成|译为|譯成|语言|語言|双语|雙語|英语|英語|英文|中文|汉语|漢語|普通话|粤语|日语|日語|日文|韩语|韓語|韩文|俄语|俄文"
    r"|法语|法語|法文|德语|德語|德文|西班牙|意大利|葡萄牙|拉丁|阿拉伯|希腊|希伯来|泰语|越南|拼音|字母|单词|單詞|缩写|縮寫|首字母|词汇"
    r"|代码|代碼|编程|編程|程序|程式|函数|函數|脚本|腳本|命令|正则|网址|邮箱|格式|表达式|公式|方程|标签",
    re.IGNORECASE,
)


def other_language(asked: str, answer: str) -> str | None:
    """The scripts of prompt and answer, ``Chinese → Latin``, where the answer is in another one; None where it is not.

    An answer is in another script where at least four fifths of it are, and nothing of the prompt. Code, addresses and
    short answers do not count, and neither do prompts that name a language, ask for code or quote a foreign word.
    """
    # Nearly all rows are in Latin letters on both sides, which is soon seen.
    if not _BEYOND_LATIN.search(asked) and not _BEYOND_LATIN.search(answer):
        return None
    answered, wanted = _shares(answer), _shares(asked)
    if answered is None or wanted is None or _ASKED_FOR.search(asked):
        return None
    script, share = max(answered.items(), key=lambda pair: pair[1])
    of_prompt, most = max(wanted.items(), key=lambda pair: pair[1])
    kin = {script, of_prompt} == {"Chinese", "Japanese"}
    if share < _MOSTLY or most < _MOSTLY or script in wanted or kin:
        return None
    return f"{of_prompt} → {script}"


def _shares(text: str) -> dict[str, float] | None:
    """Script → its share of the words and characters; None where there are too few."""
    plain = _CODE.sub(" ", text) if any(sign in text for sign in "`<@:") else text
    counts = {name: len(pattern.findall(plain)) for name, pattern in _SCRIPTS.items()}
    whole = sum(counts.values())
    return {name: count / whole for name, count in counts.items() if count} if whole >= _LEAST else None
