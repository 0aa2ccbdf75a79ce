"""Texts in which every entity is known: sentences without names, and among them templates that names are put into.

Half of the names of every kind, and a third of the templates, are in the test texts alone. Some words are a name of two
kinds, which only their sentence tells apart, and some sentences look like templates and hold no name.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAMES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "first": [
            "Anna",
            "Peter",
            "Maria",
            "John",
            "Wei",
            "Fatima",
            "Olga",
            "Tom",
            "Lucia",
            "Hans",
            "Amina",
            "Jack",
            "Nora",
            "Ivan",
            "Sofia",
            "Paul",
            "Priya",
            "Omar",
            "Ella",
            "Ben",
            "Ruth",
            "Diego",
            "Hana",
            "Leo",
            "Grace",
            "Samir",
            "Julia",
            "Mark",
            "Irene",
            "Victor",
        ],
        "last": [
            "Miller",
            "Schmidt",
            "Kowalski",
            "Tanaka",
            "Rossi",
            "Novak",
            "Washington",
            "Lincoln",
            "Jordan",
            "Chelsea",
            "Garcia",
            "Larsen",
            "Okafor",
            "Singh",
            "Dubois",
            "Petrov",
            "Hansen",
            "Moreau",
            "Silva",
            "Fischer",
            "Bauer",
            "Costa",
            "Nilsson",
            "Keller",
            "Murphy",
            "Quinn",
            "Santos",
            "Weber",
            "Young",
            "Adler",
        ],
        "LOC": [
            "Paris",
            "Leeds",
            "Lisbon",
            "Osaka",
            "Washington",
            "Lincoln",
            "Jordan",
            "Chelsea",
            "Geneva",
            "Cairo",
            "Lagos",
            "Boston",
            "Denver",
            "Oslo",
            "Prague",
            "Zurich",
            "Madrid",
            "Nairobi",
            "Toronto",
            "Sydney",
            "Dublin",
            "Vienna",
            "Athens",
            "Helsinki",
            "Bogota",
            "Quito",
            "Delhi",
            "Warsaw",
            "Riga",
            "Porto",
        ],
        "org": [
            "Northwind",
            "Acme",
            "Globex",
            "Initech",
            "Umbra",
            "Vandelay",
            "Soylent",
            "Hooli",
            "Stark",
            "Wayne",
            "Cyberdyne",
            "Tyrell",
            "Wonka",
            "Oscorp",
            "Aperture",
            "Massive",
            "Virtucon",
            "Gringotts",
            "Duff",
            "Monarch",
            "Prestige",
            "Sirius",
            "Octan",
            "Zorg",
            "Nakatomi",
            "Kramer",
            "Gekko",
            "Pied",
            "Paper",
            "Bluth",
        ],
        "suffix": ["Ltd", "Inc.", "Group", "Bank", "University", "Motors"],
        "month": [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
    },
    "zh": {
        "first": list("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"),
        "last": [
            "伟",
            "芳",
            "娜",
            "敏",
            "静",
            "丽",
            "强",
            "磊",
            "军",
            "洋",
            "勇",
            "艳",
            "杰",
            "娟",
            "涛",
            "明",
            "超",
            "秀英",
            "霞",
            "平",
            "建国",
            "桂英",
            "志强",
            "晓东",
            "雨欣",
            "子涵",
            "浩然",
            "梓萱",
            "文博",
            "思远",
        ],
        "LOC": [
            "北京",
            "上海",
            "广州",
            "深圳",
            "杭州",
            "成都",
            "武汉",
            "西安",
            "南京",
            "重庆",
            "天津",
            "苏州",
            "长沙",
            "郑州",
            "青岛",
            "大连",
            "厦门",
            "昆明",
            "哈尔滨",
            "长春",
            "石家庄",
            "呼和浩特",
            "乌鲁木齐",
            "兰州",
            "贵阳",
            "海口",
            "合肥",
            "南昌",
            "福州",
            "太原",
        ],
        "org": [
            "华信",
            "东风",
            "远大",
            "金龙",
            "新希望",
            "恒通",
            "万和",
            "中天",
            "宏图",
            "瑞丰",
            "海星",
            "蓝天",
            "长城",
            "明珠",
            "启明",
            "同方",
            "天河",
            "银泰",
            "星光",
            "绿源",
            "大华",
            "百川",
            "九州",
            "鼎盛",
            "锦江",
            "开元",
            "泰康",
            "安达",
            "汇通",
            "朝阳",
        ],
        "suffix": ["公司", "集团", "银行", "大学", "医院", "科技有限公司"],
    },
}
TEMPLATES: Mapping[str, Sequence[str]] = {
    "en": (
        "{PER} from {ORG} called about it on {DATE}.",
        "Please send the papers to {PER} in {LOC}.",
        "{ORG} has opened an office in {LOC}.",
        "The meeting with {PER} and {PER} was moved to {DATE}.",
        "Since {DATE} nobody at {ORG} has answered.",
        "{PER} lives in {LOC} and works for {ORG}.",
        "The train from {LOC} to {LOC} was late.",
        "Yesterday {PER} signed the contract.",
        "We bought two lamps from {ORG}.",
        "It rained in {LOC} until {DATE}.",
        "According to {PER}, the box was torn.",
        "Nobody in the office signed the contract.",
        "Please send the papers to the shop next door.",
        "The meeting was moved to the morning.",
        "I spoke to {PER}, who had just come back from {LOC}.",
        "Did {ORG} pay {PER} for the work in {LOC}?",
        "On {DATE} the road to {LOC} was closed.",
        "A letter by {PER} reached {ORG} on {DATE}.",
        "{LOC}, where {PER} grew up, is far from here.",
        "The owner of the house spoke to the painter.",
    ),
    "zh": (
        "{PER}在{LOC}的{ORG}工作。",
        "请把材料寄给{LOC}的{PER}。",
        "{ORG}在{LOC}开了一家分店。",
        "{DATE}，{PER}和{PER}签了合同。",
        "从{DATE}起，{ORG}就没有回复过。",
        "昨天{PER}打来了电话。",
        "从{LOC}到{LOC}的火车晚点了。",
        "我们向{ORG}买了两盏灯。",
        "{LOC}一直下雨，到{DATE}才停。",
        "据{PER}说，箱子是破的。",
        "昨天没有人打来电话。",
        "请把材料寄给隔壁的商店。",
        "会议改到了早上。",
        "我和刚从{LOC}回来的{PER}谈过了。",
        "{ORG}付给{PER}钱了吗？",
        "{DATE}通往{LOC}的路封了。",
        "{PER}写的信{DATE}才送到{ORG}。",
        "{PER}长大的地方是{LOC}，离这里很远。",
        "房子的主人和油漆工谈过了。",
        "箱子是谁打开的没有人知道。",
    ),
}
_TEST_TEMPLATES = 6
_SLOT = re.compile(r"\{(PER|LOC|ORG|DATE)\}")
_MAYBE_NAMES = re.compile(r"[\d月日号周年]|星期|公司|大学|医院|银行|集团")
"""What a review must not have to stand between templates: it may be a date or a company that nobody has marked."""


def carriers(data: Path, language: str) -> list[str]:
    """Sentences without names: SICK's descriptions of pictures in English, short reviews of deliveries in Chinese."""
    if language == "en":
        with (data / "sick/train.jsonl").open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        column = next(name for name, value in rows[0].items() if isinstance(value, str) and " " in value)
        return sorted({f"{row[column].strip().rstrip('.')}." for row in rows})
    with (data / "waimai_10k.csv").open(encoding="utf-8", newline="") as file:
        reviews = {row["review"].strip() for row in csv.DictReader(file)}
    return sorted(text for text in reviews if 6 <= len(text) <= 40 and not _MAYBE_NAMES.search(text))


def texts(data: Path, language: str, split: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of a text and its entities, for ``train`` or ``test``.

    Training texts draw from the first half of the names and from all templates but the last six; test texts draw half
    of their names from the other half, and from all templates.
    """
    # Names and sentences are divided in the same way for both splits.
    divided = random.Random(f"{language} {seed}")
    sentences = carriers(data, language)
    divided.shuffle(sentences)
    pools = {kind: divided.sample(list(names), len(names)) for kind, names in NAMES[language].items()}
    own = sentences[::2] if split == "train" else sentences[1::2]
    templates = TEMPLATES[language][:-_TEST_TEMPLATES] if split == "train" else TEMPLATES[language]
    draw = random.Random(f"{language} {split} {seed}")
    return [_row(draw, own, templates, pools, language, new=split == "test") for _ in range(count)]


def _row(
    draw: random.Random,
    sentences: Sequence[str],
    templates: Sequence[str],
    pools: Mapping[str, Sequence[str]],
    language: str,
    *,
    new: bool,
) -> dict[str, Any]:
    parts: list[tuple[str, list[tuple[int, int, str]]]] = [
        (draw.choice(sentences), []) for _ in range(draw.randint(1, 2))
    ]
    parts += [_filled(draw, draw.choice(templates), pools, language, new=new) for _ in range(draw.randint(1, 2))]
    draw.shuffle(parts)
    text, entities = "", []
    for sentence, spans in parts:
        text += " " if text and language == "en" else ""
        entities += [{"start": len(text) + s, "end": len(text) + e, "label": label} for s, e, label in spans]
        text += sentence
    return {"text": text, "entities": entities}


def _filled(
    draw: random.Random, template: str, pools: Mapping[str, Sequence[str]], language: str, *, new: bool
) -> tuple[str, list[tuple[int, int, str]]]:
    text, spans, place = "", [], 0
    for slot in _SLOT.finditer(template):
        text += template[place : slot.start()]
        name = _name(draw, slot[1], pools, language, unknown=new and draw.random() < 0.5)
        spans.append((len(text), len(text) + len(name), slot[1]))
        text += name
        place = slot.end()
    return text + template[place:], spans


def _name(draw: random.Random, kind: str, pools: Mapping[str, Sequence[str]], language: str, *, unknown: bool) -> str:
    def one(pool: str) -> str:
        names = pools[pool]
        half = len(names) // 2
        return draw.choice(names[half:] if unknown else names[:half])

    if kind == "LOC":
        return one("LOC")
    if kind == "ORG":
        return f"{one('org')}{' ' if language == 'en' else ''}{draw.choice(pools['suffix'])}"
    if kind == "PER":
        if language == "zh":
            return one("first") + one("last")
        return draw.choice([f"{one('first')} {one('last')}", one("last")])
    day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(1990, 2025)
    if language == "zh":
        return draw.choice([f"{month}月{day}日", f"{year}年{month}月"])
    named = NAMES["en"]["month"][month - 1]
    return draw.choice([f"{day} {named}", f"{named} {day}, {year}"])
