"""Sentences with planted personal data, made by others' generators, and with what looks like it and is none.

Items come from Faker (its locales zh_CN, en_US and en_GB and, for account numbers, of the euro's countries), with
python-stdnum's check digits for UnionPay's numbers, which Faker has too few of. Sentences are those of the invented
support tickets, unless others are given. Half of the items stand behind words that say what they are, half of them
anywhere in a sentence: between two words in English, between any two characters in Chinese, with nothing around them.
Kinds that only such words make telling (passports, passwords, foreign plates) always have them: whether finders know
the words is what is measured.
"""

from __future__ import annotations

import base64
import csv
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faker import Faker
from stdnum import luhn

TICKETS = Path(__file__).parents[1] / "examples" / "support-tickets"
Make = Callable[[], str]


@dataclass(frozen=True)
class Planted:
    """A text with at most one item.

    Attributes:
        text: The text.
        language: ``en`` or ``zh``.
        kind: Of the item, or of what the look-alike looks like; None for a text as it is.
        start: Where the item begins; -1 where there is none.
        end: Behind its last character.
        named: Words say what it is.
    """

    text: str
    language: str
    kind: str | None = None
    start: int = -1
    end: int = -1
    named: bool = False


def tickets(language: str) -> list[str]:
    """The messages of the example, but for those that hold planted personal data or long numbers."""
    with (TICKETS / f"tickets-{language}.csv").open(encoding="utf-8", newline="") as file:
        messages = [row["message"] for row in csv.DictReader(file)]
    return [text for text in messages if len(text) > 8 and not re.search(r"[\d@][^\n]{0,4}\d[^\n]{0,4}\d{2}|@", text)]


def planted(language: str, sentences: Sequence[str], each: int, seed: int = 0) -> Iterator[Planted]:
    """So many texts for every kind of a language, and as many look-alikes of every kind."""
    drawn = random.Random(f"{language} {seed}")
    makers, lookalikes = items(language, drawn, seed), look_alikes(language, drawn, seed)
    for kind, makes in makers.items():
        for number in range(each):
            item = makes[number % len(makes)]()
            named = kind in ONLY_NAMED or (number // len(makes)) % 2 == 0
            sentence = drawn.choice(sentences)
            phrase = drawn.choice(PHRASES[language][kind]) if named else "{}"
            yield _put(sentence, phrase, item, language, kind, drawn, named)
    for kind, makes in lookalikes.items():
        for number in range(each):
            text = _put(drawn.choice(sentences), "{}", makes[number % len(makes)](), language, kind, drawn, False)
            yield Planted(text.text, language, kind)
    yield from (Planted(sentence, language) for sentence in sentences)


ONLY_NAMED = frozenset({"passport", "password", "foreign plate"})


def _put(sentence: str, phrase: str, item: str, language: str, kind: str, drawn: random.Random, named: bool) -> Planted:
    """An item, in its phrase, somewhere in a sentence."""
    if language == "en":
        places = [match.start() for match in re.finditer(r"(?<=[a-z,]) (?=[a-z])", sentence)] or [len(sentence)]
        around = (" ", "")
    else:
        usual = range(1, len(sentence))
        places = [place for place in usual if not (sentence[place - 1] + sentence[place]).isascii()] or [len(sentence)]
        places = [place for place in places if not re.search(r"[\x21-\x7e]", sentence[place - 1 : place + 1])] or [
            len(sentence)
        ]
        around = ("，" if named else "", "，" if named else "")
    place = drawn.choice(places)
    before, behind = phrase.split("{}")
    front = sentence[:place] + around[0] + before
    return Planted(
        front + item + behind + around[1] + sentence[place:], language, kind, len(front), len(front) + len(item), named
    )


def items(language: str, drawn: random.Random, seed: int) -> dict[str, list[Make]]:
    """Kind → what makes one, in several notations."""
    chinese, american, british = Faker("zh_CN"), Faker("en_US"), Faker("en_GB")
    for number, faker in enumerate((chinese, american, british)):
        faker.seed_instance(f"{language} {seed} {number}")
    euro = [Faker(name) for name in ("de_DE", "fr_FR", "es_ES", "nl_NL", "it_IT")]
    for number, faker in enumerate(euro):
        faker.seed_instance(f"{language} {seed} {number}")

    def union_pay() -> str:
        number = "62" + "".join(str(drawn.randrange(10)) for _ in range(drawn.choice((13, 16))))
        return number + luhn.calc_check_digit(number)

    def old_id() -> str:
        while (number := chinese.ssn())[6:8] != "19":
            pass
        return number[:6] + number[8:17]

    def account() -> str:
        return drawn.choice([british, *euro]).iban()

    common: dict[str, list[Make]] = {
        "ip": [american.ipv4_public, american.ipv4_private, american.ipv6],
        "key or token": key_makers(american, drawn),
        "iban": [account, lambda: grouped(account())],
    }
    if language == "en":
        return {
            "email": [american.email, american.company_email, american.free_email, british.ascii_safe_email],
            "phone": [american.phone_number, british.phone_number, american.basic_phone_number],
            "bank-card": [american.credit_card_number, lambda: grouped(american.credit_card_number("visa"), 4, "-")],
            "us-ssn": [american.ssn],
            "passport": [american.passport_number, british.passport_number],
            "foreign plate": [american.license_plate, british.license_plate],
            "password": [lambda: american.password(length=drawn.randrange(8, 17))],
            **common,
        }
    mobile = chinese.phone_number
    return {
        "email": [chinese.email, chinese.company_email, chinese.free_email, lambda: wide(chinese.email())],
        "phone": [
            mobile,
            lambda: "+86" + mobile(),
            lambda: grouped(mobile(), 4, "-", first=3),
            lambda: grouped(mobile(), 4, " ", first=3),
            lambda: wide(mobile()),
            lambda: chinese.numerify(drawn.choice(("010", "021", "0755", "0571", "028")) + "-8%######"),
        ],
        "resident-id": [chinese.ssn, chinese.ssn, lambda: chinese.ssn().lower(), lambda: wide(chinese.ssn())],
        "resident-id of 15 digits": [old_id],
        "bank-card": [chinese.credit_card_number, union_pay, lambda: grouped(union_pay()), lambda: wide(union_pay())],
        "passport": [
            lambda: chinese.bothify("E########"),
            lambda: chinese.bothify("E?#######", letters="ABCDEFGHJK"),
            lambda: chinese.bothify("G########"),
            chinese.passport_number,
        ],
        "plate": [
            lambda: chinese.license_plate().replace("-", ""),
            lambda: chinese.license_plate().replace("-", "·"),
            lambda: chinese.license_plate()[:2] + chinese.bothify("D?####", letters="ABCDEF"),
        ],
        "password": [lambda: chinese.password(length=drawn.randrange(8, 17), special_chars=False)],
        **common,
    }


def key_makers(faker: Faker, drawn: random.Random) -> list[Make]:
    """Keys of the forms that services document; those of none of them, uuid and hexadecimal, have words before them."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

    def some(length: int, signs: str = letters) -> str:
        return "".join(drawn.choice(signs) for _ in range(length))

    def token() -> str:
        parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": faker.uuid4(), "iat": 1700000000})
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*encoded, some(43)])

    def private_key() -> str:
        lines = "\n".join(some(64) for _ in range(4))
        return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"

    return [
        lambda: "AKIA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
        lambda: "ghp_" + some(36),
        lambda: f"xoxb-{some(12, '0123456789')}-{some(13, '0123456789')}-{some(24)}",
        lambda: "AIza" + some(35, letters + "_-"),
        lambda: "sk-proj-" + some(48),
        lambda: "sk-" + some(48),
        token,
        private_key,
    ]


def look_alikes(language: str, drawn: random.Random, seed: int) -> dict[str, list[Make]]:
    """What it looks like → what makes one."""
    faker = Faker("zh_CN" if language == "zh" else "en_US")
    faker.seed_instance(f"look-alike {language} {seed}")
    british = Faker("en_GB")
    british.seed_instance(f"look-alike {language} {seed}")

    def but_one(number: str) -> str:
        """With another digit somewhere behind the fourth: every such checksum notices one."""
        places = [place for place, sign in enumerate(number) if place >= 6 and sign.isdigit()]
        place = drawn.choice(places)
        return number[:place] + str((int(number[place]) + drawn.randrange(1, 10)) % 10) + number[place + 1 :]

    english = language == "en"
    words = WORDS[language]

    def said(kind: str, make: Make) -> Make:
        return lambda: drawn.choice(words[kind]).format(make())

    def version() -> str:
        return ".".join(str(drawn.randrange(1, 40)) for _ in range(4))

    serial = lambda: faker.numerify("1%#########")  # noqa: E731
    found: dict[str, list[Make]] = {
        "phone": [
            said("serial", serial),
            said("date", faker.date),
            said("time", faker.time),
            said("isbn", faker.isbn13),
            said("price", lambda: f"{drawn.randrange(10**6, 10**9):,}.{drawn.randrange(100):02}"),
            said("score", lambda: f"{drawn.randrange(9)}-{drawn.randrange(9)}"),
            lambda: f"{faker.date()} {faker.time()}",
            lambda: drawn.choice(("2019-2020", "10086", "95588", "12306", "1984", "911", "2024.10.01")),
        ],
        "bank-card": [
            lambda: but_one(faker.credit_card_number("visa")),
            lambda: grouped(but_one(faker.credit_card_number("mastercard"))),
            said("serial", lambda: faker.numerify("6#################")),
            said("serial", lambda: faker.credit_card_number("visa")),
            said("barcode", faker.ean13),
        ],
        "iban": [lambda: but_one(british.iban()), lambda: grouped(but_one(british.iban()))],
        "ip": [
            said("version", version),
            said("section", lambda: ".".join(str(drawn.randrange(1, 9)) for _ in range(4))),
            lambda: f"{drawn.randrange(256, 999)}.{drawn.randrange(256)}.1.1",
            faker.time,
            lambda: "127.0.0.1",
        ],
        "email": [
            lambda: "@" + faker.user_name(),
            lambda: f"icon@{drawn.randrange(2, 5)}x.png",
            lambda: f"lodash@{drawn.randrange(9)}.{drawn.randrange(30)}.{drawn.randrange(9)}",
            lambda: "3 @ 5" if english else "3＠5",
        ],
        "key or token": [
            said("hash", faker.sha1),
            said("hash", faker.md5),
            faker.uuid4,
            said("secret word", lambda: drawn.choice(words["no secret"])),
            lambda: "sk-learn-contrib-some-estimators",
        ],
    }
    if english:
        found["us-ssn"] = [
            lambda: faker.numerify("000-##-####"),
            lambda: faker.numerify("9##-##-####"),
            said("serial", lambda: faker.numerify("%##-##-####")),
        ]
        found["passport"] = [lambda: faker.bothify("?########").upper(), lambda: faker.numerify("%########")]
        found["plate"] = [lambda: faker.bothify("??## ???").upper(), lambda: faker.bothify("???-####").upper()]
    else:
        chinese = Faker("zh_CN")
        chinese.seed_instance(f"look-alike {seed}")
        found["resident-id"] = [
            lambda: but_one(chinese.ssn()),
            said("serial", lambda: chinese.numerify("%#################")),
        ]
        found["passport"] = [lambda: chinese.bothify("E########"), lambda: chinese.bothify("G########")]
        found["plate"] = [lambda: chinese.bothify("?#####", letters="ABCDEFG"), lambda: "全新A12345款"]
    return found


def grouped(number: str, size: int = 4, gap: str = " ", first: int | None = None) -> str:
    """In groups of so many characters, the first of another size."""
    first = size if first is None else first
    rest = [number[place : place + size] for place in range(first, len(number), size)]
    return gap.join([number[:first], *rest])


def wide(text: str) -> str:
    """With full-width digits, letters and signs."""
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


PHRASES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "email": ["my address is {}", "write to {}", "you can mail {}", "e-mail: {}", "({})"],
        "phone": ["call me at {}", "my number is {}", "tel. {}", "you can reach us on {}", "Mobile: {}"],
        "bank-card": ["my card is {}", "card number {}", "I paid with {}", "the Visa ending, well, all of it: {}"],
        "us-ssn": ["my SSN is {}", "social security number {}", "SSN: {}"],
        "passport": ["my passport number is {}", "passport {}", "Passport No. {}", "I travel on passport no {}"],
        "foreign plate": ["license plate {}", "the number plate is {}", "licence plate: {}", "vehicle registration {}"],
        "password": ["my password is {}", "password: {}", "pwd={}", "the password was {}"],
        "ip": ["from the address {}", "my IP is {}", "the server at {}", "IP: {}"],
        "key or token": ["the key {}", "token {}", "with {}"],
        "iban": ["IBAN {}", "please pay to {}", "my account {}", "to account {}"],
    },
    "zh": {
        "email": ["邮箱是{}", "请发到{}", "我的邮箱：{}", "联系{}", "（{}）"],
        "phone": ["电话{}", "我的手机号是{}", "请打{}", "联系方式：{}", "手机：{}"],
        "resident-id": ["身份证号{}", "身份证：{}", "我的证件号码是{}", "证号{}"],
        "resident-id of 15 digits": ["身份证号{}", "老身份证{}", "证件号是{}"],
        "bank-card": ["卡号{}", "银行卡号是{}", "请退到{}", "付款的卡：{}"],
        "passport": ["护照号{}", "护照号码是{}", "我的护照{}", "护照：{}"],
        "plate": ["车牌{}", "车牌号是{}", "我的车{}", "送货的车牌：{}"],
        "password": ["密码是{}", "密码：{}", "登录密码为{}", "口令:{}"],
        "ip": ["地址{}", "IP是{}", "服务器{}", "从{}登录"],
        "key or token": ["密钥{}", "令牌是{}", "用的是{}"],
        "iban": ["账号{}", "请汇到{}", "IBAN是{}", "收款账户：{}"],
    },
}
"""Language → kind → phrases that an item stands in."""

WORDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "serial": ["order number {}", "serial no. {}", "tracking number: {}", "invoice {}", "ticket #{}"],
        "date": ["on {}", "since {}"],
        "time": ["at {}", "around {}"],
        "isbn": ["ISBN {}", "the book {}"],
        "price": ["${}", "a total of ${}", "£{}"],
        "score": ["won {}", "lost {}"],
        "barcode": ["barcode {}", "EAN {}"],
        "version": ["version {}", "v{}", "firmware {}", "updated to version {}"],
        "section": ["section {}", "see chapter {}", "§ {}"],
        "hash": ["commit {}", "md5 {}", "the checksum {}", "sha1: {}"],
        "secret word": ["the password is {}", "my token: {}", "password {}"],
        "no secret": ["wrong", "too short", "required", "not accepted", "8 characters or more"],
    },
    "zh": {
        "serial": ["订单号{}", "序列号：{}", "快递单号是{}", "流水号{}", "编号{}"],
        "date": ["{}下单", "在{}"],
        "time": ["{}送到", "大概{}"],
        "isbn": ["ISBN {}", "书号ISBN{}"],
        "price": ["¥{}", "一共{}元", "￥{}"],
        "score": ["比分{}", "{}赢了"],
        "barcode": ["条码{}", "条形码：{}"],
        "version": ["版本{}", "v{}", "固件版本号{}", "升级到{}版"],
        "section": ["第{}节", "见{}节", "§{}"],
        "hash": ["commit {}", "md5：{}", "校验值{}", "哈希{}"],
        "secret word": ["密码是{}", "令牌：{}", "密码{}"],
        "no secret": ["错的", "太短", "什么", "8位以上", "不对的"],
    },
}
"""Language → what the look-alike is → what is said of it."""
