"""Known answers: for every kind, in both languages, what is found of it, how it is written, and what is none."""

import time

import pytest

from supertune.data.pii import KINDS, find_pii, mask
from supertune.errors import UserError

FOUND = [
    # (the text with the item in « », its kind, how it is verified)
    ("Write to «jane.doe+shop@mail.example.co.uk», please.", "email", "pattern"),
    ("我的邮箱是«zhang_san@qq.com»请回复", "email", "pattern"),
    ("邮箱：«ｗａｎｇ＠１６３．ｃｏｍ»，谢谢", "email", "pattern"),
    ("an «müller@bücher.de» und", "email", "pattern"),
    ("发到«li.lei@例子.中国»就行", "email", "pattern"),
    ("пишите на «иван@пример.рф» сегодня", "email", "pattern"),
    ("«13812345678@139.com»是我的邮箱", "email", "pattern"),
    ("?mail=«a@b.org»&x=1", "email", "pattern"),
    ("<mailto:«a@b.org»>", "email", "pattern"),
    ("我的手机号是«13812345678»谢谢", "phone", "library"),
    ("我的手机号是«１３８１２３４５６７８»谢谢", "phone", "library"),
    ("电话«138 1234 5678»。", "phone", "library"),
    ("电话«138-1234-5678»，找王先生", "phone", "library"),
    ("打«+86 138-1234-5678»找我", "phone", "library"),
    ("打«＋８６　１３８１２３４５６７８»找我", "phone", "library"),
    ("打«008613812345678»找我", "phone", "library"),
    ("Tel«13812345678»", "phone", "library"),
    ("👩‍👩‍👧电话\u202d«13812345678»\u202c😀", "phone", "library"),
    ("传真«0755-88886666»转801", "phone", "library"),
    ("请拨打«（010）88886666»", "phone", "library"),
    ("总机«+86 10 8888 6666»", "phone", "library"),
    ("客服热线«400-820-8820»", "phone", "pattern"),
    ("家里电话：«88886666»", "phone", "context"),
    ("Call (during the day) «(415) 555-2671»!", "phone", "library"),
    ("Call «415.555.2671 x12» or", "phone", "library"),
    ("Call «+1-415-555-2671», or", "phone", "library"),
    ("my number is «4155552671» ok", "phone", "library"),
    ("mobile «555-0162» please", "phone", "context"),
    ("London: «+44 20 7496 0592».", "phone", "library"),
    ("London: «020 7496 0592».", "phone", "library"),
    ("phone «07700 900123» (film)", "phone", "context"),
    ("Berlin «+49 30 901820» oder", "phone", "library"),
    ("身份证«11010519491231002X»，请查", "resident-id", "checksum"),
    ("身份证«11010519491231002x»，请查", "resident-id", "checksum"),
    ("证号«１１０１０５１９４９１２３１００２Ｘ»", "resident-id", "checksum"),
    ("证号«110105 19491231 002X»", "resident-id", "checksum"),
    ("证号«11010519491231002Ⅹ»罗马数字", "resident-id", "checksum"),
    ("老身份证«110105491231002»号", "resident-id", "pattern"),
    ("ID «11010519491231002X» given", "resident-id", "checksum"),
    ("卡号«6222020000000000000»，工行", "bank-card", "checksum"),
    ("退到«６２２２　０２００　００００　０００７»吧", "bank-card", "checksum"),
    ("card «4111-1111-1111-1111» exp 09/27", "bank-card", "checksum"),
    ("«4111 1111 1111 1111» 12/25 123", "bank-card", "checksum"),
    ("«6222 0200 0000 0000 000» and", "bank-card", "checksum"),
    ("«3782 822463 10005» is an Amex", "bank-card", "checksum"),
    ("IBAN «GB82 WEST 1234 5698 7654 32» PLEASE", "iban", "checksum"),
    ("汇到«DE89370400440532013000»谢谢", "iban", "checksum"),
    ("ibans: «fr1420041010050500013m02606»", "iban", "checksum"),
    ("my SSN is «536-22-1234».", "us-ssn", "pattern"),
    ("SSN «536221234»", "us-ssn", "context"),
    ("我的社会安全号是«536 22 1234»", "us-ssn", "context"),
    ("ping «8.8.8.8» now", "ip", "pattern"),
    ("从«192.168.1.20»:8080登录", "ip", "pattern"),
    ("服务器«2001:4860:4860::8888»挂了", "ip", "pattern"),
    ("http://«10.20.30.40»/index", "ip", "pattern"),
    ("[«fe80::1ff:fe23:4567:890a»]", "ip", "pattern"),
    ("护照号«E12345678»", "passport", "context"),
    ("我的护照是«EA1234567»，快到期了", "passport", "context"),
    ("«G12345678»（护照）", "passport", "context"),
    ("Passport No. «C01X00T47», German", "passport", "context"),
    ("my passport number is «086715368» ok", "passport", "context"),
    ("港澳通行证«C12345678»", "passport", "context"),
    ("车牌«京A·12345»的车", "plate", "pattern"),
    ("停着一辆«粤B12345D»和", "plate", "pattern"),
    ("一辆«粤BD12345»和", "plate", "pattern"),
    ("一辆«沪a8k9m2»和", "plate", "pattern"),
    ("the number plate was «LB20 HJZ» I think", "plate", "context"),
    ("license plate «7ABC123»", "plate", "context"),
    ("key «AKIAIOSFODNN7EXAMPLE».", "secret", "pattern"),
    ("用«ghp_abcdefghijklmnopqrstuvwxyz0123456789»登录", "secret", "pattern"),
    ("xx «xoxb-123456789012-abcDEF123456» yy", "secret", "pattern"),
    ("«AIzaSyA1234567890abcdefghijklmnopqrstuv»", "secret", "pattern"),
    ("export KEY «sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34»", "secret", "pattern"),
    ("t «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl» e", "secret", "pattern"),
    ("——«sk-FarZJxVBj4hZFI95DdQPIIejGuqqt1PmXlkld6ft9r6UKz3z»以上", "secret", "pattern"),
    ("更«渝LDF6610»换", "plate", "pattern"),
    ("看«-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----»。", "secret", "pattern"),
    ("password: «hunter22», thanks", "secret", "context"),
    ("我的密码是«abc12345»。", "secret", "context"),
    ("密码：«１２３４５６ａ»", "secret", "context"),
    ('{"api_key": "«9fceb02d0ae598e95dc970b74767f193»"}', "secret", "context"),
    ("密钥=«9fceb02d0ae598e95dc970b74767f193»", "secret", "context"),
    ("Authorization: Bearer «mF_9.B5f-4.1JqM9sd»", "secret", "context"),
    ("postgres://bob:«s3cret»@localhost/db", "secret", "context"),
    ("https://bob:«s3cret»@mail.org/x", "secret", "context"),
    ("https://«bob@mail.org»/x", "email", "pattern"),
]

NONE = [
    "订单号13812345678已发货",
    "快递单号：13812345678",
    "serial no. 13812345678 is mine",
    "合计¥13812345678",
    "SN13812345678",
    "0.13812345678",
    "比分3-2，2023年10月15日10:30:45",
    "2023-10-15 10:30:45, from 2019-2020, pages 1024-2048",
    "ISBN 978-7-111-54742-6 and 0-306-40615-2",
    "a total of 1,234,567.89 dollars",
    "人口1400000000，12306、95588和10086",
    "身份证110105194912310021，校验不对",
    "身份证110105194913310021",
    "card 4111 1111 1111 1112 declined",
    "order number 4111 1111 1111 1111",
    "IBAN GB82 WEST 1234 5698 7654 33",
    "ssn 000-12-3456, 666-12-3456, 900-12-3456",
    "version 1.2.3.4, v10.20.30.40, 版本10.2.33.4",
    "见第1.2.3.4节, 127.0.0.1 and 300.1.1.1",
    "at 10:30:45 std::a1 and 12:30",
    "product E12345678 and G12345678",
    "全新A12345款",
    "京A股今天涨了12345点",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "md5: 9e107d9d372bb6826bd81d3542a419d6",
    "the password is wrong, password: ********, 密码是8位",
    "token: hello, key: value",
    "icon@2x.png, lodash@4.17.21, @user, 3 @ 5, git@github.com:a/b.git",
    "sk-learn-contrib-some-estimators",
    "[EMAIL] [PHONE] password: [SECRET] [PASSPORT] [PLATE]",
    "😀👍🏽 no digits here ١",
]


def marked(text):
    start, end = text.index("«"), text.index("»") - 1
    return text.replace("«", "").replace("»", ""), start, end


@pytest.mark.parametrize(("text", "kind", "verified"), FOUND)
def test_an_item_is_found_exactly(text, kind, verified):
    plain, start, end = marked(text)
    assert [(span.start, span.end, span.kind, span.verified) for span in find_pii(plain)] == [
        (start, end, kind, verified)
    ]
    assert mask(plain, find_pii(plain)) == plain[:start] + KINDS[kind].placeholder + plain[end:]


@pytest.mark.parametrize("text", NONE)
def test_what_looks_like_an_item_and_is_none_is_left_alone(text):
    assert find_pii(text) == []


def test_every_kind_has_known_answers():
    assert {kind for _, kind, _ in FOUND} == set(KINDS)


def test_several_items_in_one_text_come_in_order():
    text = "电话13812345678，邮箱a@b.cn，卡4111 1111 1111 1111"
    spans = find_pii(text)
    assert [(span.kind, text[span.start : span.end]) for span in spans] == [
        ("phone", "13812345678"),
        ("email", "a@b.cn"),
        ("bank-card", "4111 1111 1111 1111"),
    ]
    assert mask(text, spans) == "电话[PHONE]，邮箱[EMAIL]，卡[BANK_CARD]"


@pytest.mark.parametrize("between", [" ", ", ", ",", "，", "、", "\n", "/"])
@pytest.mark.parametrize(
    "items",
    [
        ["13812345678", "13912345679", "13712345670"],
        ["415-555-2671", "415-555-2672", "415-555-2673"],
        ["4111111111111111", "5500000000000004", "378282246310005"],
        ["11010519491231002X", "110105194912310038"],
        ["536-22-1234", "536-22-1235"],
        ["a@b.org", "c@d.org"],
        ["66.249.66.1", "66.249.66.2"],
        ["京A12345", "京B12345"],
    ],
)
def test_items_in_a_list_are_all_found(items, between):
    text = between.join(items)
    assert [text[span.start : span.end] for span in find_pii(text)] == items


@pytest.mark.parametrize(
    "piece",
    ["1", "1 ", "1-", "a@", "a@b.", "1.1.1.", "AB12 ", "eyJabcdefghi.", "+1 ", "::1", "tel 1", "password: ", "key=a1 ",
     "-----BEGIN PRIVATE KEY-----", "https://a1:", "020 7496 ", "1\u200b", "415-555-2671 ", "020 7496 0592 ",
     "a@b.org "],
)  # fmt: skip
def test_long_texts_take_no_more_than_long(piece):
    text = piece * (20_000 // len(piece))
    start = time.process_time()
    find_pii(text)
    assert time.process_time() - start < 5


def test_placeholders_are_stable():
    assert {name: kind.placeholder for name, kind in KINDS.items()} == {
        "secret": "[SECRET]",
        "email": "[EMAIL]",
        "iban": "[IBAN]",
        "resident-id": "[RESIDENT_ID]",
        "bank-card": "[BANK_CARD]",
        "us-ssn": "[US_SSN]",
        "phone": "[PHONE]",
        "passport": "[PASSPORT]",
        "plate": "[PLATE]",
        "ip": "[IP]",
    }


def test_only_the_kinds_that_are_named_are_looked_for():
    text = "13812345678 a@b.cn"
    assert [span.kind for span in find_pii(text, kinds=["email"])] == ["email"]
    assert find_pii(text, kinds=[]) == []


def test_regions_say_whose_national_numbers_are_looked_for():
    chinese, german = "我的手机13812345678", "Ruf an: 030 901820"
    assert find_pii(chinese, regions=["US"]) == []
    assert find_pii(german) == []
    assert [span.normal for span in find_pii(german, regions=["DE"])] == ["+4930901820"]
    assert [span.normal for span in find_pii("+86 13812345678", regions=[])] == ["+8613812345678"]
    assert find_pii("身份证11010519491231002X 京A12345 536-22-1234", regions=["GB"]) == []


def test_a_number_of_two_countries_is_of_the_one_whose_language_is_written():
    assert [span.normal for span in find_pii("拨打02074960592吧")] == ["+862074960592"]
    assert [span.normal for span in find_pii("dial 02074960592 now")] == ["+442074960592"]


def test_spans_do_not_show_what_they_hold():
    (span,) = find_pii("我的手机13812345678")
    assert "138" not in repr(span)


def test_unknown_kinds_and_regions_are_refused_with_the_way_out():
    with pytest.raises(UserError) as raised:
        find_pii("", kinds=["emails"])
    assert "'emails'" in raised.value.what
    assert "'email'" in raised.value.fix
    with pytest.raises(UserError, match="there is no region 'XX'"):
        find_pii("", regions=["XX"])


def test_spans_of_another_text_are_refused():
    spans = find_pii("我的手机13812345678")
    with pytest.raises(ValueError, match="text of 2 characters"):
        mask("ab", spans)
    with pytest.raises(ValueError, match="not behind the one before"):
        mask("我的手机13812345678", [*spans, *spans])
