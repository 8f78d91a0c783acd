"""The report's first sentence, what reconstruction costs in KL, and the line that says where its runs come from."""

import math
import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

import pandas as pd

from vaesweep.records.results import FILE
from vaesweep.report.best_settings import equal_to_lowest
from vaesweep.report.read_run import Run
from vaesweep.report.tables import COMPARABLE, natural


def answer(means: pd.DataFrame) -> str:
    """What KL buys along the longest ladder of weights, and where the description is cheapest, in one sentence.

    `means` has a row per setting: `series`, `setting`, `beta`, `rate`, `distortion`, `nelbo`, `nelbo_sd`, `mse`, `n`
    and the columns COMPARABLE. Only settings that compare with the ladder are ranked. Errors are standard errors over
    seeds; a difference within the combined error of two settings is none.
    """
    rated = means.dropna(subset=["rate", "distortion", "nelbo"])
    if rated.empty:
        return without_rate(means)
    ladders = rated.dropna(subset=["beta"]).groupby([*COMPARABLE, "series"], sort=False)
    ladder = max((part for _, part in ladders), key=lambda part: part.beta.nunique(), default=rated.head(0))
    if ladder.beta.nunique() < 2:
        groups = [part for _, part in rated.groupby(list(COMPARABLE), sort=False)]
        group = max(groups, key=len)
        if len(group) > 1:
            return f"No ladder of weights; {cheapest(group, list(group.setting))}."
        costs = [f"{row.setting} takes {row.nelbo:.1f} nats an image, {row.rate:.1f} of them KL" for row in rows(rated)]
        return f"No ladder of weights: {'; '.join(costs)}" + (" (not comparable)" if len(costs) > 1 else "") + "."
    group = rated[(rated[list(COMPARABLE)] == ladder[list(COMPARABLE)].iloc[0]).all(axis=1)]
    names = [f"beta {row.beta:g}" if group.series.nunique() == 1 else row.setting for row in rows(group)]
    steps = ladder.sort_values("beta", ascending=False).reset_index()
    stops = sorted({0, int(steps.nelbo.argmin()), len(steps) - 1})
    trades = [trade(steps.loc[a], steps.loc[b], first=a == 0) for a, b in pairwise(stops)]
    name = f"{ladder.series.iloc[0]}: " if rated.series.nunique() > 1 else ""
    text = f"{name}{'; '.join([*trades, cheapest(group, names)])}."
    return text if name else text[0].upper() + text[1:]


def rows(means: pd.DataFrame) -> list:
    """The rows as named tuples."""
    return list(means.itertuples())


def trade(high: pd.Series, low: pd.Series, first: bool) -> str:
    """What the KL that is spent between two weights buys."""
    paid, bought = low.rate - high.rate, high.distortion - low.distortion
    span = f"from beta {high.beta:g} to {low.beta:g}"
    if paid <= 0 or bought <= 0:
        return f"{span}, KL changes by {paid:+.1f} nats and distortion by {-bought:+.1f}"
    if first:
        return f"{span}, {paid:.1f} nats of KL buy {bought:.1f} nats of reconstruction"
    return f"{span}, {paid:.1f} more buy {'only ' if bought < paid else ''}{bought:.1f}"


def cheapest(group: pd.DataFrame, names: Sequence[str]) -> str:
    """The setting with the lowest negative ELBO of a group, or those that are equal within their error."""
    order = group.assign(name=names, se=group.nelbo_sd / group.n.map(math.sqrt)).sort_values("nelbo", kind="stable")
    best = order.iloc[0]
    if min(order.n.iloc[:2]) < 2:
        return f"the lowest total is at {best['name']}, {best.nelbo:.1f} nats (one seed: no error bar)"
    equal = order[equal_to_lowest(order, "nelbo")]
    if len(equal) > 1:
        text = listing(equal["name"]).replace("and beta", "and")
        return f"{text} are equally cheap within their error, {best.nelbo:.1f} nats"
    digits = 1 if best.se >= 0.05 else 2
    error = f"{best.nelbo:.{digits}f} ± {best.se:.{digits}f} nats"
    return f"the cheapest description is at {best['name']}, {error} (standard error over {best.n:.0f} seeds)"


def without_rate(means: pd.DataFrame) -> str:
    """The mean squared error of settings of which none has a rate."""
    scored = means.dropna(subset=["mse"])
    if scored.empty:
        return "No run completed with a score."
    parts = []
    for _, part in scored.groupby(list(COMPARABLE), sort=False):
        best = part.loc[part.mse.idxmin()]
        of = f" is the lowest mse of {len(part)} settings" if len(part) > 1 else ""
        parts.append(
            f"{best.setting}, {best.mse:.4f} per pixel{of}" + (" (one seed: no error bar)" if best.n < 2 else "")
        )
    return f"No model here has a rate; reconstruction error: {'; '.join(parts)}."


def listing(names: Iterable[str]) -> str:
    """Names as a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def provenance(runs: Sequence[Run]) -> list[str]:
    """Data, models, epochs, seeds and date of some runs."""
    results = [run.results for run in runs]
    parts = [
        ", ".join(sorted({r.data for r in results})),
        ", ".join(sorted({r.model for r in results})),
        span(sorted({r.epochs for r in results if r.epochs}), "epoch"),
        span(sorted({r.seed for r in results}), "seed"),
        datetime.fromtimestamp(max((run.folder / FILE).stat().st_mtime for run in runs)).strftime("%Y-%m-%d"),
    ]
    return [part for part in parts if part]


def span(values: Sequence[int], noun: str) -> str:
    """Numbers of epochs, or the seeds themselves, as text."""
    if not values:
        return ""
    if noun == "epoch":
        low, high = values[0], values[-1]
        return f"{high} epoch{'s' * (high != 1)}" if low == high else f"{low} to {high} epochs"
    return f"{noun}{'s' * (len(values) > 1)} {', '.join(map(str, values))}"


def command(overrides: Sequence[Sequence[str]]) -> str:
    """The command that makes runs with these overrides; where no product of values does, what they have in common."""
    jobs = [dict(override.partition("=")[::2] for override in job) for job in overrides]
    keys = list(dict.fromkeys(key for job in jobs for key in job))
    values = {key: sorted({job[key] for job in jobs if key in job}, key=number_first) for key in keys}
    shared = [key for key in keys if all(key in job for job in jobs)]
    distinct = {tuple(sorted(job.items())) for job in jobs}
    whole = len(shared) == len(keys) and len(distinct) == math.prod(map(len, values.values()))
    shown = [key for key in shared if whole or len(values[key]) == 1]
    many = whole and len(distinct) > 1
    arguments = [shlex.quote(f"{key}={','.join(values[key])}" if values[key] != [""] else key) for key in shown]
    text = " ".join(["python src/train.py", *["-m"] * many, *arguments])
    return text if whole else f"{text} ... (what all runs share)"


def number_first(value: str) -> tuple[bool, float, str]:
    """Sort key: numbers by size, before words."""
    try:
        return natural(float(value))
    except ValueError:
        return natural(value)
