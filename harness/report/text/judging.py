"""What predictions say of a compression, kept in the store's cache: a card's bootstraps take longer than all else."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.core import code_identity
from harness.core.cached_facts import KnownDifference, KnownP
from harness.core.errors import StoredFileError
from harness.core.hashing import hash_json
from harness.core.store import Store
from harness.report.tables.card_parts import LoadLogits
from harness.report.tables.comparable import Draft
from harness.report.tables.judging import Judge, Judged, judged
from harness.report.tables.leading import Test, paired_tester
from harness.report.tables.pairs import Load, Pairs
from harness.report.tables.ranks import AVERAGE, Compare, paired_comparer
from harness.report.tables.table import Table
from harness.report.text.calibrating import identity
from harness.stats.ranking import Difference


def judge_reader(store: Store, load: Load, load_logits: LoadLogits) -> Judge:
    """`judged` of pairs of score records, found once for each pair of predictions. Raises DamagedFileError."""
    from pydantic import TypeAdapter

    kind = TypeAdapter(Judged)

    def read(pairs: Pairs) -> Judged:
        key = hash_json(
            [
                "judged",
                code_identity.identity("harness.report.tables.judging"),
                [[*place, *map(identity, both)] for place, both in sorted(pairs.items())],
            ]
        )
        return kind.validate_python(store.get_or_compute(key, lambda: asdict(judged(pairs, load, load_logits)), Judged))

    return read


def kept_comparer(store: Store, table: Table, draft: Draft, load: Load) -> Compare:
    """`paired_comparer` of a table, whose differences are found once for each two models' predictions."""
    from pydantic import TypeAdapter, ValidationError

    kind = TypeAdapter(Difference)
    compare = paired_comparer(table, draft, load)
    code = code_identity.identity("harness.report.tables.ranks")

    def read(by: str, first: str, other: str) -> Difference | None:
        tasks = table.averaged if by == AVERAGE else (by,)
        predictions = [
            [identity(record) for record in draft.models[model] if record.task.name in tasks]
            for model in (first, other)
        ]
        key = hash_json(["ranks", code, list(tasks), predictions])

        def compute() -> dict[str, Any]:
            difference = compare(by, first, other)
            return {"difference": None if difference is None else asdict(difference)}

        try:
            known = store.get_or_compute(key, compute, KnownDifference)["difference"]
            return None if known is None else kind.validate_python(known)
        except (StoredFileError, ValidationError):
            return None

    return read


def kept_test(store: Store, table: Table, draft: Draft, load: Load) -> Test:
    """`paired_tester` of a table, whose p is found once for each two models' predictions."""
    test = paired_tester(table, draft, load)
    code = code_identity.identity("harness.report.tables.leading")

    def read(first: str, other: str) -> float | None:
        predictions = [[identity(record) for record in draft.models[model]] for model in (first, other)]
        key = hash_json(["leading", code, [column.task for column in table.columns], predictions])
        try:
            p = store.get_or_compute(key, lambda: {"p": test(first, other)}, KnownP)["p"]
        except StoredFileError:
            return None
        return p if isinstance(p, float) else None

    return read
