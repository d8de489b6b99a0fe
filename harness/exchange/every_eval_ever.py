"""Evaluations in the schema of Every Eval Ever: a JSON file of scores, and beside it `*_samples.jsonl` of examples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.reading import is_file, read_bytes, read_object
from harness.exchange.files import SAMPLES, items, json_lines, mapping, scalars, text
from harness.exchange.outcomes import (
    Examples,
    Outcome,
    ToolResults,
    content_hash,
    number,
    optional_number,
    texts_in,
    unique_ids,
)
from harness.exchange.reader import ResultReader

UNKNOWN = ("training seed", "data fingerprint", "lineage")
FILES_AT_MOST = 1000
Z = 1.959964


class EveryEvalEverReader(ResultReader):
    """See the module."""

    def recognizes(self, path: Path) -> bool:
        file = next(path.glob("data/*/*/*/*.json"), path) if path.is_dir() else path
        if file.suffix != ".json" or not is_file(file):
            return False
        try:
            return {"evaluation_id", "evaluation_results"} <= set(read_object(file, finite=False))
        except HarnessError:
            return False

    def read(self, path: Path) -> ToolResults:
        files = [path] if is_file(path) else sorted(filter(is_file, path.rglob("*.json")))
        if not files or len(files) > FILES_AT_MOST:
            raise HarnessError(f"{path}: {len(files):,} JSON files in it, 1 to {FILES_AT_MOST:,} are read; name a file")
        outcomes: list[Outcome] = []
        versions: dict[str, str] = {}
        for file in files:
            content = read_object(file, finite=False)
            if not isinstance(content.get("evaluation_results"), list):
                raise HarnessError(f"{file}: no list 'evaluation_results' in it; Every Eval Ever has one")
            outcomes += _outcomes(file, content)
            library = mapping(content.get("eval_library"))
            versions[text(library.get("name")) or "unknown"] = text(library.get("version"))
        return ToolResults("eee", str(path), tuple(outcomes), UNKNOWN, versions=versions)


def _outcomes(file: Path, content: dict[str, Any]) -> list[Outcome]:
    info = mapping(content.get("model_info"))
    samples = _samples(file, content)
    results = [mapping(result) for result in items(content["evaluation_results"])]
    outcomes = []
    for result in results:
        task = text(result.get("evaluation_name"))
        config, details = mapping(result.get("metric_config")), mapping(result.get("score_details"))
        where = f"{file}: {task}"
        uncertainty = mapping(details.get("uncertainty"))
        error = mapping(uncertainty.get("standard_error"))
        ours = [sample for sample in samples if _is_of(sample, result, results)]
        examples = _examples(f"{where}, samples", ours)
        count = uncertainty.get("num_samples")
        source = mapping(result.get("source_data")).get("samples_number")
        counted = next((given for given in (count, source) if isinstance(given, int)), None)
        interval = mapping(uncertainty.get("confidence_interval"))
        stderr = optional_number(error.get("value"), f"{where}, standard_error")
        bounds = None
        if interval.get("confidence_level") == 0.95:
            low, high = (number(interval.get(end), f"{where}, confidence_interval") for end in ("lower", "upper"))
            bounds = (low, high)
        is_of_interval = stderr is None and bounds is not None
        if stderr is None and bounds is not None:
            stderr = (bounds[1] - bounds[0]) / (2 * Z)
        outcomes.append(
            Outcome(
                model=text(info.get("id")) or text(info.get("name")),
                task=task,
                metric=text(config.get("metric_id") or config.get("metric_name")) or "score",
                score=number(details.get("score"), f"{where}, score"),
                stderr=stderr,
                n=counted if counted is not None else len(examples) if examples else None,
                seed=int(seed) if (seed := text(mapping(details.get("details")).get("seed"))).isdecimal() else None,
                greater_is_better=not config.get("lower_is_better", False),
                bounds=(_bound(config.get("min_score"), where), _bound(config.get("max_score"), where)),
                version=text(mapping(details.get("details")).get("task_version")),
                settings=scalars(mapping(result.get("generation_config")).get("generation_args")),
                method="interval" if is_of_interval else text(error.get("method")),
                interval=bounds,
                examples=examples,
            )
        )
    return outcomes


def _bound(value: Any, where: str) -> float | None:
    """Infinite ones are written as texts, and bound nothing."""
    return optional_number(value, f"{where}, bounds")


def _is_of(sample: Mapping[str, Any], result: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> bool:
    linked = sample.get("evaluation_result_id")
    if linked is not None and result.get("evaluation_result_id") is not None:
        return bool(linked == result["evaluation_result_id"])
    named = [other for other in results if other.get("evaluation_name") == sample.get("evaluation_name")]
    return len(named) == 1 and named[0] is result


def _samples(file: Path, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    detailed = mapping(content.get("detailed_evaluation_results"))
    name = text(detailed.get("file_path")).rpartition("/")[2]
    path = file.with_name(name or f"{file.stem}_samples.jsonl")
    if not is_file(path):
        return []
    claimed = text(detailed.get("checksum"))
    is_hashed = claimed and text(detailed.get("hash_algorithm")) == "sha256"
    if is_hashed and hashlib.sha256(read_bytes(path, SAMPLES)).hexdigest() != claimed.lower():
        raise HarnessError(f"{path}: its bytes do not fit the checksum in {file.name}; it was changed or cut off")
    return [{**sample, "where": f"{path}, line {at}"} for at, sample in json_lines(path)]


def _examples(where: str, samples: Sequence[Mapping[str, Any]]) -> Examples | None:
    if not samples:
        return None
    ids = unique_ids([text(sample.get("sample_id")) for sample in samples], where)
    scores = tuple(number(mapping(sample.get("evaluation")).get("score"), sample["where"]) for sample in samples)
    asked = [mapping(sample.get("input")) for sample in samples]
    inputs = tuple(text(given.get("raw")) for given in asked)
    labels = tuple(" | ".join(texts_in(given.get("reference"))) for given in asked)
    contents = tuple(
        content_hash([question, *texts_in(given.get("reference"))])
        for question, given in zip(inputs, asked, strict=True)
    )
    answers = tuple(_answer(sample) for sample in samples)
    known = tuple(answer or "" for answer in answers) if any(answers) else None
    return Examples(ids, scores, labels, known, inputs, contents)


def _answer(sample: Mapping[str, Any]) -> str | None:
    """What was taken as the answer in the end."""
    taken = [mapping(part) for part in items(sample.get("answer_attribution"))]
    last = next((part for part in reversed(taken) if part.get("is_terminal")), taken[-1] if taken else {})
    return last.get("extracted_value") if isinstance(last.get("extracted_value"), str) else None


READER = EveryEvalEverReader()
