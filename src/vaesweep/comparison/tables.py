"""From runs to tables: a row a run, a row a setting over its seeds, the Pareto front, the slopes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from vaesweep.comparison.reading import Run
from vaesweep.results import canonical, flat

SEEDS = ("seed", "data.seed")
TESTED = ("distortion", "kl", "nelbo", "mse", "active_units", "sparsity", "contraction")
METRICS = (*TESTED, "overfit_gap", "seconds")
"""What is compared: nats per image, but for mse (per pixel), dimensions, the penalties' own units, and seconds."""
LOWER_IS_BETTER = ("distortion", "nelbo", "mse", "seconds")
BETA = "model.beta"


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a run, sorted by what it was told; the index is the run's place in `runs`.

    `series` is the member with all that was varied but a rate's beta; `setting` is the same with beta, so that the
    runs of a setting differ in their seeds alone. Metrics are of the test split, and missing where a member has no
    such term or a run did not get that far.
    """
    configs = [flat(canonical(run.results.config)) for run in runs]
    knobs = varied(runs, configs)
    names = short_names(knobs)
    studies = len({run.study for run in runs}) > 1
    groups = [g for g in ("choices.data", "choices.network") if len({config.get(g) for config in configs}) > 1]
    rows = []
    for run, config in zip(runs, configs, strict=True):
        results = run.results
        has_rate = "model.schedule._target_" in config
        told = {names[key]: shown(key, config[key]) for key in knobs if key in config}
        words = [f"{names[k]}={told[names[k]]}" for k in knobs if k in config and not (has_rate and k == BETA)]
        chosen = [str(config[group]) for group in groups if group in config]
        series = " ".join([f"{run.study}:"] * studies + [results.model, *chosen, *words])
        beta = float(config[BETA]) if has_rate else np.nan
        rows.append(
            {"study": run.study, "run": run.folder.name, "member": results.model, "data": results.data}
            | told
            | {"seed": results.seed, "status": results.status, "reason": results.reason, "series": series}
            | {"setting": f"{series} beta={beta:g}" if has_rate and BETA in knobs else series, "beta": beta}
            | {name: results.metrics.get(f"test/{name}") for name in TESTED}
            | {
                "overfit_gap": overfit_gap(run),
                "latent_dim": config.get("model.latent_dim"),
                "likelihood": shown("_target_", str(config.get("model.likelihood._target_", ""))),
                "epochs": results.epochs,
            }
            | {"parameters": results.parameters, "config_hash": results.config_hash, "seconds": results.seconds}
        )
    frame = pd.DataFrame(rows)
    frame = frame.astype(dict.fromkeys(METRICS, float))
    keys = ("study", "member", *names.values(), "seed", "run")
    order = sorted(range(len(rows)), key=lambda i: [natural(rows[i].get(key)) for key in keys])
    return frame.iloc[order]


def varied(runs: Sequence[Run], configs: Sequence[dict[str, Any]]) -> list[str]:
    """The knobs, seeds aside, that have several values where member, data and network are the same: what was varied."""
    seen: dict[tuple[Any, ...], set[str]] = {}
    for run, config in zip(runs, configs, strict=True):
        chosen = run.results.model, run.results.data, config.get("choices.network")
        for key, value in config.items():
            if key not in SEEDS and not key.startswith("choices."):
                seen.setdefault((*chosen, key), set()).add(str(value))
    return sorted({key for (*_, key), values in seen.items() if len(values) > 1})


def short_names(knobs: Sequence[str]) -> dict[str, str]:
    """The last part of each knob's name, or all of it where others end in the same."""
    plain = {knob: knob.removesuffix("._target_") for knob in knobs}
    ends = Counter(name.rpartition(".")[2] for name in plain.values())
    taken = {*ends} & {"study", "run", "member", "data", "seed", "status", "reason", "series", "setting", *METRICS}
    return {k: end if ends[end := n.rpartition(".")[2]] == 1 and end not in taken else n for k, n in plain.items()}


def shown(key: str, value: Any) -> Any:
    """A setting as it stands in a table: a class by its name, a list in words."""
    if key.endswith("_target_"):
        return value.rpartition(".")[2]
    return value if isinstance(value, int | float) or value is None else str(value)


def natural(value: Any) -> tuple[bool, float, str]:
    """A key to sort by: numbers by size, before words."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return not number, value if number else 0.0, str(value)


def overfit_gap(run: Run) -> float:
    """Test less training nats per image: nelbo for a member with a rate, distortion for the others."""
    term = "nelbo" if "test/nelbo" in run.results.metrics else "distortion"
    if f"train/{term}" not in run.curves or f"test/{term}" not in run.results.metrics:
        return np.nan
    return round(run.results.metrics[f"test/{term}"] - float(run.curves[f"train/{term}"].iloc[-1]), 6)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a setting over its completed runs: `NAME` and `NAME_sd` for each of METRICS, and the number of runs `n`.

    The standard deviation is that of a sample (n - 1), and missing for one run.
    """
    completed = frame[frame.status == "completed"]
    groups = completed.groupby("setting", sort=False)
    kept = groups[["study", "member", "data", "likelihood", "series", "beta", "latent_dim"]].first()
    spread = groups[list(METRICS)].std().add_suffix("_sd")
    return kept.join(groups[list(METRICS)].mean()).join(spread).join(groups.size().rename("n")).reset_index()


def pareto(means: pd.DataFrame) -> pd.DataFrame:
    """The settings that no other on the same data, by the same likelihood, beats in both rate and distortion."""
    kept = []
    for _, part in means.dropna(subset=["kl"]).groupby(["data", "likelihood"], sort=False):
        best = np.inf
        for index, row in part.sort_values(["kl", "distortion"]).iterrows():
            if row.distortion < best:
                kept.append(index)
                best = row.distortion
    return means.loc[kept]


def slopes(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """-dD/dR between neighbouring betas of a series, from runs of the same seed; mean, standard deviation, number.

    Where D + beta R is minimal over a convex trade-off, -dD/dR = beta, so that between two betas it lies between
    them (Alemi et al. 2018, sec. 4). Runs that minimise something else, with free bits or a capacity, are left out.
    """
    configs = [flat(runs[i].results.config) for i in frame.index]
    plain = [not c.get("model.free_bits") and "Capacity" not in str(c.get("model.schedule._target_")) for c in configs]
    drawn = [c.get("data.seed", 0) for c in configs]
    completed = frame.assign(drawn=drawn)[np.array(plain) & (frame.status == "completed")].dropna(subset=["kl"])
    rows = []
    for (series, *_), ladder in completed.groupby(["series", "seed", "drawn"], sort=False):
        steps = ladder.sort_values("beta")
        for (_, low), (_, high) in zip(steps.iloc[:-1].iterrows(), steps.iloc[1:].iterrows(), strict=True):
            if 0 < low.beta < high.beta and abs(low.kl - high.kl) > 1e-3:
                slope = -(high.distortion - low.distortion) / (high.kl - low.kl)
                rows.append({"series": series, "low": low.beta, "high": high.beta, "slope": slope})
    if not rows:
        return pd.DataFrame(columns=["series", "low", "high", "slope", "sd", "n"])
    grouped = pd.DataFrame(rows).groupby(["series", "low", "high"])["slope"]
    return grouped.agg(slope="mean", sd="std", n="size").reset_index()
