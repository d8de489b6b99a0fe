"""YAML is data: what does not construct, stands for too much, or is nested too deeply is one line with its place."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.core.errors import HarnessError
from harness.core.strict_yaml import load_mapping

LETTERS = "abcdefghijkl"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{own}: &{own} [{', '.join([f'*{before}'] * 9)}]\n" for before, own in pairwise(LETTERS)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{own}: &{own} {{<<: [*{before}, *{before}, *{before}, *{before}]}}\n" for before, own in pairwise(LETTERS)
)


def load(tmp_path, text: str):
    path = tmp_path / "spec.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return load_mapping(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: !!int abc", "line 1: no number that can be read"),
        ("\na: !!float abc", "line 2: no number that can be read"),
        ("a: " + "9" * 6000, "line 1: no number that can be read"),
        ("a: " + "9" * 30, "line 1: a number beyond 64 bits"),
        ("a: !!bool abc", "does not fit its tag"),
        ("a: !!map abc", "does not fit its tag"),
        ("a: !!map [1]", "does not fit its tag"),
        ("a: !!timestamp 2020-13-45", "values of the kind !!timestamp are not read"),
        ("a: !!binary x", "values of the kind !!binary are not read"),
        ("a: !!set {b}", "values of the kind !!set are not read"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: &a [*a]", "an alias stands inside what it stands for"),
        (BOMB, "more than 100,000 values"),
        (MERGES, "more than 100,000 values"),
        ("a: " + "[" * 100_000, "deep|depth|nesting"),
        ("- " * 100_000, "nested more than 50 levels"),
        ("? " * 100_000, "nested more than 50 levels"),
        ("1: a\nb: c", "line 2: keys of several kinds"),
        ("[a]: b", "a key must be a plain value"),
        ("a: b\na: c", "line 2: duplicate key 'a'"),
        ("a: \x07", "not YAML"),
        ("a: \ud800", "not UTF-8"),
        ("", "expected a mapping"),
        ("a: " + "x" * 2_000_000, "too large"),
    ],
)
def test_what_is_refused(tmp_path, text, reason):
    with pytest.raises(HarnessError, match=reason) as caught:
        load(tmp_path, text)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_a_date_is_the_text_it_is_written_as(tmp_path):
    assert load(tmp_path, "a: 2020-01-31\nb: 2020-13-45\nc: 2020-01-01 10:00:00") == {
        "a": "2020-01-31",
        "b": "2020-13-45",
        "c": "2020-01-01 10:00:00",
    }


def test_ordinary_files_are_read_as_ever(tmp_path):
    text = "a: 1\nb: -2.5\nc: [x, 'y', null, true]\nd: &d {e: 1}\nf: [*d, *d]\nh: *d\ni: {0: x, 1: y}\n"
    assert load(tmp_path, text) == {
        "a": 1,
        "b": -2.5,
        "c": ["x", "y", None, True],
        "d": {"e": 1},
        "f": [{"e": 1}, {"e": 1}],
        "h": {"e": 1},
        "i": {0: "x", 1: "y"},
    }
