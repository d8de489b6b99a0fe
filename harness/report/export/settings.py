"""What `harness export …` is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from harness.core.panels import OUTPUT, WHAT
from harness.core.strict_spec import Strict, setting

RUN = "A run's name, part of it, or latest."


class ModelCardSpec(Strict):
    """What a model card is asked for, beside the model."""

    run: str = setting("latest", RUN, panel=WHAT, metavar="RUN")
    license: str | None = setting(None, "Such as apache-2.0.", panel=WHAT, metavar="ID")
    output: Path | None = setting(
        None, "A .md file, or README.md in a folder.", panel=OUTPUT, metavar="DIR|FILE", short="o"
    )
    push: str | None = setting(None, "Upload card and weights to this hub repository.", panel=OUTPUT, metavar="REPO_ID")
    public: bool = setting(False, "A repository that --push makes is private without.", panel=OUTPUT)

    @model_validator(mode="after")
    def _goes_somewhere(self) -> ModelCardSpec:
        if self.output is None and self.push is None:
            raise ValueError("say where the card goes: --output DIR, --output FILE.md, or --push REPO_ID")
        if self.public and self.push is None:
            raise ValueError("--public goes with --push")
        return self


class GgufSpec(Strict):
    """How a model becomes a GGUF file."""

    type: Literal["f32", "f16", "q8_0"] = setting("f16", "What matrices are stored as: f32, f16 or q8_0.", panel=WHAT)
    output: Path = setting(..., "The file to write.", panel=OUTPUT, metavar="GGUF", short="o")

    @model_validator(mode="after")
    def _is_a_gguf_in_a_folder(self) -> GgufSpec:
        if self.output.suffix != ".gguf":
            raise ValueError(f"-o {self.output}: give it the ending .gguf")
        if not self.output.resolve().parent.is_dir():
            raise ValueError(f"-o {self.output}: no folder {self.output.parent}; make it first")
        return self


class GlueSubmissionSpec(Strict):
    """What a submission to GLUE is asked for, beside the model."""

    run: str = setting("latest", RUN, panel=WHAT, metavar="RUN")
    seed: int | None = setting(None, "Of the models.", panel=WHAT, shown="the lowest")
    data: str | None = setting(None, "Where the test sets are.", panel=WHAT, metavar="SOURCE", shown="the run's")
    allow_other_data: bool = setting(False, "Also with test sets of other sizes than GLUE's.", panel=WHAT)
    output: Path = setting(..., "The file to write.", panel=OUTPUT, metavar="ZIP", short="o")

    @model_validator(mode="after")
    def _is_a_zip_in_a_folder(self) -> GlueSubmissionSpec:
        if self.output.suffix != ".zip":
            raise ValueError(f"-o {self.output}: the server takes a .zip")
        if not self.output.resolve().parent.is_dir():
            raise ValueError(f"-o {self.output}: no folder {self.output.parent}; make it first")
        return self


class LmEvalSpec(Strict):
    """What results for lm-evaluation-harness are asked for, beside the run."""

    model: str | None = setting(None, "Of the run; a file is of one model.", panel=WHAT, shown="its only one")
    output: Path | None = setting(None, "Write to a file.", panel=OUTPUT, metavar="FILE", short="o")


class EeeSpec(LmEvalSpec):
    """What an evaluation in the schema of Every Eval Ever is asked for, beside the run."""

    output: Path = setting(..., "The folder; files go to data/… in it.", panel=OUTPUT, metavar="DIR", short="o")
    samples: bool = setting(True, "With single examples, where their texts can be read again.", panel=OUTPUT)
    organization: str = setting("unknown", "Who provides the results.", panel=WHAT, metavar="NAME")
    relationship: Literal["first_party", "third_party", "collaborative", "other"] = setting(
        "other", "Of the one who evaluated to the model.", panel=WHAT
    )


class EvalResultsSpec(Strict):
    """What `.eval_results` of the hub are asked for, beside the model."""

    run: str = setting("latest", RUN, panel=WHAT, metavar="RUN")
    dataset: str | None = setting(
        None, "The benchmark on the hub.", panel=WHAT, metavar="OWNER/NAME", shown="that the data came from"
    )
    task_id: str | None = setting(None, "Its task there.", panel=WHAT, metavar="ID", shown="the data's configuration")
    metric: str | None = setting(None, "The value's metric.", panel=WHAT, metavar="NAME", shown="the first")
    output: Path = setting(..., "The folder of the model's repository.", panel=OUTPUT, metavar="DIR", short="o")
