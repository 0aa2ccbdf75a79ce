"""What the gate says of rows with labels, in Chinese: pattern of the English sentence → the same.

Commands stay as they are: they are to be typed.
"""

from __future__ import annotations

from collections.abc import Sequence

_ROWS = r"(?P<n>[\d,]+) rows?(?: in \w+)?"
_SHARE = r"\((?P<share>[^()]+)\)"
_CLEAN = r"supertune clean [^;]+?"

GATE_IN_CHINESE: Sequence[tuple[str, str]] = (
    (rf"{_ROWS} {_SHARE} ha(?:s|ve) no text", "{n} 行（{share}）没有文本"),
    (
        rf"write the missing texts, or (?P<command>{_CLEAN}); training leaves them out",
        "补上文本，或 {command}；训练不使用这些行",
    ),
    *(
        (rf"{_ROWS}{looked} {_SHARE} holds? {what}", f"{told}（{{share}}）{said}")
        for looked, told in (("", "{n} 行"), (r" of (?P<all>[\d,]+) that were looked at", "抽查的 {all} 行中有 {n} 行"))
        for what, said in (
            ("wrongly decoded characters", "有解码错误的字符"),
            ("HTML", "含有 HTML"),
            ("control or invisible characters", "含有控制字符或不可见字符"),
        )
    ),
    (
        r"repair them where they come from: places in these texts are pointed at, and would move",
        "请在来源处修复：标注指向这些文本中的位置，改动会使位置错位",
    ),
    (
        r"(?P<n>[\d,]+) surplus rows?(?: in \w+)? repeats? the text and label of (?P<of>[\d,]+) other rows?",
        "{n} 行与另外 {of} 行的文本和标签完全相同",
    ),
    (
        rf"nothing, if texts really come that often \(a split keeps repeats together\); else (?P<command>{_CLEAN})",
        "若文本本来就会重复出现，不必处理（划分时相同的行不会分开）；否则 {command}",
    ),
    *(
        (
            rf"{_ROWS} {_SHARE} (?:is|are) nearly the same as an earlier one \(Jaccard similarity "
            r"(?P<least>[\d.]+) or more\), in (?P<clusters>[\d,]+) clusters? of up to (?P<most>[\d,]+) different "
            rf"texts; e\.g\. rows (?P<one>\d+) and (?P<other>\d+){differing}",
            "{n} 行（{share}）与前面某行几乎相同（Jaccard 相似度 {least} 以上），"
            f"共 {{clusters}} 组，每组最多 {{most}} 种文本；例如第 {{one}} 行与第 {{other}} 行{said}",
        )
        for differing, said in (
            ("", ""),
            (r"; (?P<differ>[\d,]+) clusters? ha(?:s|ve) different labels", "；{differ} 组的标签不一致"),
        )
    ),
    (
        rf"nothing, if they are different cases \(a split keeps them together\); else keep one of each: "
        rf"(?P<command>{_CLEAN})",
        "若确是不同的情况，不必处理（划分时它们不会分开）；否则每组留一行：{command}",
    ),
    (
        r"(?P<n>[\d,]+) labels? (?:is|are) written in several ways, and would be learned as different "
        r"ones: (?P<what>.+)",
        "{n} 个标签有多种写法，会被当作不同的标签来学：{what}",
    ),
    (
        r"(?P<command>supertune clean .+); or --allow label-names, if they are different",
        "{command}；若确实不同，用 --allow label-names",
    ),
    (
        r"(?P<n>[\d,]+) texts?(?: in \w+)? ha(?:s|ve) contradictory labels(?: within it or between splits)?, in "
        rf"(?P<involved>[\d,]+) rows? {_SHARE}",
        "{n} 段文本有相互矛盾的标签，涉及 {involved} 行（{share}）",
    ),
    (
        r"decide on one label for each of these texts, or remove their rows",
        "为每段文本确定一个标签，或移除这些行",
    ),
    (
        rf"{_ROWS} ha(?:s|ve) labels that are probably wrong \(about (?P<right>[\d.]+%) of them are; "
        r"(?P<what>.+)\)\. In all about (?P<expected>[\d,]+) of (?P<all>[\d,]+) labels? "
        r"\((?P<share>[^()]+)\) are wrong, 95 % interval (?P<low>[\d,]+) to (?P<high>[\d,]+)",
        "{n} 行的标签很可能有误（其中约 {right} 确实有误；{what}）。"
        "总共 {all} 个标签中约有 {expected} 个（{share}）有误，95% 区间 {low} 至 {high}",
    ),
    (
        r"read them and decide: (?P<list>supertune check .+) writes them for that, and (?P<do>supertune clean .+) does "
        r"what you decided",
        "请逐一阅读并决定：{list} 写出清单，{do} 照你的决定执行",
    ),
    (
        rf"(?P<n>[\d,]+) (?P<split>\w+) rows? {_SHARE} can also be found elsewhere: (?P<where>.+)",
        "{split} 中 {n} 行（{share}）在别处也有：{where}",
    ),
    (
        r"(?P<command>supertune clean .+) takes them out of the other; scores without them stand beside the others",
        "{command} 从另一份数据中移除；去掉这些行后的分数会并列给出",
    ),
    (
        r"the largest class, (?P<large>.+) \((?P<many>[\d,]+)\), has (?P<times>[\d.,]+) times as many rows as the "
        r"smallest, (?P<small>.+) \((?P<few>[\d,]+)\)",
        "最大的类别 {large}（{many} 行）是最小的类别 {small}（{few} 行）的 {times} 倍",
    ),
    (
        r"look at f1_macro rather than (?P<usual>\w+); to weigh the classes evenly: (?P<command>--set .+)",
        "请看 f1_macro 而不是 {usual}；要让各类别权重相同：{command}",
    ),
    (
        r"(?P<n>[\d,]+) class(?:es)? ha(?:s|ve) fewer than (?P<least>\d+) training rows with text: (?P<what>.+)",
        "{n} 个类别的训练行（有文本的）少于 {least} 行：{what}",
    ),
    (
        r"add rows for each, merge it into a related class, or remove it",
        "为每个类别增加数据、并入相近的类别，或将其移除",
    ),
    (
        r"every training row has the same label, (?P<label>.+): a classifier needs at least two classes",
        "所有训练行的标签都是 {label}：分类至少需要两个类别",
    ),
    (
        r"add rows of another class, or name the right label column with --label",
        "增加其他类别的数据，或用 --label 指明正确的标签列",
    ),
    *(
        (
            rf"rows labelled (?P<label>.+) can {how} be told by one thing alone: (?P<what>.+)",
            f"标签为 {{label}} 的行，单凭一条线索{said}就能判断：{{what}}",
        )
        for how, said in (("nearly", "几乎"), ("often", "往往"))
    ),
    (
        r"nothing, if that is what the label means; if it comes from how rows were collected .+",
        "若标签的含义正是如此，不必处理；若来自收集方式（签名、表单、每个标签来自不同网站），请从文本中去掉，并用别处的数据来测试",
    ),
    (
        r"(?P<n>[\d,]+) annotators? of (?P<all>[\d,]+) \((?P<column>'.+')\) gives? other labels than the "
        r"rest: (?P<what>.+)",
        "{all} 名标注员中有 {n} 名（{column} 列）的标签与其他人不同：{what}",
    ),
    (
        r"see whether they were given other texts; if not, .+",
        "先看他们标注的是不是不同的文本；若不是，让他们标注一些相同的行，统一标签的含义，再检查这些行",
    ),
    (
        r"of texts that several annotators \((?P<column>'.+')\) were given: (?P<what>.+)",
        "在多名标注员（{column} 列）都标过的文本中：{what}",
    ),
    (
        r"agree on what the labels mean, and look at the rows of these annotators again",
        "统一标签的含义，再检查这些标注员的行",
    ),
    (r"labels change with time \((?P<column>'.+')\): (?P<what>.+)", "标签随时间变化（{column} 列）：{what}"),
    (
        r"(?P<command>supertune split .+) asks about the newest rows, as will be done in use; .+",
        "{command} 用最新的行来考查，与实际使用一致；随机抽取的行会给出过于乐观的分数",
    ),
    (
        r"the labels of (?P<split>\w+) are not those of (?P<learned>\w+): (?P<what>.+)",
        "{split} 的标签分布与 {learned} 不同：{what}",
    ),
    (
        r"nothing, if rows in use will be like these; else divide all rows anew: (?P<command>supertune split .+) keeps "
        r"the shares of the labels",
        "若实际使用的数据就是这样，不必处理；否则重新划分：{command} 会保持各标签的比例",
    ),
    (
        rf"{_ROWS} {_SHARE} holds? what looks like personal data: (?P<what>.+) \((?P<first>row .+)\)",
        "{n} 行（{share}）含有疑似个人信息：{what}（{first}）",
    ),
    (
        r"look at the rows: models repeat what they read\. (?P<command>supertune clean .+) masks it .+",
        "请查看这些行：模型会复述读过的内容。{command} 将其遮盖（docs/personal-data.zh-CN.md）；不查找姓名和通信地址",
    ),
    (
        rf"{_ROWS} {_SHARE} (?:is|are) longer than (?P<most>[\d,]+) tokens and will be cut there; the longest has "
        r"(?P<longest>[\d,]+), and the model takes at most (?P<limit>[\d,]+)",
        "{n} 行（{share}）超过 {most} 个词元，会在此截断；最长的有 {longest} 个，模型最多读 {limit} 个",
    ),
    (
        rf"{_ROWS} {_SHARE} (?:is|are) longer than (?P<most>[\d,]+) tokens and will be cut there; the longest has "
        r"(?P<longest>[\d,]+), and a max_length of (?P<limit>[\d,]+) would keep 99 % of the rows whole",
        "{n} 行（{share}）超过 {most} 个词元，会在此截断；最长的有 {longest} 个，"
        "max_length 设为 {limit} 可完整保留 99% 的行",
    ),
    (
        rf"{_ROWS} {_SHARE} (?:is|are) longer than (?P<most>[\d,]+) tokens and will be cut there; the longest has "
        r"(?P<longest>[\d,]+), and a max_length of (?P<limit>[\d,]+) would keep every row whole",
        "{n} 行（{share}）超过 {most} 个词元，会在此截断；最长的有 {longest} 个，"
        "max_length 设为 {limit} 可完整保留每一行",
    ),
    (
        r"shorten the texts, split them, or choose a model that reads further",
        "缩短或拆分文本，或选用能读更长文本的模型",
    ),
    (r"if what comes late matters: (?P<command>--set .+)", "若靠后的内容重要：{command}"),
    (
        r"shorten the texts, split them, or choose a model that reads further; (?P<command>--set .+) keeps the most",
        "缩短或拆分文本，或选用能读更长文本的模型；{command} 保留得最多",
    ),
)
