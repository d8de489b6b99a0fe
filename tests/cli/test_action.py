"""The steps of action.yml, run as GitHub would run them, in a repository with a base commit and a pull request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, call_harness

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
RUN = "--task sst2 --model mine --limit 200 --include recipe -q"


def expressions(base: str, run: str) -> dict[str, str]:
    """What GitHub would put in for the expressions of the action."""
    inputs = {name: one.get("default", "") for name, one in ACTION["inputs"].items()}
    inputs |= {"baseline": "main", "run": run, "gate": "--margin 0.01"}
    values = {f"${{{{ inputs.{name} }}}}": value for name, value in inputs.items()}
    values["${{ inputs.base-sha || github.event.pull_request.base.sha || github.sha }}"] = base
    return values


def perform(folder: Path, cache: Path, base: str, run: str = RUN) -> tuple[int, str]:
    """Run the shell steps until one fails; its exit code, and what all printed."""
    values = expressions(base, run)
    printed = ""
    for step in ACTION["runs"]["steps"]:
        if "run" not in step or step["name"] == "Install harness":
            continue
        environment = {name: values[value] for name, value in step["env"].items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "HARNESS_CACHE": str(cache),
                "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        printed += done.stdout + done.stderr
        if done.returncode:
            return done.returncode, printed
    return 0, printed


@pytest.fixture(scope="module")
def repository(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A base commit with an accepted baseline; its hash."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "bin").mkdir()
    command = folder / "bin" / "harness"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m harness "$@"\n')
    command.chmod(0o755)
    (folder / "recipe").mkdir()
    (folder / "recipe" / "mine.yaml").write_text("name: mine\nlearner: tfidf\n")
    call_harness(folder, machine_cache, "run", *RUN.split())
    call_harness(folder, machine_cache, "baseline", "accept", "--name", "main")
    git(folder, "init", "--quiet")
    git(folder, "add", "recipe", "baselines")
    git(folder, "commit", "--quiet", "-m", "base")
    return folder, git(folder, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.process
@pytest.mark.slow
def test_a_pull_request_is_judged_by_the_baseline_of_its_base(repository, machine_cache):
    folder, base = repository
    assert perform(folder, machine_cache, base)[0] == 0
    (folder / "recipe" / "mine.yaml").write_text("name: mine\nlearner: majority\n")
    call_harness(folder, machine_cache, "run", *RUN.split())
    call_harness(folder, machine_cache, "baseline", "accept", "--name", "main")  # a pull request that helps itself
    git(folder, "commit", "--quiet", "-am", "worse")
    code, printed = perform(folder, machine_cache, base)
    assert code == 1
    assert "::error title=sst2 regressed::" in printed
    assert "**REGRESSED**" in (folder / "summary.md").read_text()
    for name in ("gate.json", "junit.xml", "comment.md", "baseline.json"):
        assert (folder / "harness-gate" / name).stat().st_size


@pytest.mark.process
def test_a_base_without_the_baseline_is_exit_4(repository, machine_cache, tmp_path):
    folder, _ = repository
    git(folder, "checkout", "--quiet", "--orphan", "bare")
    git(folder, "rm", "--quiet", "-r", "--cached", "baselines")
    git(folder, "commit", "--quiet", "-m", "without", "--", "recipe")
    code, printed = perform(folder, machine_cache, git(folder, "rev-parse", "HEAD"))
    assert code == 4
    assert "::error title=baseline missing::" in printed


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "code"),
    [(RUN.replace("mine ", "mime "), 2), (RUN + " --limmit 3", 2), (RUN + " --dry-run", 1), (RUN + " --help", 1)],
)
def test_where_no_run_is_made_an_earlier_one_is_not_judged(repository, machine_cache, run, code):
    folder, base = repository
    assert list((folder / "results" / "runs").glob("*.json"))
    (folder / "harness-gate" / "gate.json").unlink(missing_ok=True)
    found, printed = perform(folder, machine_cache, base, run)
    assert found == code and "passed" not in printed
    assert not (folder / "harness-gate" / "gate.json").exists()


def test_no_input_is_pasted_into_a_script_and_reports_are_kept_whatever_happens():
    steps = ACTION["runs"]["steps"]
    assert not any("${{" in step.get("run", "") for step in steps)
    (upload,) = [step for step in steps if "uses" in step]
    assert upload["if"] == "always()"
