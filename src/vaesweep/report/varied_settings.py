"""Which settings differ between runs, and what tables call them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from vaesweep.report.read_run import Run, finite

SEEDS = ("seed", "data.seed")


def varied_knobs(runs: Sequence[Run], configs: Sequence[dict[str, Any]]) -> list[str]:
    """The varied knobs, seeds aside: those with several values for the same model, data and network.

    Of a part that only some runs have, such as a callback, the class is a knob, and its settings are not for that.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for run, config in zip(runs, configs, strict=True):
        group = run.results.model, run.results.data, config.get("choices.network")
        groups.setdefault(group, []).append(config)
    knobs: set[str] = set()
    for members in groups.values():
        keys = {key for config in members for key in config if key not in SEEDS and not key.startswith("choices.")}
        varied = {key for key in keys if len({str(config[key]) for config in members if key in config}) > 1}
        missing = {key for key in keys if any(key not in config for config in members)}
        knobs |= varied | {key for key in missing if not any(part in varied | missing for part in classes_above(key))}
    return sorted(knobs)


def classes_above(key: str) -> list[str]:
    """The keys of the classes that a setting belongs to: of a.b.c these are a._target_ and a.b._target_."""
    parts = key.split(".")
    return [above for i in range(1, len(parts)) if (above := ".".join([*parts[:i], "_target_"])) != key]


def short_names(knobs: Sequence[str], metrics: Sequence[str]) -> dict[str, str]:
    """The last part of each knob's name, or all of it if others, or a column such as one of `metrics`, have it."""
    names = {knob: knob.removesuffix("._target_") for knob in knobs}
    ends = Counter(name.rpartition(".")[2] for name in names.values())
    clashes = {*ends} & {"study", "run", "model", "data", "seed", "status", "reason", "series", "setting", *metrics}
    return {k: end if ends[end := n.rpartition(".")[2]] == 1 and end not in clashes else n for k, n in names.items()}


def format_setting(key: str, value: Any) -> Any:
    """A setting as shown in a table: a class by its name, a list as text."""
    if key.endswith("_target_"):
        return str(value).rpartition(".")[2]
    # a chart takes no number that JSON, or a float, does not have
    return value if value is None or not np.isnan(finite(value)) or isinstance(value, bool) else str(value)
