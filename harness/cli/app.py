"""The command line: a table of verbs, each imported when it is called. Imports nothing heavy."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from harness.core.errors import HarnessError
from harness.core.text import emit, one_line, prepare_streams, say
from harness.core.version import __version__

INTERRUPTED = 130
TRACEBACK = "HARNESS_TRACEBACK"
"""The environment variable that shows where an unforeseen error came from."""
HELP_NAMES = {"help_option_names": ["-h", "--help"]}
OBJECTS = 50_000
"""Objects made between two searches for cycles. With Python's 700 a tenth of a start is spent on searching what imports
make, which stays.
"""


@dataclass(frozen=True)
class Verb:
    """Where a verb is, `module:object` (a function, or a `Typer` of verbs below it), and its line in the help. `known`
    is where it is asked first, with what the verb was given: it returns what prints the answer, or None.
    """

    place: str
    help: str
    panel: str
    examples: tuple[str, ...] = ()
    known: str = ""


MAKE, READ, JUDGE, PUBLISH = "Train and change models", "Read results", "Measure and judge", "Share and look up"
VERBS: dict[str, Verb] = {
    "run": Verb(
        "harness.cli.run:run", "Train and score models on tasks; print the leaderboard.", MAKE,
        ("harness run --suite glue", "harness run --data ~/glue_data --task sst2 --model bert-tiny --seeds 3"),
    ),
    "plan": Verb(
        "harness.cli.plan:plan", "Simulate a run on several machines: time, cost, what bounds it.", MAKE,
        ("harness plan --suite glue --seeds 5 --nodes 16", "harness plan --suite glue --nodes 4 --gpus 8 --price 12"),
    ),
    "evaluate": Verb(
        "harness.cli.run:evaluate", "Score finished models without training them.", MAKE,
        ("harness evaluate my-model/ --task sst2", "harness evaluate my-model/ my-model-int8/ --task sst2 --data hub"),
    ),
    "robustness": Verb(
        "harness.cli.robustness:robustness", "Attack finished models, score them under noise.", MAKE,
        (
            "harness robustness my-model/ --task sst2 --attack deepwordbug --attack textfooler",
            "harness robustness my-model/ my-model-int8/ --task sst2 --data glue_data --noise typos",
        ),
    ),
    "tune": Verb(
        "harness.cli.tune:tune", "Search training values; train and score the best.", MAKE,
        ("harness tune sst2 bert-tiny --trials 20", "harness tune cola minilm --peft lora --budget 30m -o best.yaml"),
    ),
    "pretrain": Verb(
        "harness.cli.pretrain:pretrain", "Turn raw text into a checkpoint.", MAKE,
        ("harness pretrain bert-tiny-mlm --budget 10m", "harness pretrain gpt-tiny-clm --corpus my-text/ -o my-gpt"),
    ),
    "meta-train": Verb(
        "harness.cli.meta_train:meta_train", "Make a checkpoint that adapts to new tasks by few examples.", MAKE,
        (
            "harness meta-train bert-tiny-mlm --tasks sst2,mrpc,qnli",
            "harness meta-train my-bert/ --method fomaml --tasks topics-train -o my-meta-bert",
        ),
    ),
    "corpus": Verb("harness.cli.corpus:app", "Corpora: report what is in one, filter it.", MAKE),
    "augment": Verb(
        "harness.cli.augment:augment", "Make further training examples of those there are.", MAKE,
        ("harness augment sst2 --operations aeda", "harness augment texts.jsonl --operations eda -o augmented.jsonl"),
    ),
    "compress": Verb(
        "harness.cli.compress:compress", "Make a smaller or faster model of a fine-tuned one.", MAKE,
        (
            "harness compress my-model/ --method int8 -o my-model-int8",
            "harness compress my-model/ --method 'prune-structured:0.5|int8' --task sst2 -o smaller",
        ),
    ),
    "predict": Verb(
        "harness.cli.predict:predict", "Fill masks, continue a text, answer it.", MAKE,
        ("harness predict my-model/ --text 'a lovely film'", "harness predict my-gpt/ -t 'Once upon' --json --logits"),
    ),
    "leaderboard": Verb(
        "harness.cli.leaderboard:leaderboard", "Print tables of models by tasks.", READ,
        ("harness leaderboard", "harness leaderboard --html leaderboard.html"),
    ),
    "show": Verb(
        "harness.cli.show:show", "Show a run: cells, scores, failures and their causes.", READ,
        ("harness show", "harness show latest --json"),
    ),
    "score": Verb(
        "harness.cli.score:score", "Compute metrics again from stored predictions.", READ,
        ("harness score", "harness score latest --metric macro_f1"),
    ),
    "verify": Verb(
        "harness.cli.verify:verify", "Read every file of a results folder; name what is damaged.", READ,
        ("harness verify", "harness verify --repair"),
    ),
    "check": Verb(
        "harness.cli.check:check", "Check another tool's scores against its examples.", READ,
        ("harness check lm_eval:output/", "harness check predictions.csv --json"),
    ),
    "measure": Verb(
        "harness.cli.measure:measure", "Time models side by side, with memory and size.", JUDGE,
        (
            "harness measure my-model/ my-model-int8/ --budget 5m",
            "harness measure bert-tiny:sst2 bert-tiny+int8:sst2 --batch 8 --length 64",
        ),
    ),
    "compare": Verb(
        "harness.cli.gate:compare", "Compare two runs on the same examples.", JUDGE,
        ("harness compare glue-main latest", "harness compare glue-main latest --by slice --format json"),
    ),
    "gate": Verb(
        "harness.cli.gate:gate", "Judge a run against an accepted baseline, by exit code.", JUDGE,
        ("harness gate --baseline glue-main", "harness gate --baseline glue-main --mode pr --junit gate.xml"),
    ),
    "baseline": Verb("harness.cli.baseline:app", "Accepted baselines: what the gate judges against.", JUDGE),
    "export": Verb("harness.cli.export:app", "Model cards, GGUF files, results in the forms of others.", PUBLISH),
    "list": Verb(
        "harness.cli.listing:list_names", "List what can be asked for by name.", PUBLISH,
        ("harness list tasks", "harness list compressors --json"), "harness.cli.kept_listing:answer",
    ),
    "doctor": Verb(
        "harness.cli.doctor:doctor", "Say what this machine offers.", PUBLISH,
        ("harness doctor", "harness doctor --json"),
    ),
}  # fmt: skip


RENAMED = {"--out": "--results"}
"""Old names of options, which are taken all the same."""


class LazyGroup(TyperGroup):
    """Knows its verbs by the table; imports one when it is called, or all where something walks over `commands`."""

    @property
    def commands(self) -> MutableMapping[str, Any]:
        return {name: self.loaded(name) for name in VERBS}

    @commands.setter
    def commands(self, value: MutableMapping[str, Any]) -> None:
        assert not value, "verbs stand in the table"

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A verb as the help lists it; what calls it asks `resolve_command`."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        return TyperCommand(name=cmd_name, help=verb.help, short_help=verb.help, rich_help_panel=verb.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        rest = [_today(argument) for argument in rest]
        verb = VERBS.get(str(name))
        known = verb.known if verb is not None and not ctx.resilient_parsing else ""  # not to complete what is typed
        if known and (answer := _imported(known)(rest)) is not None:
            return name, TyperCommand(name=name, callback=answer), []
        return name, command and self.loaded(str(name)), rest

    def loaded(self, name: str) -> Any:
        """The command of a verb, its module imported."""
        verb = VERBS[name]
        target = _imported(verb.place)
        command: Any = typer.main.get_command(
            target if isinstance(target, typer.Typer) else _app_of(target, name, verb)
        )
        command.name = name
        command.rich_help_panel = verb.panel
        return command


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _today(argument: str) -> str:
    """An option by its name of today: `--out`, the results folder, was too near to `--output`."""
    option, equals, value = argument.partition("=")
    return f"{RENAMED.get(option, option)}{equals}{value}"


def _app_of(function: Callable[..., Any], name: str, verb: Verb) -> typer.Typer:
    """A command line of one verb."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=HELP_NAMES)
    examples = "\n\n".join(["Examples:", *verb.examples])
    alone.command(name, epilog=examples)(function)
    return alone


app = typer.Typer(
    name="harness",
    cls=LazyGroup,
    help="Take a language model from raw text to a decision: train, score, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP_NAMES,
)


def main() -> NoReturn:
    """Run a verb. Bad usage and HarnessError are one line on stderr and exit code 2; Ctrl-C is exit code 130. No fault
    and nothing that a plug-in does ends in a code that means a verdict.
    """
    prepare_streams()
    gc.set_threshold(OBJECTS)
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        say(one_line(f"error: {error}"))
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our stdout has gone, e.g. `harness leaderboard | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - or the interpreter complains at exit
        code = 0
    except SystemExit as error:
        if isinstance(error.__context__, OSError) and error.__context__.errno == errno.EPIPE:
            sys.exit(0)  # typer's own way with a reader that has gone, such as that of `harness --help | head`
        say(one_line(f"error: a plug-in or a library ended the program: exit code {error.code}"))
        code = 2
    except Exception as error:
        line = _foreseen(error)
        if line is None and os.environ.get(TRACEBACK):
            raise
        say(one_line(f"error: {line or _unforeseen(error)}"))
        code = 2
    if code == INTERRUPTED:
        say("interrupted; finished cells are kept, the same command goes on from there")
    sys.exit(code if isinstance(code, int) else 0)


def _foreseen(error: Exception) -> str | None:
    """What is said of errors that are no fault of the program."""
    if hasattr(error, "format_message"):  # typer's own usage errors, whichever click they come from
        return f"{error.format_message()}; see `harness --help`"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return "not enough memory" if isinstance(error, MemoryError) else None


def _unforeseen(error: Exception) -> str:
    return f"a fault of harness itself: {type(error).__name__}: {error}; {TRACEBACK}=1 shows where"


@app.callback(invoke_without_command=True)
def _global(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        emit(f"nlp-harness {__version__}")
        raise typer.Exit


if __name__ == "__main__":
    main()
