"""The command line as tests call it: in this process by default, in one of its own where that is what is tested."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

from harness.core import plugins

ROOT = Path(__file__).resolve().parent.parent
CompletedProcess = subprocess.CompletedProcess[str]
Harness = Callable[..., CompletedProcess]

RUNS_CELLS = ("run", "evaluate")
"""Verbs with an option `--executor`."""
DEFAULT_FILTERS = (
    ("ignore", DeprecationWarning),
    ("ignore", PendingDeprecationWarning),
    ("ignore", ImportWarning),
    ("ignore", ResourceWarning),
)
"""Of an interpreter that nobody told which warnings to show."""
CACHES = (
    ("harness.training.learners.kept_models", "_opened"),
    ("harness.training.learners.kept_models", "_loaded"),
    ("harness.pipeline.steps.inputs", "_load"),
)
"""What a process keeps between cells. A folder that a test writes anew is a new one to the next call."""


def call_harness(
    folder: Path, cache: Path, *arguments: object, code: int | None = 0, timeout: float = 300, **environment: str
) -> CompletedProcess:
    """The command line in `folder`, in this process, cells included; `code` is the exit code it must end with.

    It sees the environment, the plug-ins, the filters of warnings and the settings of libraries that a process of its
    own would see, and leaves all of them as they were. `timeout` is for calls that may be a process as well.
    """
    command = _inline([str(one) for one in arguments], folder)
    output, errors = _stream(), _stream()
    with _as_if_alone(folder, _environment(cache, environment), ["harness", *command], output, errors):
        from harness.cli.app import main

        try:
            main()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
        else:
            status = 0
    return _checked(CompletedProcess(["harness", *command], status, _text(output), _text(errors)), code)


def call_process(
    folder: Path, cache: Path, *arguments: object, code: int | None = 0, timeout: float = 300, **environment: str
) -> CompletedProcess:
    """The same in a process of its own, which starts worker processes for its cells."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=folder,
        env=_environment(cache, environment),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return _checked(done, code)


def workers_of(command: int) -> list[psutil.Process]:
    """The workers of a run that was started: fresh processes of its own, or copies of the one that holds their imports,
    which is its child.
    """
    try:
        below = psutil.Process(command).children(recursive=True)
        return [one for one in below if one.ppid() != command or "spawn_main" in " ".join(one.cmdline())]
    except psutil.Error:
        return []


@contextmanager
def starting(folder: Path, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command line in `folder` and returns at once; at the end nothing of it runs any more."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", *arguments], cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def shell_environment(folder: Path, cache: Path, **more: str) -> dict[str, str]:
    """For a shell that finds `harness`, by a script put into `folder`."""
    scripts = folder / "bin"
    scripts.mkdir()
    (scripts / "harness").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
    (scripts / "harness").chmod(0o755)
    path = os.pathsep.join([str(scripts), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {
        **os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HARNESS_CACHE": str(cache), "NO_COLOR": "1", **more,
    }  # fmt: skip


def _environment(cache: Path, changes: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "HARNESS_CACHE": str(cache),
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "HARNESS_TRACEBACK": "1",
        **changes,
    }


def _checked(done: CompletedProcess, code: int | None) -> CompletedProcess:
    if code is not None:
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _inline(command: list[str], folder: Path) -> list[str]:
    """The command with the executor `inline`, unless it or its `--config` names one."""
    if not command or command[0] not in RUNS_CELLS or "--executor" in command:
        return command
    if "--config" in command:
        place = command.index("--config") + 1
        try:
            config = yaml.safe_load((folder / command[place]).read_text(encoding="utf-8"))
        except (IndexError, OSError, ValueError, RecursionError, yaml.YAMLError):
            config = None
        if isinstance(config, dict) and "executor" in config:
            return command
    return [command[0], "--executor", "inline", *command[1:]]


@contextmanager
def _as_if_alone(
    folder: Path, environment: dict[str, str], argv: list[str], output: io.TextIOWrapper, errors: io.TextIOWrapper
) -> Iterator[None]:
    """The global state that a fresh process has, as far as the command line looks at it or changes it."""
    before = Path.cwd(), dict(os.environ), sys.argv, sys.stdout, sys.stderr, list(sys.path)
    threads = _torch_threads()
    added = plugins.snapshot()
    levels = {name: logging.getLogger(name).level for name in ("", "transformers", "datasets", "huggingface_hub")}
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv, sys.stdout, sys.stderr = argv, output, errors
        with warnings.catch_warnings():
            warnings.resetwarnings()
            for action, category in DEFAULT_FILTERS:
                warnings.simplefilter(action, category)  # type: ignore[arg-type]
            warnings.showwarning = _print_warning
            yield
    finally:
        where, variables, sys.argv, sys.stdout, sys.stderr, sys.path = before
        os.chdir(where)
        os.environ.clear()
        os.environ.update(variables)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if threads is not None and _torch_threads() != threads:
            sys.modules["torch"].set_num_threads(threads)
        plugins.restore(added)
        for module, name in CACHES:
            if module in sys.modules:
                getattr(sys.modules[module], name).cache_clear()


def _print_warning(message, category, filename, lineno, file=None, line=None) -> None:
    (file or sys.stderr).write(warnings.formatwarning(message, category, filename, lineno, line))


def _torch_threads() -> int | None:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch is not None and hasattr(torch, "get_num_threads") else None


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    """Left open: a library may have kept it, to write to it later."""
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
