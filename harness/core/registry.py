"""Finds specs and plug-ins: the built-in folders, `--include` paths, and installed packages' entry points.

An include path is a YAML file or a folder. In a folder, `*.yaml` here, in `tasks/`, `tasks/suites/`, `suites/` and
`baselines/` are specs, and `*.py` here are plug-ins: modules that register metrics, learners, objectives,
compressors, runtimes or families when imported. A package does the same through an entry point of the group
`harness.plugins` that names its plug-in module; specs are looked for beside that module.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness.core import plugins
from harness.core.cache_folder import cache_folder
from harness.core.endpoints import PREFIX, endpoint_spec
from harness.core.errors import OF_YOUR_OWN, HarnessError, did_you_mean, unknown
from harness.core.hashing import hash_json, short
from harness.core.installation import PACKAGE, Kept, builtin_folders, state_of, state_of_specs
from harness.core.libraries import LIBRARIES, library_of
from harness.core.noise import perturbed_task
from harness.core.reading import expanded, is_file, is_folder, read_bytes
from harness.core.spec_checks import check_model_spec, check_suite, check_task
from harness.core.spec_files import kind_of, spec_files, specs_of
from harness.core.spec_table import SoundFile, SpecTable, Unread
from harness.core.specs import LIBRARY_MARK, NOISE_MARK, SHOTS_MARK, ModelSpec, SuiteSpec, TaskSpec
from harness.core.strict_spec import NAME, parse
from harness.core.strict_yaml import load_mapping
from harness.core.text import shown
from harness.core.transfer import scored_with

ENTRY_POINTS = "harness.plugins"


SHOTS = re.compile(r"[0-9]{1,4}-shot")

PLUGIN = 2**24
"""Bytes of a plug-in file."""


@dataclass(frozen=True)
class Registry:
    """Every task, suite and model spec that can be asked for by name, and the file each came from; `included` are
    folders of more tasks of a library, by its name.
    """

    tasks: SpecTable[TaskSpec]
    suites: SpecTable[SuiteSpec]
    model_specs: SpecTable[ModelSpec]
    origins: Mapping[tuple[str, str], Path]
    included: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def task(self, name: str, where: str = "") -> TaskSpec:
        """A task by name; `NAME@K-shot` is one whose model is shown K examples instead of being trained, `NAME@OTHER`
        one that is scored with the model of another, and any with `+NOISE` or
        `+ATTACK` is scored under that.
        """
        clean, plus, noise = name.partition(NOISE_MARK)
        if plus:
            return perturbed_task(self.task(clean, where), noise)
        base, at, other = name.partition(SHOTS_MARK)
        if at and other in self.tasks and not SHOTS.fullmatch(other):
            return scored_with(self.task(base, where), self.tasks[other])
        base, shots = _shots_of(name, self.tasks)
        if (asked := library_of(base)) is not None:
            library, rest = asked
            return library.task(rest, shots, self._included(base))
        if base not in self.tasks:
            raise self._unknown_task(base, where)
        task = self.tasks[base]
        if not plugins.lookup("family", task.family).trained:
            if shots:
                raise HarnessError(f"task {shown(name)}: {task.family} shows no examples; ask for {base}")
            return task.model_copy(update={"name": name, "shots": 0, "train_on": None})
        return task if shots is None else task.model_copy(update={"name": name, "shots": shots, "train_on": None})

    def group(self, name: str) -> SuiteSpec | None:
        """The tasks of a library that stand under one name; None where it is that of a single task."""
        base, at, other = name.partition(NOISE_MARK)[0].partition(SHOTS_MARK)
        if at and other in self.tasks:
            return None
        base, shots = _shots_of(name.partition(NOISE_MARK)[0], self.tasks)
        asked = library_of(base)
        return None if asked is None else asked[0].group(asked[1], shots, self._included(base))

    def _included(self, name: str) -> tuple[str, ...]:
        return self.included.get(name.partition(LIBRARY_MARK)[0], ())

    def _unknown_task(self, name: str, where: str) -> HarnessError:
        library, mark, _ = name.partition(LIBRARY_MARK)
        if mark:
            return unknown("task library", library, LIBRARIES.names(), where)
        return unknown("task", name, self.tasks, where, hint=OF_YOUR_OWN)

    def suite(self, name: str) -> SuiteSpec:
        if name not in self.suites:
            raise unknown("suite", name, self.suites, hint=OF_YOUR_OWN)
        return self.suites[name]

    def model_spec(self, name: str) -> ModelSpec:
        """A model spec by name or of a file, or one made for a local `save_pretrained` folder, a hub id or an endpoint;
        `ALIAS=MODEL` is any of these under another name. Raises HarnessError.
        """
        if name in self.model_specs:
            return self.model_specs[name]
        if name.startswith(PREFIX):
            spec = endpoint_spec(name, _plain(name.partition("#")[2]))
            check_model_spec(spec, f"model {name}")
            return spec
        alias, equals, place = name.partition("=")
        if equals and re.fullmatch(NAME, alias) and place:
            return self.model_spec(place).model_copy(update={"name": alias})
        path = expanded(name)
        if is_folder(path):
            return ModelSpec(name=folder_name(path), learner="transformer", pretrained=str(path.resolve()))
        if path.suffix in (".yaml", ".yml") and is_file(path):
            return _spec_of_model(path)
        if path.suffix == ".onnx" and path.is_file():
            graph = path.resolve()
            folder = graph.parents[1] if graph.parent.name == "onnx" else graph.parent
            named = folder_name(folder) if graph.stem == "model" else _plain(graph.stem)
            return ModelSpec(name=named, learner="transformer", pretrained=str(graph))
        if name.startswith((".", "/", "~")) or name.count("/") > 1:
            raise HarnessError(
                f"model '{name}': no such folder; --model takes a model spec, a save_pretrained folder or a hub id"
            )
        if "/" in name:
            hub_id, _, revision = name.partition("@")
            return ModelSpec(name=_plain(name), learner="transformer", pretrained=hub_id, revision=revision or None)
        raise unknown("model", name, self.model_specs, hint=OF_YOUR_OWN)

    def asked(self, names: Iterable[str]) -> dict[str, ModelSpec]:
        """The model specs asked for, by what tables call them: as they are asked for, but a folder by its name, since
        its path is nobody's business. Of two folders of one name each is told by what lies above it.

        Raises:
            HarnessError: as `model_spec` does, or a name for two models.
        """
        model_specs: dict[str, ModelSpec] = {}
        for given in names:
            model_spec = self.model_spec(given)
            weights = Path(model_spec.pretrained or "")
            is_made = given not in self.model_specs and model_spec.pretrained is not None and "=" not in given
            called = model_spec.name if weights.is_absolute() or not is_made else given
            above = [folder.name for folder in weights.parents][::-1] if is_made and weights.is_absolute() else []
            while model_specs.get(called, model_spec) != model_spec and above:
                called = _plain(f"{above.pop()}-{called}")
            if model_specs.get(called, model_spec) != model_spec:
                raise HarnessError(f"model {given}: another model of the run is called {called}; give NAME={given}")
            model_specs[called] = model_spec
        return model_specs

    def with_model_specs(self, more: Mapping[str, ModelSpec]) -> Registry:
        """A registry that knows these as well, in place of any of their names."""
        return replace(self, model_specs=self.model_specs.with_more(more))

    def default_models(self) -> list[str]:
        """The model specs of a run that names no model, cheapest first."""
        chosen = [model_spec for model_spec in self.model_specs.values() if model_spec.default]
        return [
            model_spec.name
            for model_spec in sorted(chosen, key=lambda model_spec: (_cost(model_spec), model_spec.name))
        ]


def _shots_of(name: str, tasks: Iterable[str]) -> tuple[str, int | None]:
    """The name of a task without `@K-shot`, and K. Raises HarnessError for anything else after the mark."""
    base, at, shots = name.partition(SHOTS_MARK)
    if not at:
        return base, None
    if not SHOTS.fullmatch(shots):
        hint = did_you_mean(shots, tasks)
        raise HarnessError(
            f"task {shown(name)}: after @ comes the number of examples shown, at most 9999, e.g. {base}@0-shot, or the "
            f"task whose model is scored{f'.{hint}' if hint.startswith(' Did') else ''}"
        )
    return base, int(shots.removesuffix("-shot"))


def load_registry(include: Iterable[str | os.PathLike[str]] | None = None, earlier: Iterable[str] = ()) -> Registry:
    """Read all specs and import all plug-ins. `earlier` are include paths of earlier runs, of which specs are read
    and nothing is imported.

    Raises:
        HarnessError: an include path that is not there, a bad spec, a name given twice, a plug-in that does not import.
    """
    shipped = _shipped(PACKAGE, cache_folder(), state_of_specs())
    files = [file for folder in _entry_point_folders() for file in spec_files(folder)]
    included: dict[str, tuple[str, ...]] = {}
    for path in map(Path, include or ()):
        library, mark, folder = str(path).partition(LIBRARY_MARK)
        if mark and library in LIBRARIES.names():
            if not is_folder(expanded(folder)):
                raise HarnessError(f"--include {path}: no such folder of {library}'s tasks")
            included[library] = (*included.get(library, ()), str(expanded(folder).resolve()))
            continue
        if not is_file(path) and not is_folder(path):
            raise HarnessError(f"--include {path}: no such file or folder")
        if path.is_dir():
            files += spec_files(path)
            for module in sorted(path.glob("*.py")):
                _import_file(module)
        elif path.suffix == ".py":
            _import_file(path)
        else:
            files.append(path)
    return replace(_with_earlier(_with_files(shipped, files), earlier), included=included)


def are_there_others(registry: Registry) -> bool:
    """Whether anything is known by name that does not come with this package."""
    builtin = builtin_folders()
    return any(plugins.snapshot().values()) or any(file.parent not in builtin for file in registry.origins.values())


@contextlib.contextmanager
def scoped_plugins() -> Iterator[None]:
    """What `include` registers within is forgotten at the end; what was registered before, or is installed, stays."""
    _entry_point_folders()
    before = plugins.snapshot()
    try:
        yield
    finally:
        plugins.restore(before)


def _with_earlier(registry: Registry, paths: Iterable[str]) -> Registry:
    """The registry with the specs of paths that earlier runs were given, where they are still there and say nothing
    else of a name. Their plug-ins are code, and run where they are asked for alone.
    """
    for path in map(Path, paths):
        files = spec_files(path) if is_folder(path) else [path] if path.suffix in (".yaml", ".yml") else []
        for file in files:
            with contextlib.suppress(HarnessError, OSError):
                new = [(word, spec, file) for word, spec in specs_of(file) if (word, spec.name) not in registry.origins]
                registry = _with_specs(registry, new)
    return registry


def _entry_point_folders() -> list[Path]:
    folders = []
    for entry in entry_points(group=ENTRY_POINTS):
        with plugins.refusing_exit(f"plug-in '{entry.name}' ({entry.value})"):
            try:
                module = importlib.import_module(entry.module)
            except Exception as error:
                raise HarnessError(
                    f"plug-in '{entry.name}' ({entry.value}) does not import: {plugins.reason_of(error)}"
                ) from None
        if module.__file__:
            folders.append(Path(module.__file__).parent)
    return folders


def _import_file(path: Path) -> None:
    """Import a plug-in; one that changed since is imported anew, in place of what it was. Raises HarnessError for what
    is no file, or does not import.
    """
    source = read_bytes(path, PLUGIN)
    prefix = f"{plugins.INCLUDED}{path.stem}_{short(hash_json(str(path.resolve())))}_"
    name = prefix + short(sha256(source).hexdigest())
    if name in sys.modules:
        return
    for earlier in [module for module in sys.modules if module.startswith(prefix)]:
        del sys.modules[earlier]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with plugins.refusing_exit(f"plug-in {path}"):
            spec.loader.exec_module(module)
    except HarnessError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise HarnessError(f"plug-in {path} does not import: {plugins.reason_of(error)}") from None


@cache
def _shipped(package: Path, folder: Path, state: str) -> Registry:
    """The specs of this package. What was read and checked by this code, of files in this state, is taken as it is kept
    in the cache folder.
    """
    kept = Kept("specs", package, hash_json([state_of(package), state]))
    known = kept.get("files")
    if known is not None:
        return _of_sound_files([(SoundFile(Path(path), values), names) for path, values, names in known])
    files = [file for folder in builtin_folders() for file in spec_files(folder)]
    registry = _with_files(Registry(SpecTable({}), SpecTable({}), SpecTable({}), {}), files)
    kept.put("files", [[str(file), load_mapping(file), [spec.name for _, spec in specs_of(file)]] for file in files])
    return registry


def _of_sound_files(files: Iterable[tuple[SoundFile, list[str]]]) -> Registry:
    tables: dict[str, dict[str, Any]] = {"task": {}, "suite": {}, "model spec": {}}
    origins: dict[tuple[str, str], Path] = {}
    for file, names in files:
        word, _ = kind_of(file.values, file.path)
        tables[word] |= {name: Unread(file, number) for number, name in enumerate(names)}
        origins |= {(word, name): file.path for name in names}
    return Registry(SpecTable(tables["task"]), SpecTable(tables["suite"]), SpecTable(tables["model spec"]), origins)


def _with_files(registry: Registry, files: Iterable[Path]) -> Registry:
    """The registry with the specs in these files. Raises HarnessError for a bad one, or a name given twice."""
    new: list[tuple[str, Any, Path]] = []
    origins = dict(registry.origins)
    for file in files:
        for word, spec in specs_of(file):
            origin = origins.setdefault((word, spec.name), file)
            if origin is file:
                new.append((word, spec, file))
            elif origin.resolve() != file.resolve():
                raise HarnessError(f"{word} '{spec.name}' is defined twice: in {origin} and in {file}")
    return _with_specs(registry, new)


def _with_specs(registry: Registry, new: Iterable[tuple[str, Any, Path]]) -> Registry:
    """The registry with specs, each with the word for its kind and its file. Names inside them must lead somewhere.
    Raises HarnessError.
    """
    tables: dict[str, dict[str, Any]] = {"task": {}, "suite": {}, "model spec": {}}
    origins = dict(registry.origins)
    for word, spec, file in new:
        tables[word].setdefault(spec.name, spec)
        origins[word, spec.name] = file
    tasks, suites, model_specs = tables.values()
    more = Registry(
        registry.tasks.with_more(tasks),
        registry.suites.with_more(suites),
        registry.model_specs.with_more(model_specs),
        origins,
    )
    for name, task in tasks.items():
        file = origins["task", name]
        check_task(task, str(file), is_built_in=file.parent in builtin_folders())
        if task.train_on is not None:
            more.task(task.train_on, str(file))
    for name, suite in suites.items():
        where = str(origins["suite", name])
        for task_name in suite.tasks:
            more.task(task_name, where)
        check_suite(suite, more.model_specs, where)
    for name, model_spec in model_specs.items():
        check_model_spec(model_spec, str(origins["model spec", name]))
    return more


def _spec_of_model(file: Path) -> ModelSpec:
    """The model spec in a file that was given in place of a name."""
    values = load_mapping(file)
    word, kind = kind_of(values, file)
    if kind is not ModelSpec:
        raise HarnessError(f"--model {file}: it holds a {word}, not a model spec; give it with --include")
    model_spec = parse(ModelSpec, values, str(file))
    check_model_spec(model_spec, str(file))
    return model_spec


def folder_name(folder: Path) -> str:
    """What a model folder is called: its last name; of a cell's in a results folder the beginning of the key."""
    path = folder.resolve()
    in_store = path.name == "model" and re.fullmatch(r"[0-9a-f]{64}", path.parent.name)
    return _plain(path.parent.name[:12] if in_store else path.name)


def _plain(name: str) -> str:
    """A name of letters, digits and `._-` from a path or hub id."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in name)
    return plain.lstrip("._-") or "model"


def _cost(model_spec: ModelSpec) -> float:
    """Of a nominal fit, to put model specs in order; unknown is last."""
    cost = plugins.lookup("learner", model_spec.learner).estimate(model_spec, None, examples=1000, words=10_000)
    return float("inf") if cost is None else cost
