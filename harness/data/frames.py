"""Tasks made of data frames: written once, by content, as the folder of one file a split that any source reads."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_file, hash_json
from harness.core.plugins import lookup
from harness.core.specs import TaskSpec
from harness.core.strict_spec import parse
from harness.data.frame_items import with_item_cells

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("train", "dev", "test")

ITEMS_A_GROUP = 100
"""Images of a parquet file that are read together."""


@dataclass(frozen=True, eq=False)
class Task:
    """A task made of data frames.

    Attributes:
        name: What tables call it: letters, digits and `._-`.
        family: The shape of the task: `classification`, `similarity`, `nli`, `question-answering`, `summarization`,
            `translation`, `text-generation` or `language-modeling`.
        metrics: Names of metrics; a score is their mean unless `primary_metrics` names some of them.
        fields: The columns of the family's fields, `{"text": "body", "label": "stars"}`; a field left out has its own
            name.
        train: Rows to train on: a pandas DataFrame, a `datasets.Dataset`, or a list of mappings. May be left out
            where models are only evaluated.
        dev: Rows to score on.
        test: Rows to score on where there is no dev.
        labels: The classes in order; those of the training split in sorted order where left out.
        settings: Further keys of a task's YAML file: `primary_metrics`, `prompt`, `verbalizers`, `label_aliases`, …
    """

    name: str
    family: str
    metrics: Sequence[str]
    fields: Mapping[str, str] = field(default_factory=dict)
    train: Any = None
    dev: Any = None
    test: Any = None
    labels: Sequence[str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def spec(self) -> TaskSpec:
        """The task as a YAML file would describe it.

        Raises:
            HarnessError: an unknown family or metric, no split to score on, or a key that no task has.
        """
        where = f"task {self.name}"
        family = lookup("family", self.family, where)
        targets = [family.target] if family.target else []
        names = [*family.required, *(name for name in family.optional if name in self.fields), *targets]
        scored = next((name for name in ("dev", "test") if getattr(self, name) is not None), None)
        if scored is None:
            raise HarnessError(f"{where}: there is no split to score on; give dev or test")
        values = {
            "name": self.name,
            "family": self.family,
            "fields": {name: name for name in names} | dict(self.fields),
            "metrics": list(self.metrics),
            "eval": [scored],
            **({} if self.labels is None else {"labels": [str(label) for label in self.labels]}),
            **self.settings,
        }
        spec = parse(TaskSpec, values, where)
        family.check_fields(list(spec.fields), where)
        for metric in spec.metrics:
            lookup("metric", metric, where)
        return spec


def write_tasks(tasks: Sequence[Task], cache: Path) -> Path:
    """Write tasks into a folder that `--include` reads, unless it is there; their data lies there as well.

    Args:
        tasks: With names of their own.
        cache: The folder to write below; the name there is the hash of specs and rows.

    Returns:
        The folder: `NAME.yaml` and `NAME/SPLIT.parquet` of each task.

    Raises:
        HarnessError: two tasks of one name, rows of no kind that is read here, or a spec that cannot be.
    """
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise HarnessError(f"task {max(names, key=names.count)}: two tasks of that name; give each one of its own")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tasks-", dir=cache) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for task in tasks:
            _write(task, made)
        files = sorted(path for path in made.rglob("*") if path.is_file())
        digest = hash_json([[path.relative_to(made).as_posix(), hash_file(path)] for path in files])
        place = cache / f"tasks-{digest[:32]}"
        if not place.is_dir():
            try:
                made.rename(place)
            except OSError:
                if not place.is_dir():  # else another process wrote the same meanwhile
                    shutil.rmtree(made, ignore_errors=True)
                    raise
    return place.resolve()


def _write(task: Task, folder: Path) -> None:
    import pyarrow.parquet as pq

    spec = task.spec()
    spec = spec.model_copy(update={"reading": spec.reading.model_copy(update={"source": "."})})
    content = spec.model_dump(mode="json", exclude_defaults=True)
    (folder / f"{task.name}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=True), "utf-8")
    (folder / task.name).mkdir()
    for split in SPLITS:
        rows = getattr(task, split)
        if rows is not None:
            where = f"task {task.name}, {split}"
            modalities = FAMILIES.get(spec.family).modalities
            for field, modality in modalities.items():
                rows = with_item_cells(rows, str(spec.fields[field]), modality, where)
            rows_a_group = ITEMS_A_GROUP if modalities else None
            pq.write_table(_table(rows, where), folder / task.name / f"{split}.parquet", row_group_size=rows_a_group)


def _table(rows: Any, where: str) -> pa.Table:
    """Rows as a table, classes by their names."""
    import pyarrow as pa

    if hasattr(rows, "features") and hasattr(rows, "to_dict"):  # datasets.Dataset
        columns = {}
        for name, values in rows.to_dict().items():
            naming = getattr(rows.features[name], "int2str", None)
            columns[name] = (
                values if naming is None else [None if value in (None, -1) else naming(value) for value in values]
            )
        return pa.table(columns)
    if hasattr(rows, "itertuples"):  # pandas.DataFrame
        return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
    if isinstance(rows, Sequence) and rows and all(isinstance(row, Mapping) for row in rows):
        return pa.Table.from_pylist([dict(row) for row in rows])
    raise HarnessError(
        f"{where}: {type(rows).__name__} is read neither; give a DataFrame, a Dataset, or a list of dicts"
    )
