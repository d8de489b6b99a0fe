"""What the verbs of corpora are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.core.panels import OUTPUT, WHAT, WHERE
from harness.core.strict_spec import Strict, setting


class CorpusSettings(Strict):
    """How a corpus is read.

    Attributes:
        field: The column of the text, in .jsonl and .parquet files and on the hub.
        sentences: How much of the synthetic corpus.
        workers: Processes; the results are the same at any number.
    """

    field: str = setting("text", "The text's column in .jsonl, .parquet and on the hub.", panel=WHAT, metavar="NAME")
    sentences: int = setting(20_000, "How much of the synthetic corpus.", panel=WHAT, ge=100)
    workers: int = setting(1, "Processes; the output is the same at any number.", panel=WHERE, ge=1, le=256)


class FilterSettings(CorpusSettings):
    """How a corpus is filtered.

    Attributes:
        rules: A preset or a YAML file.
        sample: Documents of the sample of a dry run.
        seed: Of the sample.
    """

    rules: str = setting("clean", "A preset (c4, clean, fineweb, gopher) or a YAML file of rules.", panel=WHAT)
    sample: int = setting(2_000, "Documents of the sample of a dry run.", panel=OUTPUT, ge=10)
    seed: int = setting(0, "Of that sample.", panel=OUTPUT, ge=0, lt=2**31)


class FilterLaunch(Strict):
    """Where `harness corpus filter` writes.

    Attributes:
        output: The folder that is made.
        dry_run: Predict by a sample what would be removed, and write nothing.
    """

    output: Path | None = setting(None, "The folder to write to.", panel=OUTPUT, metavar="FOLDER", short="o")
    dry_run: bool = setting(False, "Predict by a sample what would be removed.", panel=OUTPUT)


class ReportLaunch(Strict):
    """Where `harness corpus report` writes.

    Attributes:
        html: The page, where one is asked for.
    """

    html: Path | None = setting(None, "Write a page.", panel=OUTPUT, metavar="FILE")


class ReportSettings(CorpusSettings):
    """How a corpus or labelled data are reported on.

    Attributes:
        data: Where a task's data are, where the source is the name of a task.
        text: The columns of the texts of labelled data, found where left out.
        label: The column of the labels, found where left out.
        against: Suites and tasks whose evaluation examples are looked for.
        against_data: Where their data are.
        sample: Distinct documents that are looked at for what is not counted of all.
        seed: Of that sample.
        signatures: What makes the signatures by which near duplicates are found.
    """

    data: str | None = setting(None, "Where a task's data are, if SOURCE is a task.", panel=WHAT, metavar="SOURCE")
    text: str | None = setting(
        None, "Columns of the texts of labelled data: a,b.", panel=WHAT, metavar="NAME,…", flag="text-column",
        shown="by their names",
    )  # fmt: skip
    label: str | None = setting(
        None, "Column of the labels.", panel=WHAT, metavar="NAME", flag="label-column", shown="by its name"
    )
    against: list[str] = setting(
        list, "Look for the evaluation examples of this suite or task.", panel=WHAT, metavar="SUITE|TASK"
    )
    against_data: str = setting("synthetic", "Where these examples are.", panel=WHAT, metavar="SOURCE")
    sample: int = setting(5_000, "Documents looked at for topics, style and the like.", panel=WHERE, ge=100)
    seed: int = setting(0, "Of that sample.", panel=WHERE, ge=0, lt=2**31)
    signatures: Literal["numpy", "rensa"] = setting(
        "numpy", "What makes the signatures of near duplicates: numpy, or the package rensa.", panel=WHERE
    )
