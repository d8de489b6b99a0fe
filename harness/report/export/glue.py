"""A submission to the GLUE server: one zip of one file a task, predictions of the test sets, in the official layout.

Files, headers and labels are those of the GLUE benchmark (Wang et al., 2018) and of its evaluation server: a header
`index` and `prediction`, a line an example in the order of the test file; class ids for single sentences and
paraphrases, label names for entailment, numbers from 0 to 5 for STS-B.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness import data
from harness.core.cell_records import FitRecord
from harness.core.errors import HarnessError, did_you_mean
from harness.core.registry import Registry
from harness.core.source_names import SYNTHETIC
from harness.core.store import Store, replacing
from harness.data.frame import Split, TaskData
from harness.data.source import FOLDER, data_argument
from harness.training.learners import LEARNERS, PredictRequest

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class File:
    """A file of the submission: the task and split it predicts, how it spells a prediction, and the examples of the
    official test set.
    """

    name: str
    task: str
    split: str
    spelled: Literal["id", "name", "number"]
    n: int


FILES = (
    File("CoLA.tsv", "cola", "test", "id", 1063),
    File("SST-2.tsv", "sst2", "test", "id", 1821),
    File("MRPC.tsv", "mrpc", "test", "id", 1725),
    File("STS-B.tsv", "stsb", "test", "number", 1379),
    File("MNLI-m.tsv", "mnli", "test_matched", "name", 9796),
    File("MNLI-mm.tsv", "mnli", "test_mismatched", "name", 9847),
    File("QNLI.tsv", "qnli", "test", "name", 5463),
    File("QQP.tsv", "qqp", "test", "id", 390965),
    File("RTE.tsv", "rte", "test", "name", 3000),
    File("WNLI.tsv", "wnli", "test", "id", 146),
    File("AX.tsv", "ax", "test", "name", 1104),
)
SPAN = (0.0, 5.0)
"""The scale of STS-B."""


def write_submission(
    registry: Registry,
    store: Store,
    run: str,
    name: str,
    path: Path,
    seed: int | None,
    source: str | None,
    other_data: bool,
    say: Callable[[str], None],
) -> list[str]:
    """Predict every test set with the run's models of that name and write the zip; returns the names of its files.

    Nothing is trained: each task's model is that of the run, AX that of MNLI. `seed` None: the lowest. The test
    sets are those of the data the models were trained on, or of `source`. `other_data`: test sets of other sizes than
    the official ones will do.

    Raises:
        HarnessError: a task without a model or a test set, synthetic data, or test sets that are not GLUE's.
    """
    fits = _models(store, run, name, seed)
    _refuse_missing(registry, fits, run, name)
    loaded = {file: _test_set(registry, file, fits, source) for file in FILES}
    sizes = [f"{file.name} {len(loaded[file].splits[file.split])} of {file.n}" for file in FILES]
    other = [size for size, file in zip(sizes, FILES, strict=True) if len(loaded[file].splits[file.split]) != file.n]
    if other and not other_data:
        raise HarnessError(
            f"these are not GLUE's test sets: {', '.join(other)} examples; the server would refuse them. "
            "--allow-other-data writes the file all the same"
        )
    contents = {}
    for file in FILES:
        say(f"predicting {file.name}")
        contents[file.name] = _predicted(registry, store, file, fits[_trained_on(registry, file)], loaded[file])
    _write_zip(path, contents)
    return list(contents)


def _models(store: Store, run: str, name: str, seed: int | None) -> dict[str, FitRecord]:
    """The records of the run's fine-tuned or compressed models of that name, by task."""
    manifest = store.run(run)
    cells = [
        cell
        for cell in manifest.cells
        if cell.task and cell.kind in ("finetune", "compress")
        if cell.status in ("done", "cached") and cell.fraction == 1
    ]
    known = {cell.model for cell in cells}
    if name not in known:
        raise HarnessError(f"run {manifest.run} has no trained model '{name}'.{did_you_mean(name, known)}")
    seeds = sorted({cell.seed for cell in cells if cell.model == name})
    chosen = seeds[0] if seed is None else seed
    if chosen not in seeds:
        raise HarnessError(f"--seed {seed}: run {manifest.run} has {name} with {', '.join(map(str, seeds))}")
    chosen_cells = [cell for cell in cells if cell.model == name and cell.seed == chosen]
    return {cell.task: record for cell in chosen_cells if (record := store.find(cell.cell, FitRecord)) is not None}


def _trained_on(registry: Registry, file: File) -> str:
    return registry.task(file.task).train_on or file.task


def _refuse_missing(registry: Registry, fits: Mapping[str, FitRecord], run: str, name: str) -> None:
    synthetic = [task for task, record in fits.items() if record.data.source == SYNTHETIC]
    if synthetic:
        raise HarnessError(
            f"{name} was trained on synthetic data, which is not GLUE: there is nothing to submit; run it with "
            "--data and the GLUE download"
        )
    missing = [file.name for file in FILES if _trained_on(registry, file) not in fits]
    if missing:
        raise HarnessError(
            f"the server takes all {len(FILES)} files, but run {run} has no model {name} for {', '.join(missing)}; "
            "run --suite glue"
        )


def _test_set(registry: Registry, file: File, fits: Mapping[str, FitRecord], source: str | None) -> TaskData:
    """The test split of a file, whole and in order. Raises HarnessError, naming the file."""
    facts = fits[_trained_on(registry, file)].data
    place = source
    if place is None:
        is_trained_on = file.task in fits
        place = data_argument(facts.source, facts.location)
        if (
            facts.source == FOLDER and not is_trained_on
        ):  # of AX, whose folder is beside that of the task it is trained on
            place = str(Path(place).parent)
    try:
        return data.load(registry.task(file.task), place, None, [file.split])
    except HarnessError as error:
        raise HarnessError(f"{file.name}: {error}") from None


def _predicted(registry: Registry, store: Store, file: File, fit: FitRecord, loaded: TaskData) -> list[tuple[int, str]]:
    """Row numbers of the test set and predictions, spelled as the server has them."""
    split = loaded.splits[file.split]
    task = registry.task(file.task)
    learner = LEARNERS.get(fit.model.learner)
    request = PredictRequest(task, loaded.labels, split, store.model(fit.cell), fit.seed)
    trained = list(fit.labels)
    if list(loaded.labels) != trained:
        raise HarnessError(f"{file.name}: the model knows {trained}, the task {list(loaded.labels)}; train it anew")
    return list(zip(_numbers(file, split), _spelled(file, learner.predict(request).values, loaded.labels), strict=True))


def _numbers(file: File, split: Split) -> Sequence[int]:
    """The examples' numbers, which the server calls index: 0, 1, … Raises HarnessError where a row was left out."""
    expected = tuple(f"{file.split}-{number}" for number in range(len(split)))
    if split.ids != expected and split.ids != tuple(map(str, range(len(split)))):
        raise HarnessError(f"{file.name}: rows of the test set could not be read, so that predictions would be missing")
    return range(len(split))


def _spelled(file: File, predictions: np.ndarray, labels: Sequence[str]) -> list[str]:
    if file.spelled == "number":
        return [f"{min(max(float(value), SPAN[0]), SPAN[1]):.3f}" for value in predictions]
    return [labels[int(value)] if file.spelled == "name" else str(int(value)) for value in predictions]


def _write_zip(path: Path, contents: Mapping[str, Sequence[tuple[int, str]]]) -> None:
    """Whole or not at all; the same predictions give the same bytes."""
    try:
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, rows in contents.items():
                text = "".join(f"{index}\t{prediction}\n" for index, prediction in [("index", "prediction"), *rows])
                member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, text)
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from None
