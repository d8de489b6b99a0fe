"""How the verbs that make a checkpoint begin."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from harness.cli.options import Include, Out
from harness.core.launch_specs import PretrainLaunch
from harness.core.machine.calibrate import calibration
from harness.core.machine.environment import thread_variables
from harness.core.machine.results_place import results_folder
from harness.core.registry import Registry, load_registry
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.pipeline.commands.pretrain import check_output
from harness.pipeline.tracking import check_trackers


def begun(out: Out, launch: Mapping[str, Any], include: Include) -> tuple[Store, PretrainLaunch, Registry]:
    """The results folder, how it is launched, and the specs; checked, and with the threads set before torch is
    imported. Raises HarnessError.
    """
    store = Store.open(results_folder(out or "results"))
    how = parse(PretrainLaunch, dict(launch), "the command line")
    os.environ.update(thread_variables(how.threads or int(calibration()["threads"])))
    registry = load_registry(include, store.includes())
    check_output(how.output)
    check_trackers(how.track)
    return store, how, registry
