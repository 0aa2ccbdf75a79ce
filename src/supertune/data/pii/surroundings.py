"""The words beside an item: those that make it telling, and those that say it is something else."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"[。!?;\n\r]|\.\s+(?=[A-Z])")
_SERIAL = re.compile(
    r"""(?:
        订单|运单|快递单?|物流单?|流水|交易|凭证|发票|收据|合同|单据|工单|票据?|批次?|货|产品|商品|设备|会员|学|工
        |案|版本|文件|条形?|追踪|跟踪|取件|提货|验证|识别|序列|群|机身|型|参考|业务|受理|申请
    )(?:码|号码?|编号|单号|代码)
    | (?:单号|编号|序列号|串号|流水号|条码|订单|编码|[Qq][Qq]群?|IMEI|ISBN|ISSN|ISRC|EAN|UPC|SKU|DOI|MEID)
    | \b(?:order|invoice|tracking|shipment|parcel|consignment|serial|ticket|case|reference|ref|sku|barcode|ean|upc|part
        |model|batch|lot|item|product|transaction|receipt|booking|confirmation|catalogue|catalog|article|isbn|issn|imei
        |version|build|s/n|sn|document|doc|file|member(?:ship)?|customer|student|employee|policy|claim|docket|job|rma
        |timestamp|unix\ time|hash|commit|md5|sha1|sha256)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"(?<!\w)(?:passport|ssn|social security|account|iban|card|licen[cs]e|tax|id)(?!\w)"
    r"|护照|通行证|身份证|证件|证号|卡号|银行卡|信用卡|账号|帐号|账户|税号",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"(?:\s|[:=#(\[\"'“‘「『.№-]|是|为|叫|码|号|的|\b(?:no|number|numbers|num|nr|id|code|is|was|of|the|with|under|my)\b)*\Z",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"(?:[$€£¥₽₹₩]|\b(?:USD|EUR|GBP|CNY|RMB|HKD|JPY))\s?\Z|(?:金额|合计|总价|价格|售价|人民币)[:是为]?\s?\Z"
)
SERIAL_WIDTH = 40


def before(text: str, place: int, width: int = 32) -> str:
    """What stands before a place in the same sentence, at most so many characters."""
    piece = text[max(0, place - width) : place]
    end = 0
    for found in _SENTENCE_END.finditer(piece):
        end = found.end()
    return piece[end:]


def behind(text: str, place: int, width: int = 16) -> str:
    """What stands behind a place in the same sentence, at most so many characters."""
    piece = text[place : place + width]
    found = _SENTENCE_END.search(piece)
    return piece[: found.start()] if found else piece


def is_serial(text: str, start: int) -> bool:
    """Whether the words right before a number say that it counts something else: an order, a parcel, money."""
    piece = before(text, start, SERIAL_WIDTH)
    if not piece:
        return False
    if _MONEY.search(piece):
        return True
    return any(_LINK.match(piece, found.end()) for found in _SERIAL.finditer(piece))


def is_no_phone(text: str, start: int) -> bool:
    """Whether the words right before a number say that it counts something, or is of an account or a document."""
    piece = before(text, start, SERIAL_WIDTH)
    return is_serial(text, start) or any(_LINK.match(piece, found.end()) for found in _ACCOUNT.finditer(piece))
