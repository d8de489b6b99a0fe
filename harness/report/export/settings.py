"""What `harness export …` is asked for."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from harness.core.run_spec import OUTPUT, WHAT
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
