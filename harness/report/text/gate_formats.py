"""What a report becomes: JSON, JUnit XML, Markdown for a step summary and for a comment, GitHub annotations. Names and
texts come from users: every reporter escapes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from harness.core.run_spec import SEED_MODES
from harness.gating.engine import AVERAGE, Judged, Report, points
from harness.gating.flips import Flips, Slice
from harness.gating.layers import Layer
from harness.gating.measured import Measured
from harness.report.tables.formats import NONE, escaped, markdown_table

SCHEMA_VERSION = 2
COMMENT_AT_MOST = 65_536
"""Characters GitHub takes in one comment."""
SUMMARY_AT_MOST = 1_000_000
"""Bytes: GitHub takes 1 MiB in the summary of one step."""
ANNOTATIONS_AT_MOST = 10
"""Of each kind that GitHub shows of one step."""
TEXTS_SHOWN = 5
TEXT_AT_MOST = 160
MARKER = "<!-- harness gate -->"
"""By which a workflow finds the comment to replace."""


def to_json(
    report: Report, flips: Sequence[Flips] = (), slices: Sequence[Slice] = (), layers: Sequence[Layer] = ()
) -> str:
    """Everything, at full precision, in fractions."""
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        **asdict(report),
        "flips": [asdict(flip) for flip in flips],
        "slices": [asdict(slice_) for slice_ in slices],
        "layers": [asdict(layer) for layer in layers],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def title(report: Report) -> str:
    return f"{report.candidate} against {report.base}: {report.outcome}"


def table(report: Report) -> str:
    """The verdicts as tables that are aligned in a terminal and render on the web."""
    parts = []
    if report.differences:
        lines = [f"- {escaped(line)}" for line in report.differences]
        parts.append("\n".join(["What differs between the runs, base → candidate:", "", *lines]))
    if report.rows or not report.measured:
        header = ["verdict", "task", "model", "base", "candidate", "drop", "p adj.", "detectable", "seeds", "examples"]
        body = [_line(row) for row in report.rows]
        parts.append(markdown_table(title(report), header, body, notes(report)).rstrip("\n"))
    if report.measured:
        header = ["verdict", "measured", "model", "base", "candidate", "ratio", "margin", "measurements"]
        body = [_measured_line(row) for row in report.measured]
        is_alone = not report.rows
        name = title(report) if is_alone else "measured"
        remarks = measured_notes(report) + ([] if not is_alone else [_sentence(note) for note in _remarks(report)])
        parts.append(markdown_table(name, header, body, remarks).rstrip("\n"))
    return "\n\n".join(parts)


def _measured_line(row: Measured) -> list[str]:
    verdict = f"**{row.verdict}**" if row.verdict in ("REGRESSED", "INVALID") else row.verdict
    if row.improved and row.verdict == "OK":
        verdict += " (improved)"
    interval = "" if row.low is None or row.high is None else f" [{row.low:.3f}, {row.high:.3f}]"
    numbers = [_amount(row, row.base), _amount(row, row.candidate), f"{row.ratio:.3f}{interval}"]
    what = f"{row.kind}, {row.where}"
    return [verdict, escaped(what), escaped(row.model), *numbers, f"{100 * row.margin:g} %", str(row.measurements)]


def _amount(row: Measured, value: float) -> str:
    return f"{1000 * value:.3g} ms" if row.kind in ("speed", "benchmark") else f"{value / 1e6:.1f} MB"


def row_message(row: Judged) -> str:
    """A verdict in a line: why, the drop with its interval, and p."""
    message = f"{row.verdict}: {row.reason}"
    if row.drop is None or row.low is None or row.high is None or row.p is None:
        return message
    return f"{message}; drop {points(row.drop)} points [{points(row.low)}, {points(row.high)}], p {_p(row.p)}"


def measured_notes(report: Report) -> list[str]:
    """How to read the second table, and the reasons of its verdicts."""
    kinds = {row.kind for row in report.measured}
    remarks = []
    if kinds - {"benchmark"}:
        remarks.append(
            "Ratio: candidate over base, both measured side by side in one job, with the 95 % interval of times. What "
            "looks worse in time or memory is a regression where a second, fresh measurement finds it too."
        )
    if "benchmark" in kinds:
        remarks.append(
            "Benchmark: medians of separate runs of pytest-benchmark, where a machine may have changed in between; "
            "advisory, never a regression. `harness measure` times both side by side."
        )
    for row in report.measured:
        if row.verdict != "OK":
            remarks.append(f"{row.verdict} {row.kind}, {row.where}, {row.model}: {row.reason}.")
    return remarks


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."


def _remarks(report: Report) -> list[str]:
    return [*(f"not comparable: {reason}" for reason in report.reasons), *report.notes]


def _line(row: Judged) -> list[str]:
    verdict = f"**{row.verdict}**" if row.verdict == "REGRESSED" else row.verdict
    if row.improved and row.verdict == "OK":
        verdict += " (improved)"
    if row.drop is None or row.low is None or row.high is None or row.detectable is None:
        numbers = [_score(row.base), _score(row.candidate), NONE, NONE, NONE]
    else:
        interval = f"{100 * row.drop + 0.0:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"
        numbers = [_score(row.base), _score(row.candidate), interval, _p(row.p), points(row.detectable)]
    task = escaped(row.task) if row.task.startswith(AVERAGE) else escaped(f"{row.task} ({', '.join(row.metrics)})")
    seeds = f"{row.seeds} and 1" if row.one_candidate else str(row.seeds)
    return [verdict, task, escaped(row.model), *numbers, seeds, str(row.n)]


def _score(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{100 * value:.1f}" if abs(value) <= 1 else f"{value:.2f}"


def _p(value: float | None) -> str:
    if value is None:
        return NONE
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def notes(report: Report) -> list[str]:
    """How to read the table, the reasons of its verdicts, and what is left out."""
    remarks = [
        "A drop is base − candidate in points, 1/100 of a metric's scale (of the base's score where it has no upper "
        "bound), with its 95 % interval. p is one-sided and adjusted: alpha 0.05 for the whole gate, half for "
        "averages, half for tasks (Holm). Detectable: the true drop that is found with 80 % power."
    ]
    remarks += [f"Not comparable: {reason}." for reason in report.reasons]
    for row in report.rows:
        if row.verdict in ("REGRESSED", "INCONCLUSIVE"):
            remarks.append(f"{row.verdict} {row.task}, {row.model}: {row.reason} ({row.test}){_power(row)}.")
    averages = [row for row in report.rows if row.task.startswith(AVERAGE)]
    remarks += [modes_line(row) for row in averages or report.rows if row.by_seeds and row.verdict != "IDENTICAL"]
    return remarks + [_sentence(note) for note in report.notes]


def modes_line(row: Judged) -> str:
    """What each mode's seeds would find: the drop with 80 % power, and the power for a drop of the OK margin."""
    modes = [
        f"{mode} ({seeds} seeds) {points((row.by_seeds or {})[seeds])} points, {100 * power:.0f} %"
        for mode, seeds in SEED_MODES.items()
        if (power := (row.power_by_seeds or {}).get(seeds)) is not None
    ]
    return (
        f"Detectable on {row.task} of {row.model}, and power to find a drop of {points(row.ok_margin)} points: "
        f"{'; '.join(modes)}."
    )


def _power(row: Judged) -> str:
    if row.power is None or row.verdict != "INCONCLUSIVE":
        return ""
    advisory = "; advisory, since so few seeds cannot tell" if row.advisory else ""
    return f"; power to find such a drop {100 * row.power:.0f} %{advisory}"


def flip_text(flips: Sequence[Flips], most: int = TEXTS_SHOWN) -> str:
    """Right→wrong examples by label, length and error kind, the first of each split with their texts."""
    blocks = []
    for changed in flips:
        if not changed.worse and not changed.better:
            continue
        whole = (
            f"{changed.n}"
            if changed.seeds == 1
            else f"{changed.n * changed.seeds:,} answers, {changed.n} examples × {changed.seeds} seeds"
        )
        lines = [
            f"#### {escaped(f'{changed.task} {changed.split}, {changed.model}')}: {changed.worse} right→wrong, "
            f"{changed.better} wrong→right of {whole}",
            "",
        ]
        for name, counts in (
            ("label", changed.by_label),
            ("length", changed.by_length),
            ("kind", changed.by_kind),
        ):
            if counts:
                lines.append(f"- by {name}: " + ", ".join(f"{escaped(value)} {n}" for value, n in counts.items()))
        for flip in changed.examples[:most]:
            text = f": {escaped(_cut(flip.text))}" if flip.text is not None else ""
            answers = f"was {_cut(flip.base, 40)}, now {_cut(flip.candidate, 40)}"
            answers = f"{_cut(flip.label, 40)}, {answers}" if flip.label else answers
            is_shown = changed.has_classes or flip.text is not None or flip.base
            lines.append(f"- {escaped(flip.id)}{text}" + (f" — {escaped(answers)}" if is_shown else ""))
        if len(changed.examples) > most:
            lines.append(f"- … and {len(changed.examples) - most} more; the JSON has all")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _cut(text: str | None, most: int = TEXT_AT_MOST) -> str:
    text = text or ""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def slice_text(slices: Sequence[Slice]) -> str:
    """Fractions of right answers by label and length."""
    header = ["task", "split", "model", "slice", "base", "candidate", "drop", "p adj.", "examples"]
    body = [
        [
            escaped(slice_.task),
            escaped(slice_.split),
            escaped(slice_.model),
            escaped(f"{slice_.by} {slice_.value}"),
            _score(slice_.base),
            _score(slice_.candidate),
            f"{100 * slice_.drop + 0.0:.1f} [{100 * slice_.low:.1f}, {100 * slice_.high:.1f}]",
            _p(slice_.p),
            str(slice_.n),
        ]
        for slice_ in slices
    ]
    note = "Fractions of right answers ×100; p one-sided, adjusted over the slices of a task (Holm)."
    return markdown_table("slices", header, body, [note]).rstrip("\n")


def layer_text(layers: Sequence[Layer]) -> str:
    """What changed in each layer, and what comes of it."""
    header = ["task", "model", "layer", "parameters", "weights moved", "CKA", "output error", "examples", "seeds"]
    body = [
        [
            escaped(layer.task),
            escaped(layer.model),
            escaped(layer.layer),
            f"{layer.parameters:,}",
            NONE if layer.weights is None else f"{100 * layer.weights:.1f} %",
            NONE if layer.cka is None else f"{layer.cka:.4f}",
            NONE if layer.mse is None else f"{layer.mse:.4f}",
            str(layer.examples),
            str(layer.seeds),
        ]
        for layer in layers
    ]
    note = (
        "Weights moved: ‖candidate − base‖ / ‖base‖ of a layer's parameters. CKA: linear centred kernel alignment of "
        "its outputs on the same examples (Kornblith et al. 2019), 1 where they are alike up to rotation and scale. "
        "Output error: squared error over the variance of the base's outputs. Means over seeds; – where shapes differ "
        "or nothing can be compared."
    )
    return markdown_table("layers", header, body, [note]).rstrip("\n")


def to_summary(report: Report, flips: Sequence[Flips] = ()) -> str:
    """Markdown for a step summary, within its limit."""
    return _within(f"{table(report)}\n\n{_folded(flips)}".rstrip() + "\n", SUMMARY_AT_MOST // 4)


def to_comment(report: Report, flips: Sequence[Flips] = ()) -> str:
    """Markdown for a comment on a pull request, at most `COMMENT_AT_MOST` characters; what does not fit is left out
    from the end, and said.
    """
    return _within(f"{MARKER}\n{table(report)}\n\n{_folded(flips)}".rstrip() + "\n", COMMENT_AT_MOST)


def _folded(flips: Sequence[Flips]) -> str:
    text = flip_text(flips)
    return f"<details><summary>Right→wrong examples</summary>\n\n{text}\n\n</details>" if text else ""


def _within(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    cut = "\n\n… cut to fit; the JSON report has all.\n"
    closing = "\n</details>" if "<details>" in text else ""
    kept = text[: most - len(cut) - len(closing)]
    kept = kept[: kept.rfind("\n")]
    return kept + (closing if "<details>" in kept else "") + cut


def to_junit(report: Report) -> str:
    """JUnit XML: a test case a verdict; a regression is a failure, what cannot be compared and an invalid measurement
    an error, what stays inconclusive is skipped, or a failure when strict.
    """
    suite = ElementTree.Element("testsuite", name=_xml(f"harness gate {report.base}"))
    for row in report.rows:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(row.model), name=_xml(row.task))
        if row.verdict == "REGRESSED":
            _outcome(case, "failure", "regressed", row)
        elif row.verdict == "INCONCLUSIVE":
            _outcome(case, "failure" if report.fails(row) else "skipped", "inconclusive", row)
    for measured in report.measured:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_xml(measured.model), name=_xml(f"{measured.kind}, {measured.where}")
        )
        if measured.verdict == "INVALID":
            ElementTree.SubElement(case, "error", message=_xml(said_of_measured(measured)), type="invalid measurement")
        elif measured.verdict != "OK":
            tag = "failure" if report.fails(measured) else "skipped"
            element = ElementTree.SubElement(case, tag, message=_xml(said_of_measured(measured)))
            if tag == "failure":
                element.set("type", measured.verdict.lower())
    for reason in report.reasons:
        case = ElementTree.SubElement(suite, "testcase", classname="comparable", name=_xml(reason))
        ElementTree.SubElement(case, "error", message=_xml(reason), type="incompatible")
    for kind in ("failure", "error", "skipped"):
        plural = {"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]
        suite.set(plural, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _outcome(case: ElementTree.Element, tag: str, kind: str, row: Judged) -> None:
    element = ElementTree.SubElement(case, tag, message=_xml(_summary(row)))
    if tag == "failure":
        element.set("type", kind)


def _summary(row: Judged) -> str:
    if row.drop is None or row.low is None or row.high is None:
        return row.reason
    return (
        f"{row.reason}: drop {100 * row.drop:.1f} points [{100 * row.low:.1f}, {100 * row.high:.1f}], "
        f"p {_p(row.p)}, {row.test}"
    )


def said_of_measured(row: Measured) -> str:
    interval = "" if row.low is None or row.high is None else f" [{row.low:.3f}, {row.high:.3f}]"
    return f"{row.reason}: ratio {row.ratio:.3f}{interval}, margin {100 * row.margin:g} %"


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub(" ", text)


def to_annotations(report: Report) -> list[str]:
    """GitHub workflow commands: errors for regressions, invalid measurements and what cannot be compared, a warning for
    what is inconclusive. Of each kind as many as GitHub shows.
    """
    errors = [_command("error", "not comparable", reason) for reason in report.reasons]
    warnings: list[str] = []
    for row in report.rows:
        if row.verdict == "REGRESSED":
            errors.append(_command("error", f"{row.task} regressed", f"{row.model}: {_summary(row)}"))
        elif row.verdict == "INCONCLUSIVE":
            kind, where = ("error", errors) if report.fails(row) else ("warning", warnings)
            where.append(_command(kind, f"{row.task} inconclusive", f"{row.model}: {_summary(row)}"))
    for measured in report.measured:
        if measured.verdict != "OK":
            kind, where = ("error", errors) if report.fails(measured) else ("warning", warnings)
            name = f"{measured.kind} {measured.verdict.lower()}"
            where.append(_command(kind, name, f"{measured.model}, {measured.where}: {said_of_measured(measured)}"))
    return [*errors[:ANNOTATIONS_AT_MOST], *warnings[:ANNOTATIONS_AT_MOST]]


def _command(kind: str, name: str, message: str) -> str:
    """Escaped as GitHub's own toolkit does: % and line ends, in properties also : and ,"""
    name = _data(name).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={name}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
