"""Results of lighteval: `results/MODEL/results_*.json`, and `details/MODEL/DATE/details_*.parquet` of single examples.

A folder as `--output-dir` names it, or a results file in one. Of several evaluations of one model and task the newest
is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.reading import is_file, read_object
from harness.core.text import clipped
from harness.exchange.files import SAMPLES, items, mapping, scalars, text
from harness.exchange.outcomes import (
    Examples,
    Outcome,
    ToolResults,
    content_hash,
    is_lower_better,
    number,
    optional_number,
    unique_ids,
)
from harness.exchange.reader import ResultReader

STDERR = "_stderr"
SETTINGS = ("max_samples", "num_fewshot_seeds", "lighteval_sha")
UNKNOWN = ("training seed", "data fingerprint", "lineage")


class LightevalReader(ResultReader):
    """See the module."""

    def recognizes(self, path: Path) -> bool:
        files = [path] if is_file(path) and path.suffix == ".json" else _result_files(path)
        try:
            return bool(files) and "config_general" in read_object(files[0], finite=False)
        except HarnessError:
            return False

    def read(self, path: Path) -> ToolResults:
        files = [path] if is_file(path) else _result_files(path)
        if not files:
            raise HarnessError(f"{path}: no results/…/results_*.json in it; that is what lighteval writes")
        newest: dict[tuple[str, str, str], Outcome] = {}
        replaced = 0
        for file in files:
            content = read_object(file, finite=False)
            if not isinstance(content.get("results"), dict) or "config_general" not in content:
                raise HarnessError(f"{file}: no 'results' and 'config_general' in it; that is what lighteval writes")
            for outcome in _outcomes(file, content):
                key = (outcome.model, outcome.task, outcome.metric)
                replaced += key in newest
                newest[key] = outcome
        notes = (f"{path}: {replaced} older scores of the same models and tasks are not read",) if replaced else ()
        return ToolResults("lighteval", str(path), tuple(newest.values()), UNKNOWN, notes)


def _result_files(folder: Path) -> list[Path]:
    """Oldest first, by the date in their names."""
    if not folder.is_dir():
        return []
    return sorted(filter(is_file, folder.rglob("results_*.json")), key=lambda file: (file.name, str(file)))


def _outcomes(file: Path, content: dict[str, Any]) -> list[Outcome]:
    general = mapping(content["config_general"])
    model = (
        text(general.get("model_name"))
        or text(mapping(general.get("model_config")).get("model_name"))
        or file.parent.name
    )
    outcomes = []
    for task, scores in content["results"].items():
        if task == "all" or ":_average" in task or not isinstance(scores, dict):
            continue
        columns = _details(file, task)
        for metric, value in scores.items():
            where = f"{file}: {task}, {metric}"
            if metric.endswith(STDERR) or not isinstance(value, int | float):
                continue
            examples = _examples(f"{file}: details of {task}", columns, metric)
            outcomes.append(
                Outcome(
                    model=model,
                    task=task,
                    metric=metric,
                    score=number(value, where),
                    stderr=optional_number(scores.get(metric + STDERR), where + STDERR),
                    n=len(examples) if examples else None,
                    version=text(mapping(content.get("versions")).get(task)),
                    greater_is_better=not is_lower_better(metric),
                    settings=scalars({name: general.get(name) for name in SETTINGS}),
                    examples=examples,
                )
            )
    return outcomes


def _details(file: Path, task: str) -> Sequence[dict[str, Any]]:
    """The rows of a task's table, of the same moment as the results; none where there is no table."""
    moment = file.stem.partition("_")[2]
    name = f"details_{task}_{moment}.parquet"
    places = [file.with_name(name), file.parent / moment / name]
    for above in file.parents:  # a local model is called by its whole path
        if above.name == "results":
            model = file.parent.relative_to(above)
            places += [above.parent / "details" / model / moment / name]
    path = next(filter(is_file, places), None)
    return [] if path is None else _rows(path)


def _rows(path: Path) -> Sequence[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            unpacked = sum(table.metadata.row_group(at).total_byte_size for at in range(table.num_row_groups))
            if unpacked > SAMPLES:
                raise HarnessError(f"{path} is refused: {unpacked:,} bytes unpacked, at most {SAMPLES:,} are read")
            names = [name for name in ("doc", "metric", "metrics", "model_response", "example", "gold", "predictions")
                     if name in table.schema_arrow.names]  # fmt: skip
            rows: list[dict[str, Any]] = table.read(names).to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise HarnessError(f"{path}: no whole Parquet file: {clipped(' '.join(str(error).split()), 100)}") from None
    if not {"metric", "metrics"} & set(names):
        raise HarnessError(f"{path}: no column 'metric'; that is what lighteval writes for each example")
    return rows


def _examples(where: str, rows: Sequence[Mapping[str, Any]], metric: str) -> Examples | None:
    values = [mapping(row.get("metric") or row.get("metrics")).get(metric) for row in rows]
    if not rows or any(not isinstance(value, bool | int | float) for value in values):
        return None
    scores = tuple(number(value, f"{where}, example {at}: {metric}") for at, value in enumerate(values))
    docs = [mapping(row.get("doc")) for row in rows]
    ids = [text(doc.get("id")) or str(at) for at, doc in enumerate(docs)]
    inputs = tuple(text(doc.get("query") or row.get("example")) for doc, row in zip(docs, rows, strict=True))
    choices = [[text(choice) for choice in items(doc.get("choices"))] for doc in docs]
    contents = tuple(content_hash([asked, *options]) for asked, options in zip(inputs, choices, strict=True))
    labels = tuple(_gold(doc, options) for doc, options in zip(docs, choices, strict=True))
    answers = tuple(
        _answer(mapping(row.get("model_response")), options) for row, options in zip(rows, choices, strict=True)
    )
    return Examples(unique_ids(ids, where), scores, labels, answers, inputs, contents)


def _gold(doc: Mapping[str, Any], choices: Sequence[str]) -> str:
    gold = doc.get("gold_index")
    right = [choices[at] for at in (gold if isinstance(gold, list) else [gold])
             if isinstance(at, int) and 0 <= at < len(choices)]  # fmt: skip
    return " | ".join(right)


def _answer(response: Mapping[str, Any], choices: Sequence[str]) -> str:
    """The text that was generated, or the choice of the greatest log-likelihood."""
    texts = items(response.get("text_post_processed")) or items(response.get("text"))
    likelihoods = [value for value in items(response.get("logprobs")) if isinstance(value, float)]
    if len(likelihoods) == len(choices) > 1:
        return choices[max(range(len(choices)), key=likelihoods.__getitem__)]
    return text(texts[0]) if texts else ""


READER = LightevalReader()
