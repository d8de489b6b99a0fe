"""A key changes when code changes that can change the result, and only then."""

from __future__ import annotations

import ast
import importlib
import shutil
from pathlib import Path

import pytest

from harness.core import code_identity, installation, known_sources
from harness.pipeline import cells

STEPS = ("pretrain", "finetune", "compress", "score", "measure")
USED = {
    "pretrain": [("objective", "mlm")],
    "finetune": [("learner", "tfidf"), ("family", "classification")],
    "compress": [("compressor", "int8"), ("runtime", "onnxruntime")],
    "score": [("learner", "transformer"), ("family", "nli"), ("head", "sequence-classification"), ("runtime", "torch")],
    "measure": [("runtime", "torch")],
}


@pytest.fixture
def copied(tmp_path, monkeypatch):
    return a_copy(tmp_path, monkeypatch)


def a_copy(tmp_path, monkeypatch):
    """A copy of the package that code identity reads in place of the real one; nothing of it is imported."""
    package = tmp_path / "harness"
    shutil.copytree(code_identity.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "builtin"))
    monkeypatch.setattr(code_identity, "PACKAGE", package)
    for kept, write in ((known_sources.SourceCache, "keep"), (installation.Kept, "put")):
        monkeypatch.setattr(kept, write, lambda *_: None)  # at each of hundreds of changes
    return package


def identity(*entries: str | Path) -> str:
    code_identity.forget()
    return code_identity.identity(*entries)


def entries(step: str, package: Path) -> list[str | Path]:
    sources = [cells.plugins.table(kind).source(name) for kind, name in USED[step]]
    return [f"harness.pipeline.steps.{step}", *sources]


@pytest.mark.parametrize("step", [STEPS[0], *(pytest.param(step, marks=pytest.mark.slow) for step in STEPS[1:])])
def test_each_file_of_the_closure_changes_the_key_and_all_others_together_leave_it(step, copied):
    own = entries(step, copied)
    before = identity(*own)
    inside = set(code_identity.closure(*own).values())
    outside = set(copied.rglob("*.py")) - inside
    assert len(inside) > 10 and len(outside) > 10
    for path in outside:
        path.write_text(path.read_text(encoding="utf-8") + "\nCHANGED = 1\n", encoding="utf-8")
    assert identity(*own) == before
    for path in sorted(inside):
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "\nCHANGED = 1\n", encoding="utf-8")
        assert identity(*own) != before, path
        path.write_text(text, encoding="utf-8")


def test_comments_docstrings_and_positions_do_not_count(copied):
    own = entries("score", copied)
    before = identity(*own)
    for path in code_identity.closure(*own).values():
        tree = ast.parse(path.read_bytes())
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and (
                docstring := ast.get_docstring(node, False)
            ):
                text = text.replace(docstring, f"Said otherwise.\n\n{docstring}")
        path.write_text(f"# A comment.\n\n{text}\n\n# The end.\n", encoding="utf-8")
    assert identity(*own) == before


def test_the_help_of_a_spec_does_not_count_and_its_defaults_do(copied):
    own = entries("pretrain", copied)
    before = identity(*own)
    path = copied / "core" / "pretraining_specs.py"
    text = path.read_text(encoding="utf-8")
    assert '"Optimizer steps."' in text and "20_000" in text
    path.write_text(text.replace('"Optimizer steps."', '"Steps of the optimizer."'), encoding="utf-8")
    assert identity(*own) == before
    path.write_text(text.replace("20_000", "20_001"), encoding="utf-8")
    assert identity(*own) != before


def test_a_docstring_of_a_runtime_leaves_fine_tuning_as_it_is_and_so_does_its_code(copied):
    """Which runtimes there are is no part of a training in torch."""
    own = entries("finetune", copied)
    before = identity(*own)
    path = copied / "modeling" / "runtimes" / "openvino_runtime.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nCHANGED = 1\n", encoding="utf-8")
    assert identity(*own) == before


@pytest.mark.parametrize(
    "name", ["pipeline/steps/finetune.py", "data/frame.py", "data/corpus.py", "training/tokenizers.py"]
)
def test_what_was_in_no_key_is_in_that_of_fine_tuning_a_transformer(name, copied):
    own = ["harness.pipeline.steps.finetune", cells.plugins.table("learner").source("transformer")]
    before = identity(*own)
    path = copied / name
    path.write_text(path.read_text(encoding="utf-8") + "\nCHANGED = 1\n", encoding="utf-8")
    assert identity(*own) != before


def test_imports_for_type_checkers_are_not_followed(tmp_path):
    module = tmp_path / "one.py"
    module.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from harness.core import store\n")
    assert set(code_identity.closure(module)) == {"one"}


def test_imports_inside_functions_and_by_name_are_followed(tmp_path):
    module = tmp_path / "one.py"
    module.write_text(
        'from harness.core.lazy import lazy\nmasks = lazy("harness.core.text")\ndef f():\n    from harness.core import errors\n'
    )
    assert {"harness.core.text", "harness.core.errors"} <= set(code_identity.closure(module))


def test_a_plug_in_of_a_package_counts_with_what_it_imports_of_its_package(tmp_path):
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "metric.py").write_text("from mine.help import one\nfrom . import other\n")
    (package / "help.py").write_text("one = 1\n")
    (package / "other.py").write_text("two = 2\n")
    (package / "unrelated.py").write_text("three = 3\n")
    assert set(code_identity.closure(package / "metric.py")) == {"mine", "mine.metric", "mine.help", "mine.other"}
    before = identity(package / "metric.py")
    (package / "unrelated.py").write_text("three = 4\n")
    assert identity(package / "metric.py") == before
    (package / "help.py").write_text("one = 10\n")
    assert identity(package / "metric.py") != before


def test_versions_of_third_party_packages_count(monkeypatch):
    own = "harness.pipeline.steps.score"
    before = identity(own)
    assert "numpy" in code_identity.packages(own) and "rich" not in code_identity.packages(own)
    monkeypatch.setattr(code_identity, "_version", lambda package: "99.0")
    monkeypatch.setattr(installation, "folders_of_distributions", lambda: [["where it is installed", 1]])
    assert identity(own) != before
    code_identity.forget()


def test_built_in_tables_are_not_followed():
    names = set(code_identity.closure("harness.pipeline.steps.finetune"))
    assert "harness.core.plugins" in names and not any(name.startswith("harness.metrics.rouge") for name in names)
    assert (
        importlib.import_module("harness.core.builtin").BUILTIN["metric"]["rouge1"].startswith("harness.metrics.rouge")
    )


def test_what_files_say_is_kept_between_processes_until_they_change(tmp_path, monkeypatch):
    keep = known_sources.SourceCache.keep
    copied = a_copy(tmp_path, monkeypatch)
    monkeypatch.setattr(known_sources.SourceCache, "keep", keep)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    before = code_identity.identity("harness.core.hashing")
    assert list((tmp_path / "cache").glob("sources-*.json"))

    def in_another_process() -> str:
        for remembered in (
            code_identity._source,
            code_identity._identity,
            code_identity._version,
            known_sources._opened,
        ):
            remembered.cache_clear()
        return code_identity.identity("harness.core.hashing")

    with monkeypatch.context() as unread:
        unread.setattr(code_identity.ast, "parse", lambda *_: pytest.fail("read again"))
        unread.setattr(known_sources, "packages_distributions", lambda: pytest.fail("looked up again"))
        assert in_another_process() == before
    file = copied / "core" / "hashing.py"
    file.write_text(file.read_text() + "\nSALT = 1\n")
    changed = in_another_process()
    assert changed != before
    (cache,) = (tmp_path / "cache").glob("sources-*.json")
    cache.write_text("{")
    assert in_another_process() == changed
