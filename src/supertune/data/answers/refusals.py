"""Answers that refuse, by how they begin: what models of others say and nobody wants to learn unasked."""

from __future__ import annotations

import re

_LOOKED_AT = 400
"""Characters of an answer in which a refusal shows: it begins with it."""

_SORRY = (
    r"(?:(?:i'?m|i am|we'?re) (?:very |so |truly |really |deeply )?(?:sorry|afraid)"
    r"|(?:my )?(?:sincere |deepest )?apologies|sorry"
    r"|i (?:do )?apologi[sz]e|unfortunately|regrettably)\b[^.!?\n]{0,40}?[,.!;: -]+(?:but |however,? )?"
)
_MODEL = (
    r"(?:ai|a\.i\.|artificial intelligence|(?:large )?language model|chat ?bot|machine learning model"
    r"|virtual assistant)"
)
# "a helpful AI assistant", "an AI language model": the word that tells within the first few.
_AS_MODEL = rf"(?:as|being|since i'?m|since i am|because i'?m|because i am) (?:an?|your) (?:[\w-]+ ){{0,3}}?{_MODEL}\b"
_I_AM_MODEL = rf"(?:i'?m|i am) (?:just |only |merely |simply )?an? (?:[\w-]+ ){{0,3}}?{_MODEL}\b"
_UNABLE = (
    r"(?:can'?t|can ?not|could not|couldn'?t|won'?t|will not|am unable|'m unable|am not able|'m not able"
    r"|am not capable|'m not capable|am incapable|'m incapable|am not (?:programmed|designed|allowed|permitted)"
    r"|'m not (?:programmed|designed|allowed|permitted)|must decline|have to decline|do(?:es)? not have|don'?t have"
    r"|do not possess|don'?t possess|lack the|have no (?:personal|access|ability|opinion|feelings|physical|way))"
)
# What helpers do for those who ask. Without one of these a "sorry, I can't" may be what a clerk or a friend says.
_SERVICE = (
    r"(?:help|assist|provide|fulfil+|comply|complete|generate|create|produce|write|answer|respond|do (?:that|this|so)"
    r"|support|engage|access|browse|process|perform|discuss|offer|give|share|participate|make|translate|summari[sz]e"
    r"|edit|rewrite|classify|retrieve|estimate|predict|find|determine|identify|analy[sz]e|continue|recommend|suggest|display|show|draw|open|see|view)"
)
_NOTHING_GIVEN = (
    r"(?:there (?:is|was|are|were) no|you (?:did not|didn'?t|have not|haven'?t)(?: \w+)? (?:provided?|given?|included?)"
    r"|i (?:do not|don'?t) (?:see|have)(?: any)?|no) (?:\w+ ){0,4}?(?:input|text|sentence|passage|context|article"
    r"|paragraph|image|information|data|list|prompt|lyrics|document|story|poem|details)\b"
)
_ENGLISH = re.compile(
    rf"(?:{_SORRY})?{_AS_MODEL}[^.!?\n]{{0,120}}?\b(?:i|it)(?: |(?=')){_UNABLE}"
    rf"|(?:{_SORRY})?{_I_AM_MODEL}[^!?\n]{{0,120}}?\b(?:i|it)?(?: |(?=')){_UNABLE}"
    rf"|{_SORRY}i(?: |(?=')){_UNABLE}(?: to)?(?: \w+)? {_SERVICE}\b"
    rf"|{_SORRY}{_NOTHING_GIVEN}"
    rf"|i(?: |(?='))(?:can'?t|cannot|can not|'m unable to|am unable to|'m not able to|am not able to|won'?t|will not)"
    r" (?:help|assist|comply|fulfil+|provide|engage|support|participate|generate|create|answer|write)\b"
    r"[^.!?\n]{0,40}?\b(?:you with|with (?:that|this|your)|your request|(?:that|this|such)\b)"
)

_SORRY_ZH = (
    r"(?:您好[，,。！!\s]*)?(?:我?(?:非常|很|十分|真的|实在|万分)?(?:抱歉|对不起|對不起|不好意思|遗憾|遺憾)(?:的是|地)?|很抱歉地?|恕我直言)"
    r"[，,。！!：:、\s]*(?:但是?|不过|不過)?[，,\s]*"
)
_MODEL_ZH = (
    r"(?:人工智能|人工智慧|AI|ＡＩ|(?:大型?)?语言模型|語言模型|大模型|聊天机器人|聊天機器人|虚拟助手|虛擬助手|智能助手"
    r"|[文本字型]{2,3}\s?(?:AI\s?)?机器人|机器学习模型|计算机程序|电脑程序|機器人助手)"
)
_UNABLE_ZH = (
    r"(?:无法|無法|不能|没办法|沒辦法|没法|不会|不會|不具备|不具備|没有|沒有|不可以"
    r"|并不|並不|不便|不提供|不支持|不拥有|不擁有)"
)
_SERVICE_ZH = (
    r"(?:提供|回答|解答|完成|满足|滿足|帮助?|幫助?|协助|協助|执行|執行|生成|创建|創建|处理|處理|访问|訪問|浏览|瀏覽|理解|确定|確定"
    r"|判断|判斷|给出|給出|查看|看到|打开|翻译|翻譯|总结|總結|编辑|編輯|分析|进行|進行|参与|參與|讨论|討論|写|寫|识别|識別)"
)
_NOTHING_GIVEN_ZH = (
    r"(?:由于|因为)?(?:您|你)?(?:并|並|尚)?(?:没有|沒有|未)(?:给我|給我|告诉我|给出|給出|提供|输入|輸入|指定|附上|看到|收到)"
    r"[^。！!？?\n]{0,12}?(?:文本|文章|句子|内容|內容|信息|資訊|输入|輸入|段落|上下文|图片|圖片|数据|數據|列表|问题|問題)"
)
_CHINESE = re.compile(
    rf"(?:{_SORRY_ZH})?我?(?:作为|作為|身为|身為|由于我是|因为我是)(?:一个|一個|一名|一款|一种|一種|个|您的|你的)?[^，,。\n]{{0,12}}?"
    rf"{_MODEL_ZH}[^。！!？?\n]{{0,40}}?{_UNABLE_ZH}"
    rf"|(?:{_SORRY_ZH})?我(?:只|仅|僅)?是(?:一个|一個|一名|一款|一种|一種|个)?[^，,。\n]{{0,10}}?{_MODEL_ZH}[^。！!？?\n]{{0,16}}?"
    rf"[，,。]\s*(?:所以|因此)?(?:我|并|並)?[^，,。！!？?\n]{{0,6}}?{_UNABLE_ZH}"
    rf"|{_SORRY_ZH}(?:我|目前|现在|現在|暂时|暫時|本助手)?[^，,。！!？?\n]{{0,12}}?{_UNABLE_ZH}[^，,。！!？?\n]{{0,8}}?{_SERVICE_ZH}"
    rf"|(?:{_SORRY_ZH})?(?=由于|因为|您|你){_NOTHING_GIVEN_ZH}"
    rf"|{_SORRY_ZH}{_NOTHING_GIVEN_ZH}"
)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "＇": "'"})


def refusal_in(answer: str) -> str | None:
    """The words with which an answer refuses; None if it does not.

    It has to begin with them: that it is a model and therefore cannot, an apology for not doing what helpers do, or
    that nothing was given to work on. ``I'm sorry to hear that`` and ``As an AI engineer you can …`` are none.
    """
    start = answer[:_LOOKED_AT].lstrip().lstrip("\"“'「").translate(_QUOTES)
    found = _ENGLISH.match(start.lower()) or _CHINESE.match(start)
    return None if found is None else start[: found.end()]
