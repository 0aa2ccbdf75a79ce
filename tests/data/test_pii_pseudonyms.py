"""Pseudonyms: the same for an item in any notation, order and process, evidently no real ones, never found again."""

import json
import random
import re
import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.iso7064 import mod_11_2
from stdnum.us import ssn

from supertune.data.pii import KINDS, Pseudonyms, find_pii
from supertune.errors import UserError

KEY = "a key of thirty-two characters!!"
ONE = Pseudonyms(KEY)
ITEMS = {
    "secret": ["AKIAIOSFODNN7EXAMPLE", "password: hunter22", "密码是abc12345"],
    "email": ["jane@mail.org", "发给zhang@qq.com吧"],
    "iban": ["GB82WEST12345698765432", "DE89 3704 0044 0532 0130 00"],
    "resident-id": ["11010519491231002X", "身份证110105491231002"],
    "bank-card": ["4111 1111 1111 1111", "378282246310005", "6222020000000000000"],
    "us-ssn": ["536-22-1234"],
    "phone": ["13812345678", "0755-88886666", "(415) 555-2671", "+44 20 7496 0592", "+49 30 901820", "电话88886666"],
    "passport": ["护照E12345678", "passport 086715368", "passport AB123456"],
    "plate": ["京A12345", "粤BD12345", "number plate LB20HJZ", "license plate 885599"],
    "ip": ["66.249.66.1", "2001:4860:4860::8888"],
}


def replaced(text, pseudonyms=ONE):
    return pseudonyms.replace(text, find_pii(text))


@pytest.mark.parametrize(
    "notations",
    [
        [
            "13812345678",
            "138 1234 5678",
            "138-1234-5678",
            "+86 138 1234 5678",
            "0086-13812345678",
            "１３８１２３４５６７８",
        ],
        ["(415) 555-2671", "415-555-2671", "+1 415 555 2671", "415.555.2671"],
        ["020 7496 0592", "+44 20 7496 0592", "+44 (0)20 7496 0592", "0044 20 7496 0592"],
        ["0755-88886666", "(0755) 88886666", "+86 755 8888 6666"],
        ["Jane.Doe@Mail.org", "jane.doe@mail.org"],
        ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"],
        ["GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32"],
        ["11010519491231002X", "11010519491231002x", "110105 19491231 002X", "身份证号110105491231002"],
        ["京A12345", "京A·12345", "京a12345"],
        ["2001:4860:4860::8888", "2001:4860:4860:0:0:0:0:8888"],
    ],
)
def test_one_item_in_all_its_notations_has_one_pseudonym(notations):
    found = set()
    for notation in notations:
        (span,) = find_pii(notation)
        found.add(ONE.of(span))
    assert len(found) == 1


ANYWHERE = (
    "{}",
    "see {} now",
    "看{}吧",
    "（{}）",
    "call {}",
    "电话{}",
    "my number is {}",
    "card {}",
    "卡号：{}",
    "IP {}",
)
OF_THE_KIND = {
    "secret": ("password: {}", "密码是{}。", "api_key={}", "https://joe:{}@mail.org/"),
    "email": ("password: {}", "mailto:{}"),
    "iban": ("IBAN {}", "account {}"),
    "resident-id": ("身份证{}", "ID {}"),
    "bank-card": ("credit card {}", "银行卡{}"),
    "us-ssn": ("SSN {}", "社会安全号{}"),
    "phone": ("tel {}", "mobile: {}", "联系方式：{}", "fax {} or"),
    "passport": ("passport {}", "护照{}", "passport number is {}"),
    "plate": ("license plate {}", "车牌{}", "number plate: {}"),
    "ip": ("the server at {}", "ping {}", "服务器{}"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_pseudonym_is_not_found_again_wherever_it_stands(kind):
    for item in ITEMS[kind]:
        (span,) = find_pii(item)
        for number in range(8):
            pseudonym = Pseudonyms(f"{KEY}{number}").of(span)
            for sentence in (*ANYWHERE, *OF_THE_KIND[kind]):
                text = sentence.format(pseudonym)
                assert find_pii(text) == [], text


def test_pseudonyms_of_telephone_numbers_of_all_countries_are_no_numbers_and_not_found_again():
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number(region)
        if example is None:
            continue
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        spans = find_pii(f"call {number}", regions=[region])
        assert [span.normal for span in spans] == [number]
        pseudonym = ONE.of(spans[0])
        assert find_pii(f"call {pseudonym} now", regions=[region]) == [], (region, pseudonym)


def test_pseudonyms_are_evidently_no_real_ones():
    def of(text):
        (span,) = find_pii(text)
        return ONE.of(span)

    assert re.fullmatch(r"user-[0-9a-f]{12}@example\.com", of("jane@mail.org"))
    assert re.fullmatch(r"100\d{8}", of("13812345678"))
    assert re.fullmatch(r"000-\d{8}", of("0755-88886666"))
    assert re.fullmatch(r"555-[2-9]\d\d-\d{4}", of("(415) 555-2671"))
    assert re.fullmatch(r"\+44 00\d{8}", of("+44 20 7496 0592"))
    assert re.fullmatch(r"000000\d{12}", of("11010519491231002X"))
    assert re.fullmatch(r"0000\d{12}", of("4111 1111 1111 1111"))
    assert re.fullmatch(r"000-\d\d-\d{4}", of("536-22-1234"))
    assert re.fullmatch(r"X00\d{6}", of("护照E12345678"))
    assert re.fullmatch(r"某A[0-9A-Z]{5}", of("京A12345"))
    assert re.fullmatch(r"secret-[0-9a-f]{12}", of("AKIAIOSFODNN7EXAMPLE"))
    assert of("66.249.66.1").split(".")[0] in map(str, range(240, 256))
    assert of("2001:4860:4860::8888").startswith("2001:db8:")
    account = of("GB82WEST12345698765432")
    assert re.fullmatch(r"XX00[A-Z]{4}\d{14}", account)
    assert not iban.is_valid(account)
    assert not ssn.is_valid(of("536-22-1234"))


def test_another_key_gives_others_and_other_items_have_others():
    texts = [item for items in ITEMS.values() for item in items]
    spans = [find_pii(text)[0] for text in texts]
    ours = [ONE.of(span) for span in spans]
    assert len(set(ours)) == len({(span.kind, span.normal) for span in spans})
    assert not set(ours) & {Pseudonyms(KEY + "2").of(span) for span in spans}


def test_no_two_of_two_thousand_mobile_numbers_share_a_pseudonym_more_often_than_chance_says():
    drawn = random.Random(0)
    numbers = {f"138{drawn.randrange(10**8):08}" for _ in range(2_000)}
    pseudonyms = {replaced(number) for number in numbers}
    # 10**8 pseudonyms: a fiftieth of a pair is expected to meet.
    assert len(numbers) - len(pseudonyms) <= 1


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.permutations([item for items in ITEMS.values() for item in items]))
def test_the_order_of_rows_changes_nothing(items):
    alone = {item: replaced(item) for item in sorted(items)}
    assert [replaced(item) for item in items] == [alone[item] for item in items]


def test_another_process_gives_the_same():
    texts = [item for items in ITEMS.values() for item in items]
    program = (
        "import sys, json; from supertune.data.pii import Pseudonyms, find_pii; p = Pseudonyms(sys.argv[1]);"
        "print(json.dumps([p.replace(t, find_pii(t)) for t in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, KEY],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert json.loads(done.stdout) == [replaced(text) for text in texts]


def test_known_pseudonyms_stay_what_they_are():
    known = Pseudonyms("0123456789abcdef")
    assert replaced("电话13812345678，jane@mail.org", known) == "电话10048842741，user-73f1ccd83017@example.com"


def test_a_short_key_is_refused_with_the_way_to_make_one():
    with pytest.raises(UserError, match="16 bytes or more") as raised:
        Pseudonyms("secret")
    assert "token_hex" in raised.value.fix
    assert "secret" not in raised.value.what
    assert "0123" not in repr(Pseudonyms("0123456789abcdef"))
    assert Pseudonyms.with_new_key() != Pseudonyms.with_new_key()


def test_the_items_of_these_tests_are_real_ones():
    assert luhn.is_valid("378282246310005")
    assert mod_11_2.is_valid("11010519491231002X")
    for kind, items in ITEMS.items():
        for item in items:
            assert [span.kind for span in find_pii(item)] == [kind], item
