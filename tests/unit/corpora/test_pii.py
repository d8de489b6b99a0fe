"""Personal data: found where it holds, and not where it only looks like it."""

from __future__ import annotations

import random
import re

import pytest

from harness.corpora.text.pii import find, is_card, is_iban, is_luhn, masked


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("mail jo.do+x@ex-am.co.uk.", "email", "jo.do+x@ex-am.co.uk"),
        ("at 8.8.8.8, port 80", "ip", "8.8.8.8"),
        ("at 2001:4860:4860::8888 too", "ip", "2001:4860:4860::8888"),
        ("call (212) 555-1234 now", "phone", "(212) 555-1234"),
        ("call +49 30 1234567.", "phone", "+49 30 1234567"),
        ("card 4111 1111 1111 1111 ok", "card", "4111 1111 1111 1111"),
        ("card 378282246310005", "card", "378282246310005"),
        ("to DE89 3704 0044 0532 0130 00", "iban", "DE89 3704 0044 0532 0130 00"),
        ("to GB82WEST12345698765432.", "iban", "GB82WEST12345698765432"),
    ],
)
def test_it_is_found(text: str, kind: str, match: str) -> None:
    assert [(one.kind, text[one.start : one.end]) for one in find(text)] == [(kind, match)]


@pytest.mark.parametrize(
    "text",
    [
        "card 4111 1111 1111 1112 fails Luhn's check",
        "card 0000 0000 0000 0000",
        "GB82WEST12345698765433 fails the check",
        "192.168.0.1 and 127.0.0.1 and 10.1.2.3 are private",
        "version 1.2.3.4.5, 999.1.1.1",
        "in 1999-2004 there were 1,000,000 of them at 12:30:45 on 1985-12-03",
        "ISBN 978-3-16-148410-0",
        "a@b and @someone and x@localhost",
        "3.14159265358979323846",
        "10.1000/182.5555.1234",
    ],
)
def test_it_is_not_found(text: str) -> None:
    assert find(text) == []


def test_masks_hold_nothing_of_it() -> None:
    text = "I am jo@example.org, card 4111 1111 1111 1111, call (212) 555-1234."
    safe = masked(text, ("email", "card", "phone"))
    assert safe == "I am email@example.com, card 0000 0000 0000 0000, call +1 202-555-0100."
    assert masked(text, ("email",)).endswith("4111 1111 1111 1111, call (212) 555-1234.")
    assert not find(safe, ("card",))


def test_checks_of_numbers() -> None:
    assert is_luhn("79927398713") and not is_luhn("79927398710")
    assert is_card("5500-0000-0000-0004") and not is_card("1234567812345670")
    assert is_iban("FR14 2004 1010 0505 0001 3M02 606") and not is_iban("FR14 2004 1010 0505 0001 3M02 60")


def test_what_is_looked_for_first_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    parts = ["4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "8.8.8.8", "2606:4700:4700::1111", "1::8:8",
             "+49 30 901820", "(202) 555-0143", "jo@a.org", "x@y.co.uk", "a@b", "12", "1.2.3", ":", "at 5:30:20", " ", ",", "\n",
             "GB82WEST12345698765432", "030/1234567"]  # fmt: skip
    texts = ["".join(draw.choice(parts) for _ in range(draw.randint(1, 5))) for _ in range(3000)]
    quick = [find(text) for text in texts]
    assert {match.kind for matches in quick for match in matches} == {"email", "ip", "phone", "card", "iban"}
    for name in ("DIGITS", "PARTS", "AT"):
        monkeypatch.setattr(f"harness.corpora.text.pii.{name}", re.compile(""))
    assert [find(text) for text in texts] == quick
