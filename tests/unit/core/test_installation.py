"""What is kept for this installation holds as long as none of its files changes, and no longer."""

from __future__ import annotations

import shutil

import pytest

from harness.core import installation, registry, spec_files
from harness.core.errors import HarnessError
from harness.core.installation import Kept
from harness.core.spec_table import SpecTable, Unread


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shipped(tmp_path, monkeypatch, cache):
    """Copies of the specs that come with the package, in place of them."""
    folders = [tmp_path / "copy" / name for name in ("tasks", "tasks/suites", "baselines")]
    for source, folder in zip(installation.builtin_folders(), folders, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        for file in source.glob("*.yaml"):
            shutil.copy(file, folder)
    for module in (installation, registry, spec_files):
        monkeypatch.setattr(module, "builtin_folders", lambda: folders)
    return folders


def state(package) -> str:
    installation.forget()
    return installation.state_of(package)


def test_the_state_changes_with_a_module_a_spec_and_what_is_installed(tmp_path, shipped, monkeypatch):
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "module.py").write_text("one = 1\n")
    states = [state(package)]
    assert state(package) == states[0]
    (package / "inner" / "module.py").write_text("one = 2\n")
    states.append(state(package))
    (package / "inner" / "another.py").write_text("")
    states.append(state(package))
    (shipped[0] / "cola.yaml").write_text((shipped[0] / "cola.yaml").read_text())
    states.append(state(package))
    (tmp_path / "site" / "one-1.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    states.append(state(package))
    (tmp_path / "site" / "one-2.0.dist-info").mkdir()
    states.append(state(package))
    assert len(set(states)) == len(states)


def test_answers_are_kept_for_one_state_and_what_is_damaged_is_no_answer(cache, tmp_path):
    Kept("answers", tmp_path, "now").put("question", ["answer"])
    assert Kept("answers", tmp_path, "now").get("question") == ["answer"]
    assert Kept("answers", tmp_path, "then").get("question") is None
    assert Kept("answers", tmp_path / "other", "now").get("question") is None
    (file,) = cache.glob("answers-*.json")
    file.write_text(file.read_text().replace('"answer"', '"another"'))
    assert Kept("answers", tmp_path, "now").get("question") is None


def test_specs_that_are_kept_are_those_that_are_read(shipped):
    registry._shipped.cache_clear()
    read = registry.load_registry()
    registry._shipped.cache_clear()
    kept = registry.load_registry()
    for table, other in ((read.tasks, kept.tasks), (read.suites, kept.suites), (read.model_specs, kept.model_specs)):
        assert any(isinstance(spec, Unread) for spec in other._specs.values())
        assert list(table) == list(other) and dict(table) == dict(other)
    assert read.origins == kept.origins


def test_a_spec_that_has_become_bad_is_told_and_not_what_was_kept(shipped):
    registry._shipped.cache_clear()
    registry.load_registry()
    task = shipped[0] / "cola.yaml"
    sound = task.read_text()
    task.write_text(sound.replace("family: classification", "family: classification\nfamilly: nli"))
    with pytest.raises(HarnessError, match="unknown key 'familly'"):
        registry.load_registry()
    task.write_text(sound.replace("matthews_correlation", "mathews_correlation"))
    with pytest.raises(HarnessError, match=r"cola\.yaml.*Did you mean 'matthews_correlation'"):
        registry.load_registry()
    task.write_text(sound)
    assert "cola" in registry.load_registry().tasks


def test_a_table_makes_a_spec_when_it_is_asked_for():
    class Later(Unread):
        def __init__(self) -> None:
            pass

        def spec(self):
            raise AssertionError("made")

    table = SpecTable({"here": "spec", "later": Later()})
    assert "later" in table and list(table) == ["here", "later"] and len(table) == 2 and table["here"] == "spec"
    assert table.with_more({"later": "made"})["later"] == "made"
    with pytest.raises(AssertionError, match="made"):
        table["later"]
