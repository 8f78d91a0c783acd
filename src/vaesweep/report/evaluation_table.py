"""Measured values of runs side by side: one row per value, one column per setting."""

import json
import math
from collections.abc import Sequence

import pandas as pd

from vaesweep.report.number_format import format_value
from vaesweep.report.read_run import Run, finite

KEYS = ["measure", "value", "unit"]
ACRONYMS = {"dci", "kl", "l0", "mig", "mse", "nll", "pca", "psnr", "sap", "ssim", "svc", "vae"}


def measure_table(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """One row per value of a run: `setting`, `series`, `beta`, KEYS and `number`, in the order measured."""
    rows = [
        {"setting": row.setting, "series": row.series, "beta": row.beta}
        | {"measure": measure, "value": name, "unit": entry_value["unit"], "number": float(entry_value["value"])}
        for row in frame.itertuples()
        for measure, entry in measures(runs[row.Index])
        for name, entry_value in entry["values"].items()
    ]
    return pd.DataFrame(rows, columns=["setting", "series", "beta", *KEYS, "number"])


def values_by_run(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run, by its place in `runs`: a column MEASURE/VALUE per measured value."""
    return pd.DataFrame([run.evaluation.flat() if run.evaluation else {} for run in runs], index=range(len(runs)))


def side_by_side(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """Mean ± standard error over the runs of a setting, as text: columns KEYS and the settings, "" where missing."""
    long = measure_table(frame, runs)
    if long.empty:
        return pd.DataFrame(columns=KEYS)
    groups = long.groupby([*KEYS, "setting"], sort=False).number
    texts = groups.agg(lambda part: format_value(part.mean(), part.sem()))
    order = {measure: i for i, measure in enumerate(all_measures(runs))}
    value_table = texts.unstack("setting").reindex(
        columns=list(dict.fromkeys(frame.setting[frame.setting.isin(long.setting)]))
    )
    rank = {key: i for i, key in enumerate(dict.fromkeys(long[KEYS].itertuples(index=False, name=None)))}
    value_table = (
        value_table.loc[sorted(value_table.index, key=lambda key: (order[key[0]], rank[key]))].fillna("").reset_index()
    )
    return value_table.assign(value=value_table.value.map(display_name))


def measures(run: Run) -> list[tuple[str, dict]]:
    """Name and recorded entry of each measure of a run."""
    return list(run.evaluation.measures.items()) if run.evaluation else []


def all_measures(runs: Sequence[Run]) -> list[str]:
    """Names of all measures, in the order in which they were taken."""
    return list(dict.fromkeys(name for run in runs for name, _ in measures(run)))


def display_name(name: str) -> str:
    """A value's name for display."""
    return " ".join(word.upper() if word in ACRONYMS else word for word in name.split("_"))


def cautions(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """How far values can be trusted, one remark per line with its settings, and measures that do not compare."""
    return [
        *inconsistencies(runs),
        *other_betas(frame, runs),
        *(f"{subject}: {reason}" for subject, reason in notes(frame, runs, "remarks")),
    ]


def absences(frame: pd.DataFrame, runs: Sequence[Run]) -> list[tuple[str, str]]:
    """The measures and values that do not apply, each with its settings, and the reason."""
    return notes(frame, runs, "absent")


def notes(frame: pd.DataFrame, runs: Sequence[Run], kind: str) -> list[tuple[str, str]]:
    """What the records say of measures and values under `kind`: the measure or value with its settings, and the text.

    The settings are left out where it is said of all.
    """
    settings_by_note: dict[tuple[str, str], dict[str, None]] = {}
    for row in frame.itertuples():
        for measure, entry in measures(runs[row.Index]):
            for name, text in entry.get(kind, {}).items():
                subject = measure if name == measure else f"{measure} {display_name(name)}"
                settings_by_note.setdefault((subject, text), {})[row.setting] = None
    setting_count = len(set(frame.setting[[runs[i].evaluation is not None for i in frame.index]]))
    scopes = [
        "" if len(settings) == setting_count else f" ({', '.join(settings)})" for settings in settings_by_note.values()
    ]
    return [(subject + scope, text) for (subject, text), scope in zip(settings_by_note, scopes, strict=True)]


def inconsistencies(runs: Sequence[Run]) -> list[str]:
    """Measures that were not taken alike in all runs, one per line."""
    lines = []
    for measure in all_measures(runs):
        entries = [(run.evaluation, entry) for run in runs for name, entry in measures(run) if name == measure]
        methods = {json.dumps([e.checkpoint, e.seed, e.beta, entry["settings"]]) for e, entry in entries if e}
        if len(methods) > 1:
            lines.append(f"{measure}: not measured alike in all runs: {' | '.join(sorted(methods))}")
    return lines


def other_betas(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """The settings that were measured at another beta than the run's own, a line for each such beta."""
    settings: dict[float, dict[str, None]] = {}
    for row in frame.itertuples():
        evaluation, own = runs[row.Index].evaluation, finite(runs[row.Index].results.rate_weight)
        # training holds the weight in 32 bits
        if evaluation and evaluation.beta is not None and not math.isclose(evaluation.beta, own, rel_tol=1e-6):
            settings.setdefault(evaluation.beta, {})[row.setting] = None
    return [f"measured at beta={beta:g}, not the run's own: {', '.join(named)}" for beta, named in settings.items()]


def markdown(value_table: pd.DataFrame, warnings: Sequence[str], absent: Sequence[tuple[str, str]]) -> str:
    """The table, the cautions, and what does not apply, as Markdown."""
    heads = list(value_table.columns)
    rows = [heads, ["---", "---", "---", *["--:"] * (len(heads) - 3)], *value_table.to_numpy().tolist()]
    lines = ["| " + " | ".join(str(cell).replace("|", r"\|") for cell in row) + " |" for row in rows]
    if warnings:
        lines += ["", *(f"- {warning}" for warning in warnings)]
    if absent:
        lines += ["", "These do not apply:", "", *(f"- {subject}: {reason}" for subject, reason in absent)]
    return "\n".join([*lines, ""])
