"""Masks personal data, or removes documents that are full of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from harness.core.strict_spec import Strict, listed
from harness.corpora.rules.base import Removal, Rule, Text
from harness.corpora.text.pii import Kind, find, masked


class PiiOptions(Strict):
    """What is masked, and how much of it a document may have."""

    mask: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("email", "ip", "phone", "card", "iban")
    remove_above: int | None = Field(default=None, ge=1, description="A document with more of them is removed.")

    @field_validator("mask", mode="before")
    @classmethod
    def _of_one(cls, value: object) -> object:
        return listed(value)


class Pii(Rule):
    """E-mail and IP addresses, telephone, card and account numbers."""

    Options = PiiOptions

    def judge(self, text: Text) -> Removal | str | None:
        options: PiiOptions = self.options
        count = len(find(text.text, options.mask))
        if options.remove_above is not None and count > options.remove_above:
            return Removal("much personal data", count, options.remove_above)
        return masked(text.text, options.mask) if count else None
