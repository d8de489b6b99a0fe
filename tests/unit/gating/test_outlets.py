"""Every reporter says the same, within its limits, and escapes what comes from users."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.data.frame import Split
from harness.gating.engine import judge
from harness.gating.flips import flips_of, slices_of
from harness.gating.settings import GateSpec
from harness.report.text import gate_formats as gate_formats
from tests.unit.gating.synthetic import answers, classes, evidence

HOSTILE = 'a|b <script>alert("x")</script>\n::error::%0A `c` [d](e) \x00\x1b[31m &'


def changed(n: int = 400, worse: int = 60, model: str = "encoder"):
    references = classes(n)
    before = np.ones(n, dtype=bool)
    after = np.arange(n) >= worse
    base, candidate = (
        evidence({"cola": (["accuracy"], references, [answers(references, side)])}, model=model)
        for side in (before, after)
    )
    return judge(base, candidate, GateSpec())


def texts(part) -> Split:
    words = tuple(f"{HOSTILE} {'word ' * (index % 40)}" for index in range(part.n))
    return Split(tuple(f"id {index}" for index in range(part.n)), {"text": words}, None)


def test_flips_are_grouped_by_label_length_and_kind_and_carry_their_texts():
    _, (pair,) = changed()
    (flips,) = flips_of(pair, texts)
    assert (flips.worse, flips.better, len(flips.examples)) == (60, 0, 60)
    assert sum(flips.by_label.values()) == sum(flips.by_length.values()) == 60
    assert set(flips.by_kind) == {"yes taken for no", "no taken for yes"}
    assert flips.examples[0].text.startswith("a|b")
    assert flips.examples[0].id == "cola-0"


def test_without_texts_flips_have_ids_only():
    _, (pair,) = changed()
    (flips,) = flips_of(pair, lambda part: None)
    assert flips.by_length == {}
    assert flips.examples[0].text is None
    assert "cola-0" in gate_formats.flip_text([flips])


def test_slices_are_of_labels_and_lengths_with_adjusted_p():
    _, (pair,) = changed()
    slices = slices_of(pair, texts)
    assert {one.by for one in slices} == {"label", "length"}
    assert sum(one.n for one in slices if one.by == "label") == 400
    assert all(one.low <= one.drop <= one.high for one in slices)
    assert all(0 <= one.p <= 1 for one in slices)


def test_numbers_have_neither_flips_nor_slices():
    numbers = np.linspace(0, 5, 100)
    sides = [evidence({"stsb": (["pearson"], numbers, [one])}) for one in (numbers, numbers[::-1].copy())]
    _, (pair,) = judge(*sides, GateSpec())
    assert flips_of(pair, texts) == slices_of(pair, texts) == []


def test_json_has_a_schema_version_the_verdicts_and_every_flip():
    report, (pair,) = changed()
    content = json.loads(gate_formats.to_json(report, flips_of(pair, texts)))
    assert content["schema_version"] == 2
    assert (content["outcome"], content["exit_code"]) == ("regressed", 1)
    assert content["rows"][0]["verdict"] == "REGRESSED"
    assert len(content["flips"][0]["examples"]) == 60


@pytest.mark.parametrize("strict", [False, True])
def test_junit_is_xml_with_a_case_a_verdict(strict):
    report, _ = changed(model=HOSTILE)
    inconclusive = replace(report.rows[0], verdict="INCONCLUSIVE", task="rte")
    report = replace(report, rows=(*report.rows, inconclusive), reasons=(HOSTILE,), strict=strict)
    (suite,) = ElementTree.fromstring(gate_formats.to_junit(report))
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 3, "failures": 1 + strict, "errors": 1, "skipped": 1 - strict}
    assert "a|b <script>" in suite.findall("testcase")[0].get("classname")


def test_markdown_escapes_names_and_texts():
    report, (pair,) = changed(model=HOSTILE)
    for text in (
        gate_formats.to_comment(report, flips_of(pair, texts)),
        gate_formats.to_summary(report, flips_of(pair, texts)),
    ):
        assert "<script>" not in text.replace("\\<script\\>", "")
        assert "\x1b" not in text
        assert not any(line.startswith("::") for line in text.splitlines())


def test_a_comment_keeps_to_the_limit_and_says_what_it_left_out():
    report, (pair,) = changed()
    flips = [replace(one, task=f"task-{n}") for n in range(400) for one in flips_of(pair, texts)]
    text = gate_formats.to_comment(report, flips)
    assert len(text) <= 65_536
    assert text.startswith(gate_formats.MARKER)
    assert "cut to fit" in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_annotations_are_one_line_each_and_few():
    report, _ = changed(model=HOSTILE)
    lines = gate_formats.to_annotations(replace(report, reasons=tuple(f"{n}: {HOSTILE}" for n in range(30))))
    assert len(lines) == gate_formats.ANNOTATIONS_AT_MOST
    assert all(line.startswith("::error title=") and "\n" not in line for line in lines)
    assert "%25" in lines[0] and "%0A" in lines[0]
