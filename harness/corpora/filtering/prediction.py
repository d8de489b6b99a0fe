"""What a filter would remove, predicted by a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from harness.core.errors import HarnessError
from harness.corpora.filtering.earlier import EarlierLikes
from harness.corpora.filtering.filtering import Judge, rule_names
from harness.corpora.filtering.spec import FilterSpec
from harness.corpora.streams.duplicates import digest
from harness.corpora.streams.sampling import Reservoir
from harness.data.document import Corpus, Document
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
        rules: What each rule would remove, duplicates included.
        kept: The fraction that would be kept.
        kept_low: Lower end of its 95 % interval.
        kept_high: Upper end of it.
        near: Of what the rule of duplicates would remove the part that only resembles an earlier document; None where
            near duplicates are not looked for.
    """

    documents: int
    bytes: int
    sampled: int
    rules: tuple[PredictedRule, ...]
    kept: float
    kept_low: float
    kept_high: float
    near: PredictedRule | None

    def as_json(self) -> dict[str, Any]:
        """The fields, with a schema version."""
        return {"schema_version": 2, **asdict(self)}


def predict(
    corpus: Corpus,
    spec: FilterSpec,
    size: int,
    seed: int,
    where: str = "rules",
    tell: Callable[[int, int], None] = lambda documents, size: None,
) -> Prediction:
    """Read a corpus, and judge a sample of it.

    Of each document of the sample it is known whether its text stood before. Where near duplicates are removed, the
    corpus is read a second time, and each document compared with those of the sample.

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
    outcomes = judge.outcomes([item.document for item in sample.items])
    left: dict[int, tuple[Document, str]] = {}
    for outcome, item in zip(outcomes, sample.items, strict=True):
        if outcome.text is None:
            removed[outcome.rule] += 1
        elif item.again and judge.dedup is not None and judge.dedup.exact:
            removed[names[-1]] += 1
        else:
            left[item.number] = item.document, outcome.text
    drawn = len(sample.items)

    def predicted(name: str, count: int) -> PredictedRule:
        return PredictedRule(name, count / drawn, *wilson(count, drawn))

    near = None
    if judge.dedup is not None and judge.dedup.near is not None:
        sound = (document for document in corpus.read(False) if not document.is_blank)
        likes = EarlierLikes(left, judge, judge.dedup.near).look(sound, tell)
        removed[names[-1]] += len(likes)
        near = predicted(names[-1], len(likes))
    kept = drawn - removed.total()
    rules = tuple(predicted(name, removed[name]) for name in names)
    return Prediction(sample.count, total, drawn, rules, kept / drawn, *wilson(kept, drawn), near)
