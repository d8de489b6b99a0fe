"""Where a task's data comes from, as its YAML file says: a download, the hub, the synthetic world."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from harness.core.source_names import canonical_keys
from harness.core.strict_spec import Strict, listed

Columns = dict[str, str | list[str]]


DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""Delimiters by name; any other single character stands for itself."""


class ReadingSpec(Strict):
    """How files are read, and what is scored where they do not say.

    `source` is where the data of this task is, whatever `--data` says: a source's name, or a path from the task's file.
    `dev_fraction` of the training rows serves as dev where there is no dev split. `test` is a file whose rows are
    scored. `delimiter` is that of csv files: `auto` (found from the first rows), a name (`comma`, `semicolon`, `tab`,
    `pipe`) or one character. `missing_files` says what becomes of rows that name an image or a sound that is not there:
    they are refused, or left out and counted.
    """

    source: str | None = None
    dev_fraction: float | None = Field(default=None, gt=0, lt=1)
    test: str | None = None
    delimiter: str = "auto"
    missing_files: Literal["refuse", "drop"] = "refuse"

    @field_validator("delimiter")
    @classmethod
    def _is_one_character(cls, delimiter: str) -> str:
        if delimiter != "auto" and len(DELIMITERS.get(delimiter, delimiter)) != 1:
            raise ValueError(f"give auto, {', '.join(DELIMITERS)}, or one character")
        return delimiter

    @property
    def character(self) -> str | None:
        """The delimiter itself; None where it is to be found."""
        return None if self.delimiter == "auto" else DELIMITERS.get(self.delimiter, self.delimiter)


class FolderSource(Strict):
    """Where a task lies in a download: `folder` below the root (several names are tried in order), one file a split.

    `files` lists, per split, the file names tried in order. `format` says what is in them where their ending does not:
    `squad` (SQuAD's JSON), `multirc` and `record` (SuperGLUE's), `documents` (text cut at headings or blank lines),
    `conll` (a word a line with its tag last), `items` (images or sounds: a folder, or a file of
    captions, in any layout that is read of them) or `parallel` (lines that correspond, a file a language: `files` then
    names what stands before the language, or has `{language}` in its place, `columns` the languages of the fields).
    Else `columns` maps canonical fields to header names, or to positions ("0", "1", …) where `header` is false; a field
    left out takes the task's own `fields`. Where a JSON file holds several tasks, the list under `key` is read. `id`
    names the column of ids. Where `group` names one, dev may be cut from train, and rows of one group stay together.
    Of a file with the rows of several tasks those are read that have the texts of `where` in its columns. `draws` names
    the files of published draws of few examples, with `{k}` and `{draw}` for the examples of a class and the number of
    the draw: all of them are the training split, and `--k-shot` takes one.
    """

    folder: Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]
    files: dict[str, Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]] = {}
    format: Literal["squad", "multirc", "record", "documents", "parallel", "conll", "items"] | None = None
    columns: Columns = {}
    header: bool = True
    key: str | None = None
    id: str | None = None
    group: str | None = None
    where: dict[str, str] = {}
    draws: str | None = None

    @field_validator("draws")
    @classmethod
    def _names_both_numbers(cls, draws: str | None) -> str | None:
        if draws is not None and not (draws.count("{k}") == draws.count("{draw}") == 1):
            raise ValueError("give a file name with {k} and {draw} in it, e.g. train_{draw}_{k}.json")
        return draws

    @model_validator(mode="after")
    def _languages_are_named(self) -> FolderSource:
        if self.format == "parallel" and len(self.languages) < 2:
            raise ValueError("columns: format parallel needs the language of each field, e.g. {source: en, target: fr}")
        return self

    @property
    def languages(self) -> list[str]:
        """The endings of a split's files in the format `parallel`."""
        return [name for name in self.columns.values() if isinstance(name, str)]


class HubSource(Strict):
    """A dataset on the Hugging Face hub: `path:name@revision` in short form; the revision pins what is read.

    `columns` may name a part of a column that holds several texts: `translation.en`. With the format `documents` the
    rows are lines, of which documents are made. Rows that follow each other with one and the same text in the column
    `merge_by` are one example, with the references of all. `where` as in a folder.
    """

    path: str
    name: str | None = None
    revision: str | None = None
    splits: dict[str, str] = {}
    format: Literal["documents"] | None = None
    columns: Columns = {}
    id: str | None = None
    merge_by: str | None = None
    where: dict[str, str] = {}


class SyntheticSource(Strict):
    """What the synthetic world generates: `template` names the kind of task. `shape`, its earlier name, is accepted."""

    template: str


def _folder(value: Any) -> Any:
    return {"folder": value} if isinstance(value, str) else value


def _hub(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    rest, _, revision = value.partition("@")
    path, _, name = rest.partition(":")
    return {"path": path, "name": name or None, "revision": revision or None}


def _synthetic(value: Any) -> Any:
    if isinstance(value, dict) and "template" not in value:
        return {"template" if name == "shape" else name: setting for name, setting in value.items()}
    return {"template": value} if isinstance(value, str) else value


class Sources(Strict):
    """Where a task's data comes from, by kind of source. A kind left out means the task is absent there.

    `glue` is a folder of GLUE's kind, tab-separated and of one task alone; `folder` is any other download. A plug-in's
    source stands there under its name with a mapping that it checks itself.
    """

    model_config = ConfigDict(extra="allow")

    glue: Annotated[FolderSource | None, BeforeValidator(_folder)] = None
    folder: Annotated[FolderSource | None, BeforeValidator(_folder)] = None
    hub: Annotated[HubSource | None, BeforeValidator(_hub)] = None
    synthetic: Annotated[SyntheticSource | None, BeforeValidator(_synthetic)] = None

    _by_names_of_today = model_validator(mode="before")(canonical_keys)

    @model_validator(mode="after")
    def _one_folder(self) -> Sources:
        if self.glue is not None and self.folder is not None:
            raise ValueError("glue and folder: give one or the other")
        for name, settings in self.of_plugins.items():
            if not isinstance(settings, dict):
                raise ValueError(f"{name}: settings of a source are a mapping")
        return self

    @property
    def of_plugins(self) -> dict[str, Any]:
        """What is said of sources that are not built in, by name."""
        return self.model_extra or {}

    @property
    def given(self) -> list[str]:
        """The names of the kinds that are not left out."""
        return [name for name in type(self).model_fields if getattr(self, name)] + list(self.of_plugins)

    def of(self, name: str) -> Any:
        """What is said of a source: of a plug-in's the mapping. None where nothing is."""
        return self.of_plugins.get(name, getattr(self, name, None))

    @property
    def download(self) -> FolderSource | None:
        return self.glue or self.folder
