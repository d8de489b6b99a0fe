"""`harness leaderboard` from the command line: flags that go together, and those that do not."""

from __future__ import annotations

import json

import pytest


def test_a_readme_is_kept_up_to_date_with_the_columns_asked_for(small_run, tmp_path):
    call = small_run[0]
    file = tmp_path / "README.md"
    file.write_text("# Mine\n<!-- harness:leaderboard -->\n<!-- /harness:leaderboard -->\nrest")
    flags = ("--update", file, "--columns", "cola,parameters", "--sort", "cola:asc")
    assert call("leaderboard", *flags).stderr.endswith("README.md: updated\n")
    first = file.read_text()
    lines = [line for line in first.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["model", "cola", "parameters"]
    assert lines[2].startswith("| majority")
    assert first.startswith("# Mine\n") and first.endswith("\nrest")
    assert call("leaderboard", *flags).stderr.endswith("README.md: is up to date\n")
    assert file.read_text() == first


def test_md_and_markdown_are_one_format(small_run):
    call = small_run[0]
    assert call("leaderboard", "-f", "md").stdout == call("leaderboard", "-f", "markdown").stdout
    assert call("leaderboard").stdout.startswith("### ")
    assert call("leaderboard", "-f", "html").stdout.startswith("<table")
    assert json.loads(call("leaderboard", "-f", "json").stdout)["tables"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--columns", "colla"), "Did you mean 'cola'"),
        (("--sort", "averag"), "Did you mean 'average'"),
        (("--group-by", "lerner"), "Did you mean 'learner'"),
        (("--marker", "x"), "--marker goes with --update"),
        (("--update", "R.md", "-f", "csv"), "md or html, not csv"),
        (("--update", "R.md", "-o", "x"), "one of --output and --update"),
        (("--update", "R.md"), "No such file"),
        (("--robustness", "--sort", "cola"), "of the leaderboard itself"),
    ],
)
def test_flags_that_make_no_sense_are_one_line_and_exit_code_2(small_run, flags, message):
    said = small_run[0]("leaderboard", *flags, code=2).stderr
    assert message in said
    assert len(said.splitlines()) == 1
