"""What a filter would remove, predicted by a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from harness.core.errors import HarnessError
from harness.corpora.filtering.filtering import Judge, rule_names
from harness.corpora.filtering.spec import FilterSpec
from harness.corpora.streams.duplicates import digest
from harness.corpora.streams.sampling import Reservoir
from harness.data.document import Corpus
from harness.stats.bootstrap import wilson


@dataclass(frozen=True)
class PredictedRule:
    """What a rule is predicted to remove.

    Attributes:
        rule: Its name.
        removed: Of all documents the fraction, by the sample.
        low: Lower end of its 95 % interval (Wilson's).
        high: Upper end of it.
    """

    rule: str
    removed: float
    low: float
    high: float


@dataclass(frozen=True)
class Prediction:
    """What a filter would remove.

    Attributes:
        documents: Documents of the corpus, all of which were read.
        bytes: UTF-8 bytes of their texts.
        sampled: Documents that were judged.
        rules: What each rule would remove; near duplicates cannot be predicted by a sample, and are not in it.
        kept: The fraction that would be kept, but for near duplicates.
        kept_low: Lower end of its 95 % interval.
        kept_high: Upper end of it.
        near: Whether near duplicates would be removed as well.
    """

    documents: int
    bytes: int
    sampled: int
    rules: tuple[PredictedRule, ...]
    kept: float
    kept_low: float
    kept_high: float
    near: bool

    def as_json(self) -> dict[str, Any]:
        """The fields, with a schema version."""
        return {"schema_version": 1, **asdict(self)}


def predict(
    corpus: Corpus,
    spec: FilterSpec,
    size: int,
    seed: int,
    where: str = "rules",
    tell: Callable[[int, int], None] = lambda documents, size: None,
) -> Prediction:
    """Read a corpus once, and judge a sample of it.

    Of each document of the sample it is known whether its text stood before, so that what exact duplicates take is
    predicted too.

    Args:
        corpus: What would be filtered.
        spec: The rules.
        size: Documents of the sample.
        seed: Chooses another sample.
        where: What the rules are called in messages.
        tell: Called now and then with the documents and bytes so far.

    Raises:
        HarnessError: an unknown rule or setting, or a corpus that is empty or cannot be read.
    """
    judge = Judge(spec, where)
    sample = Reservoir(size, seed)
    total = 0
    for document in corpus.read(False):
        if not document.is_blank:
            total += len(document.text.encode())
            sample.add(document, digest(document.text))
            if sample.count % 1000 == 0:
                tell(sample.count, total)
    if not sample.count:
        raise HarnessError(f"{corpus.location}: there is no document in it")
    names = rule_names(spec)
    removed: Counter[str] = Counter()
    outcomes = judge.outcomes([document for document, _ in sample.items])
    for outcome, (_, again) in zip(outcomes, sample.items, strict=True):
        if outcome.text is None:
            removed[outcome.rule] += 1
        elif again and judge.dedup is not None and judge.dedup.exact:
            removed[names[-1]] += 1
    drawn = len(sample.items)
    kept = drawn - removed.total()
    rules = tuple(PredictedRule(name, removed[name] / drawn, *wilson(removed[name], drawn)) for name in names)
    near = judge.dedup is not None and judge.dedup.near is not None
    return Prediction(sample.count, total, drawn, rules, kept / drawn, *wilson(kept, drawn), near)
