"""Removes duplicates. The pass over the corpus does it, once all documents are there."""

from __future__ import annotations

from pydantic import model_validator

from harness.core.strict_spec import Strict
from harness.corpora.rules.base import Rule, Text
from harness.corpora.text.minhash import Banding, require_rensa


class DedupOptions(Strict):
    """Which duplicates are removed; of each the first document stays."""

    exact: bool = True
    near: Banding | None = Banding()

    @model_validator(mode="after")
    def _finds_something(self) -> DedupOptions:
        if not self.exact and self.near is None:
            raise ValueError("neither exact nor near duplicates: leave the rule out")
        return self


class Dedup(Rule):
    """Equal documents, but for white space and letters' case, and near duplicates by MinHash."""

    Options = DedupOptions
    source = "Penedo et al. 2024 (arXiv 2406.17557), 3.4, for the banding"

    def __init__(self, options: DedupOptions) -> None:
        super().__init__(options)
        if options.near is not None and options.near.signatures == "rensa":
            require_rensa()

    def judge(self, text: Text) -> None:
        return None
