"""The kinds of personal data that are looked for: a new one is a file and an entry here."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from supertune.data.pii import bank_card, email, iban, ip, passport, phone, plate, resident_id, secrets, us_ssn
from supertune.data.pii.spans import Kind
from supertune.errors import UserError

REGIONS: tuple[str, ...] = ("CN", "US", "GB")
"""Whose national numbers are looked for unless others are named, as ISO 3166 calls them."""

KINDS: Mapping[str, Kind] = {
    "secret": Kind("[SECRET]", "key or password", "keys or passwords", secrets.find_secrets, secrets.pseudonym),
    "email": Kind("[EMAIL]", "e-mail address", "e-mail addresses", email.find_emails, email.pseudonym),
    "iban": Kind("[IBAN]", "IBAN", "IBANs", iban.find_ibans, iban.pseudonym),
    "resident-id": Kind(
        "[RESIDENT_ID]",
        "Chinese identity number",
        "Chinese identity numbers",
        resident_id.find_resident_ids,
        resident_id.pseudonym,
    ),
    "bank-card": Kind(
        "[BANK_CARD]", "bank card number", "bank card numbers", bank_card.find_bank_cards, bank_card.pseudonym
    ),
    "us-ssn": Kind(
        "[US_SSN]", "US social security number", "US social security numbers", us_ssn.find_ssns, us_ssn.pseudonym
    ),
    "phone": Kind("[PHONE]", "telephone number", "telephone numbers", phone.find_phones, phone.pseudonym),
    "passport": Kind("[PASSPORT]", "passport number", "passport numbers", passport.find_passports, passport.pseudonym),
    "plate": Kind("[PLATE]", "number plate", "number plates", plate.find_plates, plate.pseudonym),
    "ip": Kind("[IP]", "IP address", "IP addresses", ip.find_ips, ip.pseudonym),
}
"""Name → kind. Where two kinds claim the same characters equally surely, the first one here has them."""


def check_kinds(names: Collection[str]) -> tuple[str, ...]:
    """The names of kinds in the order of `KINDS`.

    Raises:
        UserError: One of them is none.
    """
    for name in names:
        if name not in KINDS:
            close = difflib.get_close_matches(name, KINDS, 1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(f"there is no kind {name!r} of personal data", fix=f"{meant}Kinds are: {', '.join(KINDS)}")
    return tuple(name for name in KINDS if name in names)


def check_regions(names: Collection[str]) -> tuple[str, ...]:
    """The names of regions, in the order given.

    Raises:
        UserError: One of them is none that telephone numbers are known of.
    """
    if tuple(names) == REGIONS:
        return REGIONS
    from phonenumbers import SUPPORTED_REGIONS

    for name in names:
        if name not in SUPPORTED_REGIONS:
            fix = "use the two capital letters of ISO 3166, e.g. CN, US, GB, DE"
            raise UserError(f"there is no region {name!r}", fix=fix)
    return tuple(dict.fromkeys(names))
