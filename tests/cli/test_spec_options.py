"""Options are made of specs: nothing is said twice."""

from __future__ import annotations

import inspect
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from harness.cli import app as command_line
from harness.cli import options as shared
from harness.cli.pretrain import FIELDS
from harness.core.pretraining_specs import PretrainingSpec
from harness.core.run_spec import MEASURE_PRECISION, RunSpec
from harness.gating.settings import GateSpec
from harness.measurement import protocol
from harness.measurement.settings import MeasureSpec

GROUP = typer.main.get_command(command_line.app)
PANELS = ["What", "Models", "Training", "Compression", "Measuring", "Where", "Output"]


def options(verb: str) -> dict[str, object]:
    return {parameter.name: parameter for parameter in GROUP.loaded(verb).params}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("verb", "spec", "fields"),
    [
        ("run", RunSpec, list(RunSpec.model_fields)),
        ("pretrain", PretrainingSpec, list(FIELDS)),
        ("measure", MeasureSpec, list(MeasureSpec.model_fields)),
        ("gate", GateSpec, [name for name in GateSpec.model_fields if name not in ("tasks", "metrics")]),
    ],
)
def test_each_field_of_a_spec_is_an_option_with_its_description(verb, spec, fields):
    found = options(verb)
    for name in fields:
        option, field = found[name], spec.model_fields[name]
        assert field.description and option.help.startswith(field.description), name  # type: ignore[attr-defined]
        assert option.rich_help_panel == field.json_schema_extra["panel"], name  # type: ignore[attr-defined]
        assert option.default is None, f"{name}: a default is the spec's alone"  # type: ignore[attr-defined]


def commands() -> dict[str, object]:
    """All verbs, those of groups as `baseline accept`."""
    every = {}
    for name in command_line.VERBS:
        command = GROUP.loaded(name)  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        every |= {name: command} if below is None else {f"{name} {inner}": below[inner] for inner in below}
    return every


COMMANDS = commands()
SHARED = {
    annotation.__metadata__[0].default: annotation.__metadata__[0]
    for annotation in vars(shared).values()
    if hasattr(annotation, "__metadata__")
}
"""The options that stand in `cli/options.py`, once for all verbs."""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_each_verb_come_from_its_specs_or_are_shared_by_verbs(name):
    command = COMMANDS[name]
    fields = {
        field: spec.model_fields[field]
        for spec, names in getattr(command.callback, "specs", ())  # type: ignore[attr-defined]
        for field in names
    }
    for option in command.params:  # type: ignore[attr-defined]
        if option.param_type_name == "argument" or option.name == "help":
            continue
        if option.name in fields:
            field = fields[option.name]
            assert field.description and option.help.startswith(field.description), option.name
            assert option.rich_help_panel == field.json_schema_extra["panel"], option.name
            assert option.default is None and option.required == field.is_required(), option.name
        else:
            assert option.help == SHARED[option.opts[0]].help, f"{option.name}: say it in a spec"
            assert option.rich_help_panel, f"{option.name} stands in no group"


def test_no_module_of_a_verb_declares_an_option():
    folder = Path(command_line.__file__).parent
    declaring = {file.name for file in folder.glob("*.py") if "typer.Option(" in file.read_text(encoding="utf-8")}
    assert declaring == {"app.py", "options.py", "spec_options.py"}, "app.py has --version"


def test_the_help_of_run_shows_the_defaults_of_the_spec():
    found = options("run")
    assert found["seeds"].show_default == str(RunSpec.model_fields["seeds"].default)  # type: ignore[attr-defined]
    assert found["out"].show_default == RunSpec().out  # type: ignore[attr-defined]


def test_what_a_spec_says_of_a_default_is_what_the_code_takes():
    assert MEASURE_PRECISION == protocol.HALF_WIDTH
    assert options("gate")["speed_margin"].show_default == "0.05, GPU 0.03"  # type: ignore[attr-defined]
    assert protocol.MARGINS == {"cpu": 0.05, "cuda": 0.03}


def test_options_are_grouped_and_each_verb_has_two_examples_that_parse():
    panels = [getattr(option, "rich_help_panel", None) for option in options("run").values()]
    assert list(dict.fromkeys(panel for panel in panels if panel)) == PANELS
    for name, verb in command_line.VERBS.items():
        command = GROUP.loaded(name)  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            assert all("Examples:" in below.epilog for below in command.commands.values()), name
            continue
        assert len(verb.examples) == 2 and all(example in command.epilog for example in verb.examples), name
        for example in verb.examples:
            _, own, *arguments = shlex.split(example)
            assert own == name
            context = command.make_context(name, arguments, resilient_parsing=True)
            assert not context.args, example


def test_the_line_of_a_verb_in_the_help_is_about_the_verb():
    for name, verb in command_line.VERBS.items():
        assert verb.help.endswith(".") and GROUP.loaded(name).help, name  # type: ignore[attr-defined]


def test_help_imports_no_verb():
    code = (
        "import sys\nsys.argv = ['harness', '--help']\nfrom harness.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*[name for name in sys.modules if name.startswith('harness.')], file=sys.stderr)\n"
        "print(*[name for name in ('torch', 'pydantic', 'numpy', 'yaml') if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own, others = done.stderr.strip("\n").split("\n") if "\n" in done.stderr.strip("\n") else (done.stderr.strip(), "")
    assert set(own.split()) <= {
        "harness.cli", "harness.cli.app", "harness.core", "harness.core.errors", "harness.core.text", "harness.core.version",
    }  # fmt: skip
    assert others == ""


def test_a_verb_knows_its_options_by_keyword_alone():
    for verb in ("run", "gate", "measure", "pretrain"):
        function = GROUP.loaded(verb).callback  # type: ignore[attr-defined]
        assert "given" not in inspect.signature(function).parameters
