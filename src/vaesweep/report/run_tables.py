"""Tables of runs: a row per run, a row per setting over its seeds."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from vaesweep.records.flat_config import canonical, flat
from vaesweep.report.comparable_runs import COMPARABLE, scored_data, widest_dense_code
from vaesweep.report.overfit_gap import overfit_gap
from vaesweep.report.printable_text import printable
from vaesweep.report.read_run import Run, finite
from vaesweep.report.varied_settings import format_setting, short_names, varied_knobs

COMMON = ("distortion", "rate", "nelbo", "mse", "active_units")
"""Metrics that any model may have: nats per image, but for mse (per pixel) and dimensions."""
COSTS = ("overfit_gap", "seconds")
IMAGE_MEANS = ("distortion", "rate", "nelbo", "mse")
"""Metrics that are means over images: each has its standard error, and its value on the validation split."""


def penalty_units(runs: Sequence[Run]) -> dict[str, str]:
    """The units of all terms that some run declares beside its rate, by name."""
    units: dict[str, dict[str, None]] = {}
    for run in runs:
        declaration = run.results.declared
        for name in declaration.penalties:
            units.setdefault(name, {})[declaration.terms[name]] = None
    return {name: " | ".join(alternatives) for name, alternatives in units.items()}


def metric_names(frame: pd.DataFrame) -> list[str]:
    """The columns of `frame` that hold metrics, in the order of a table."""
    return [*COMMON, *frame.attrs["penalties"], *COSTS]


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run, sorted by its settings; the index is the run's place in `runs`.

    `series` is the model with all varied settings except the weight of its rate; `setting` is the same with that
    weight, `beta`, so that the runs of a setting differ only in their seeds. The trials of a search are one series
    without a beta. A varied setting has a column of its own, by its whole name where another column has the short one:
    `model.beta` for weights of trials, and for those of what is no rate. Metrics are of the
    test split, and missing if a model has no such term or a run ended earlier; `NAME_se` is the standard error over
    its images, `val/NAME` the metric of the validation split. `attrs["penalties"]` are the units of the terms other
    than the rate, by name. The columns COMPARABLE say which runs may be ranked.
    """
    configs = [flat(canonical(run.results.config)) for run in runs]
    knobs = varied_knobs(runs, configs)
    penalties = penalty_units(runs)
    names = short_names(knobs, [*COMMON, *penalties, *COSTS])
    studies = len({run.study for run in runs}) > 1
    code_limit = widest_dense_code(runs, configs)
    parts = [(run.results.data, config.get("choices.network")) for run, config in zip(runs, configs, strict=True)]
    varied_parts = [i for i in (0, 1) if len({part[i] for part in parts}) > 1]
    rows: list[dict[str, Any]] = []
    settings: list[dict[str, Any]] = []
    for run, config, part in zip(runs, configs, parts, strict=True):
        results, declaration = run.results, run.results.declared
        weight = f"model.{declaration.rate_weight}"
        width = finite(config.get("model.latent_dim"))
        metrics = {name: finite(value) for name, value in results.metrics.items()}
        errors = {name: finite(value) for name, value in results.errors.items()}
        image_means = {name: declaration.rate or "" if name == "rate" else name for name in IMAGE_MEANS}
        settings.append({key: format_setting(key, config[key]) for key in knobs if key in config})
        labels = {key: printable(f"{names[key]}={value}") for key, value in settings[-1].items()}
        knob_labels = [label for key, label in labels.items() if key != weight]
        part_labels = [str(part[i]) for i in varied_parts if part[i] is not None]
        name = " ".join([f"{run.study}:"] * studies + [results.model, *part_labels])
        series = f"{name} (trials)" if run.is_trial else " ".join([name, *knob_labels])
        setting = f"{series} {labels[weight]}" if weight in labels else series
        beta = math.nan if run.is_trial else finite(results.rate_weight)
        rows.append(
            {"study": run.study, "run": printable(run.folder.name), "model": results.model, "data": results.data}
            | {names[key]: value for key, value in settings[-1].items()}
            | {"seed": results.seed, "status": results.status, "reason": results.reason, "series": series}
            | {"setting": " ".join([name, *labels.values()]) if run.is_trial else setting, "beta": beta}
            | {name: metrics.get(f"test/{name}") for name in (*COMMON, *penalties)}
            | {"rate": metrics.get(f"test/{declaration.rate}")}
            | {
                **{f"{name}_se": errors.get(f"test/{term}") for name, term in image_means.items()},
                **{f"val/{name}": metrics.get(f"val/{term}") for name, term in image_means.items()},
                "overfit_gap": overfit_gap(run),
                "latent_dim": width,
                "likelihood": format_setting("_target_", str(config.get("model.likelihood._target_", ""))),
                "epochs": results.epochs,
            }
            | {"conditional": declaration.conditional, "scored": scored_data(config)}
            | {"wide": declaration.sparse and width > code_limit}
            | {"parameters": results.parameters, "config_hash": results.config_hash, "seconds": results.seconds}
            | {"device": results.device, "has_range": run.has_range}
        )
    # such as `beta`, which is missing where it is not what a rate is weighted with
    hidden = {
        key
        for row, own in zip(rows, settings, strict=True)
        for key in own
        if row[names[key]] != own[key] and key != names[key]
    }
    for row, own in zip(rows, settings, strict=True):
        row.update({key: own[key] for key in sorted(hidden) if key in own})
    frame = pd.DataFrame(rows)
    by_split = [column for name in IMAGE_MEANS for column in (f"{name}_se", f"val/{name}")]
    frame = frame.astype(dict.fromkeys([*COMMON, *penalties, *COSTS, *by_split], float))
    own_last = [[row[key] for key in ("seed", "run")] for row in rows]
    order = sorted(
        range(len(rows)),
        key=lambda i: [
            natural_sort_key(value)
            for value in (rows[i]["study"], rows[i]["model"], *map(settings[i].get, knobs), *own_last[i])
        ],
    )
    frame = frame.iloc[order]
    frame.attrs["penalties"] = penalties
    return frame


def natural_sort_key(value: Any) -> tuple[bool, float, str]:
    """Sort key: numbers by size, before words."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return not number, value if number else 0.0, str(value)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per setting over its completed runs: `NAME` and its standard error `NAME_se`, and the number of runs `n`.

    With two runs or more it is the standard error over them, s / sqrt(n); with one it is that over its test images,
    where the metric is a mean over images. `val/NAME` are means of the validation split.
    """
    metrics = metric_names(frame)
    completed = frame[frame.status == "completed"]
    groups = completed.groupby("setting", sort=False)
    descriptions = groups[["study", "model", *COMPARABLE, "series", "beta", "has_range", "latent_dim"]].first()
    means = groups[[*metrics, *(f"val/{name}" for name in IMAGE_MEANS)]].mean()
    errors = groups[metrics].sem().add_suffix("_se")
    over_images = groups[[f"{name}_se" for name in IMAGE_MEANS]].first()
    errors = errors.where(groups.size() > 1, over_images.reindex(columns=errors.columns))
    means = descriptions.join(means).join(errors).join(groups.size().rename("n")).reset_index()
    means.attrs = frame.attrs
    return means
