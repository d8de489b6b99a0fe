"""The class of each kind of record."""

from __future__ import annotations

from harness.core.cell_records import (
    CompressRecord,
    ContaminationRecord,
    FitRecord,
    PretrainRecord,
    ScoreRecord,
)
from harness.core.facts import CellRecord
from harness.core.measurement_records import MeasureRecord
from harness.core.meta_records import MetaRecord
from harness.core.part_records import AttackRecord
from harness.core.search_records import TuneRecord

KINDS: dict[str, type[CellRecord]] = {
    "pretrain": PretrainRecord,
    "meta": MetaRecord,
    "finetune": FitRecord,
    "compress": CompressRecord,
    "attack": AttackRecord,
    "score": ScoreRecord,
    "contamination": ContaminationRecord,
    "measure": MeasureRecord,
    "tune": TuneRecord,
}


def class_of(kind: object) -> type[CellRecord]:
    """The class of a kind of record; what all have in common of one that is not known here."""
    return KINDS.get(kind, CellRecord) if isinstance(kind, str) else CellRecord
