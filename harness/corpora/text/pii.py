"""Personal data in a text: e-mail and IP addresses, telephone, card and bank account numbers.

Card numbers must have the digits of an issuer and pass Luhn's check, IBANs their country's length and ISO 13616's
check; addresses of private networks and of documentation are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

import regex

Kind = Literal["email", "ip", "phone", "card", "iban"]

EMAIL = regex.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
IP = regex.compile(
    r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)|(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,6}(?![\w:])"
)
PHONE = regex.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?(?:\d{1,4}[ .-]?){2,5}\d{2,4}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}|0\d{1,4}[ /-](?:\d{2,4}[ -]?){2,4})(?![\w-]|\.\d)"
)
CARD = regex.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
ISSUERS = regex.compile(r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
                        r"|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}")  # fmt: skip
IBAN = regex.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24,
    "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26,
}  # fmt: skip
MASKS: dict[Kind, str] = {
    "email": "email@example.com", "ip": "192.0.2.1", "phone": "+1 202-555-0100", "card": "0000 0000 0000 0000",
    "iban": "XX00 0000 0000 0000",
}  # fmt: skip
"""What stands in a masked text: addresses of RFC 2606 and 5737, numbers that are nobody's."""


@dataclass(frozen=True, slots=True)
class Match:
    """Personal data in a text, from `start` to `end`."""

    kind: Kind
    start: int
    end: int


def is_luhn(number: str) -> bool:
    """Whether digits pass the check of ISO/IEC 7812."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digit if index % 2 == 0 else sum(divmod(2 * digit, 10)) for index, digit in enumerate(digits)) % 10 == 0


def is_card(text: str) -> bool:
    """Whether a text is the number of a payment card."""
    number = "".join(filter(str.isdecimal, text))
    return ISSUERS.fullmatch(number) is not None and len(set(number)) > 1 and is_luhn(number)


def is_iban(text: str) -> bool:
    """Whether a text is an IBAN: its country's length, and 1 modulo 97 (ISO 13616)."""
    number = text.replace(" ", "")
    if len(number) != IBAN_LENGTHS.get(number[:2]):
        return False
    return int("".join(str(int(letter, 36)) for letter in number[4:] + number[:4])) % 97 == 1


def is_public(text: str) -> bool:
    """Whether a text is an IP address that may be somebody's."""
    try:
        return ip_address(text).is_global
    except ValueError:
        return False


def _is_phone(text: str) -> bool:
    digits = sum(map(str.isdecimal, text))
    return 8 <= digits <= 15 and len(set(filter(str.isdecimal, text))) > 2


FINDERS: tuple[tuple[Kind, regex.Pattern[str], Callable[[str], bool]], ...] = (
    ("email", EMAIL, lambda text: True),
    ("iban", IBAN, is_iban),
    ("card", CARD, is_card),
    ("ip", IP, is_public),
    ("phone", PHONE, _is_phone),
)
DIGITS = re.compile(r"\d(?:[^\w\n]|[\d_]){2,}\d|\d(?<=[A-Z]{2}\d)\d")
PARTS = re.compile(r"\d\.\d{1,3}\.\d|:[0-9A-Fa-f]{1,4}:")
AT = re.compile(r"@(?<=[\w.+-]@)[A-Za-z0-9-]{1,63}\.")
"""What every number, IP address or e-mail address holds; looked for first, for it is quick."""


def find(text: str, kinds: tuple[Kind, ...] = ("email", "ip", "phone", "card", "iban")) -> list[Match]:
    """The personal data of a text, in order; where two kinds overlap, the first in the order of the checks."""
    has_digits = DIGITS.search(text) is not None
    hints = {"email": AT.search(text), "ip": PARTS.search(text) if has_digits or ":" in text else None}
    matches: list[Match] = []
    for kind, pattern, holds in FINDERS:
        if kind not in kinds or not hints.get(kind, has_digits):
            continue
        for match in pattern.finditer(text):
            overlaps = any(match.start() < item.end and item.start < match.end() for item in matches)
            if not overlaps and holds(match[0]):
                matches.append(Match(kind, match.start(), match.end()))
    return sorted(matches, key=lambda item: item.start)


def masked(text: str, kinds: tuple[Kind, ...]) -> str:
    """The text with each piece of personal data replaced."""
    return "".join(_pieces(text, kinds))


def _pieces(text: str, kinds: tuple[Kind, ...]) -> Iterator[str]:
    start = 0
    for match in find(text, kinds):
        yield text[start : match.start]
        yield MASKS[match.kind]
        start = match.end
    yield text[start:]
