"""Keys, tokens and passwords: those with a form of their own, and what stands behind words such as password or 密钥.

The forms are those that the services document, as gitleaks and detect-secrets know them as well.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from supertune.data.pii.drawing import Draw
from supertune.data.pii.folding import Folded, holds_any
from supertune.data.pii.spans import Found

_PEM = re.compile(
    r"-----BEGIN (?P<what>[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----.*?(?:-----END (?P=what)-----|\Z)", re.DOTALL
)
_FORMS = re.compile(
    r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z_]-)(?:"
    # Amazon, Google, Azure's storage, Alibaba, Tencent.
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{20,}"
    r"|AccountKey=[A-Za-z0-9+/]{86}==|LTAI[A-Za-z0-9]{12,20}|AKID[A-Za-z0-9]{32}"
    # GitHub, GitLab, npm, PyPI, Hugging Face.
    r"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}|glpat-[\w-]{20,}|npm_[A-Za-z0-9]{36}"
    r"|pypi-AgE[\w-]{50,}|hf_[A-Za-z0-9]{34,}"
    # Slack, Telegram, SendGrid, Stripe.
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}|\d{8,10}:AA[\w-]{33}|SG\.[\w-]{22}\.[\w-]{43}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{20,}"
    r")(?![0-9A-Za-z_])"
    r"|https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"
)
_MODEL_KEY = re.compile(r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z_]-)sk-[\w-]{20,}(?![\w-])", re.ASCII)
_JWT = re.compile(r"(?<!\w)(?<!\w-)(?P<header>eyJ[\w-]{8,})\.[\w-]{8,}\.[\w-]*(?![\w-])", re.ASCII)
_IN_URL = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>]{1,64}:(?P<value>[^\s/@\"'<>]{3,128})@[A-Za-z0-9\[]"
)
_LINK = r"[\"'”’]?\s*(?:(?:is|was|are)\b|=>|:=|->|[:=]|是|为|改成|改为)\s*(?:(?:is|was)\b|[:=]|是|为)?\s*[\"'`“‘「]?"
_VALUE = r"(?P<value>[^\s\"'`“”‘’「」<>,;。、，；]{6,512})"
_PASSWORD = re.compile(
    r"(?:(?<![A-Za-z])(?:pass(?:word|wd|phrase|code)?|pwd|pw)|密码|口令|密碼)"
    rf"{_LINK}{_VALUE}",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?:(?<![A-Za-z])(?:api|access|secret|private|auth|client|app|account|encryption|signing|bearer|refresh|session)?"
    r"[ _-]?(?:key(?:[ _-]?id)?|token|secret)|密钥|秘钥|令牌|密鑰|金鑰|凭据)"
    rf"{_LINK}(?:Bearer\s+|Basic\s+)?{_VALUE}|\b(?:Bearer|Basic)\s+(?P<bearer>[\w.~+/=-]{{16,512}})",
    re.IGNORECASE,
)
_BEGINNINGS = (
    *(
        "AKIA",
        "ASIA",
        "ABIA",
        "ACCA",
        "AIza",
        "GOCSPX-",
        "ya29.",
        "AccountKey=",
        "LTAI",
        "AKID",
        "ghp_",
        "gho_",
        "ghu_",
    ),
    *("ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "pypi-", "hf_", "xox", "xapp-", ":AA", "SG.", "k_live_"),
    *("k_test_", "whsec_", "hooks.slack.com"),
)
_HINTS = (
    *("pass", "pwd", "pw", "key", "token", "secret", "bearer", "basic"),
    *("密码", "口令", "密碼", "密钥", "秘钥", "令牌", "密鑰", "金鑰", "凭据"),
)
_PSEUDONYM = re.compile(r"(?:secret|user)-[0-9a-f]{12}(?![0-9a-f])")
_STANDS_FOR_NOTHING = re.compile(
    r"[*xX•.…#_-]+\Z|\$\{|\$[A-Z_][A-Z0-9_]*\Z|%\w+%\Z|\d{4}-\d\d?-\d\d?|(?:https?|ftp)://", re.ASCII
)
_KEY_LENGTH, _KEY_BITS = 16, 3.0
_TRAILING = ".,:?。！？：…"


def find_secrets(folded: Folded, regions: Sequence[str]) -> Iterator[Found]:
    """Private keys, tokens of known services, JSON web tokens, passwords in addresses, and named passwords and keys."""
    text = folded.text
    if "PRIVATE KEY" in text:
        for match in _PEM.finditer(text):
            yield Found(match.start(), match.end(), "pattern", re.sub(r"\s", "", match.group()))
    for match in _FORMS.finditer(text) if holds_any(text, _BEGINNINGS) else ():
        if _has_digit(match.group()) or match.group().startswith(("AKIA", "ASIA", "AIza")):
            yield _whole(match)
    if "sk-" in text:
        yield from map(_whole, filter(lambda match: _is_random(match.group()), _MODEL_KEY.finditer(text)))
    if "eyJ" in text:
        yield from map(_whole, filter(lambda match: _is_header(match["header"]), _JWT.finditer(text)))
    if "://" in text:
        yield from _values(_IN_URL, text, 3, 0.0)
    if folded.holds(_HINTS):
        yield from _values(_PASSWORD, text, 6, 0.0)
        yield from _values(_KEY, text, _KEY_LENGTH, _KEY_BITS)


def _whole(match: re.Match[str]) -> Found:
    return Found(match.start(), match.end(), "pattern", match.group())


def _values(pattern: re.Pattern[str], text: str, shortest: int, bits: float) -> Iterator[Found]:
    """What stands behind a word for secrets, where it can be one: ASCII with a digit, long and varied enough."""
    for match in pattern.finditer(text):
        group = "value" if match["value"] is not None else "bearer"
        value = re.match(r"[\x21-\x7e]*", match[group]).group()  # type: ignore[union-attr]
        value = value.rstrip(_TRAILING if "(" in value or "[" in value else _TRAILING + ")]}")
        if len(value) < shortest or not _has_digit(value) or _STANDS_FOR_NOTHING.match(value):
            continue
        if _PSEUDONYM.search(value) or (bits and entropy(value) < bits):
            continue
        yield Found(match.start(group), match.start(group) + len(value), "context", value)


def entropy(text: str) -> float:
    """Bits per character of a text, from how often each of its characters occurs in it (Shannon 1948)."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _is_random(key: str) -> bool:
    """Whether what follows ``sk-`` reads as drawn by chance and not as words with dashes between them."""
    varied = any(map(str.isupper, key)) or re.search(r"[0-9a-f]{24}|\d[a-z]+\d[a-z]+\d", key)
    return _has_digit(key) and bool(varied) and entropy(key) >= _KEY_BITS


def _is_header(part: str) -> bool:
    """Whether it is the first part of a JSON web token: JSON in base64 that names an algorithm (RFC 7519)."""
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and bool({"alg", "typ", "enc"} & header.keys())


def pseudonym(normal: str, draw: Draw) -> str:
    """A word and hexadecimal digits, of no service's form: no scanner of secrets stumbles over it."""
    return f"secret-{draw.hexadecimal(12)}"
