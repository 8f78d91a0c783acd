"""The report's first sentences: what reconstruction costs in KL."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from vaesweep.records.search_record import SearchRecord
from vaesweep.report.beta_range_curves import ROUNDING
from vaesweep.report.comparable_runs import COMPARABLE
from vaesweep.report.lowest_within_error import choosing_split, equal_to_lowest, lowest
from vaesweep.report.metric_differences import Difference, Differences
from vaesweep.report.number_format import with_error


def headline(means: pd.DataFrame, differences: Differences) -> str:
    """What KL buys along the longest ladder of weights, and where the description is cheapest.

    `means` has a row per setting: `series`, `setting`, `beta`, `rate`, `distortion`, `nelbo`, `mse` and their `_se`,
    `n`, `val/nelbo` and the columns COMPARABLE. Only settings that compare with the ladder are ranked; without a ladder
    those that compare with each other. Errors are standard errors; a difference is one where its 95 % interval leaves
    out zero.
    """
    rated = means.dropna(subset=["rate", "distortion", "nelbo"])
    if rated.empty:
        return without_rate(means, differences)
    ladders = rated.dropna(subset=["beta"]).groupby([*COMPARABLE, "series"], sort=False)
    ladder = max((part for _, part in ladders), key=lambda part: part.beta.nunique(), default=rated.head(0))
    if ladder.beta.nunique() < 2:
        groups = [part for _, part in rated.groupby(list(COMPARABLE), sort=False)]
        several = [part for part in groups if len(part) > 1]
        if several:
            texts = [cheapest(part.assign(name=part.setting), differences) for part in several]
            sentences = [f"{text[0].upper()}{text[1:]}." for text in texts]
            return " ".join([*sentences, unranked(rated, several)]).strip()
        costs = [
            f"{row.setting}{f' at beta {row.beta:g}' * row.has_range} takes {row.nelbo:.1f} nats an image, "
            f"{row.rate:.1f} of them KL"
            for row in rows(rated)
        ]
        return "; ".join(costs) + (" (not comparable)" if len(costs) > 1 else "") + "."
    group = rated[(rated[list(COMPARABLE)] == ladder[list(COMPARABLE)].iloc[0]).all(axis=1)]
    names = [f"beta {row.beta:g}" if group.series.nunique() == 1 else row.setting for row in rows(group)]
    steps = ladder.sort_values("beta", ascending=False).reset_index(drop=True)
    place = int(steps.index[steps.setting == lowest(steps, "nelbo").setting][0])
    stops = sorted({0, place, len(steps) - 1})
    trades = [trade(steps.loc[a], steps.loc[b], differences, first=a == 0) for a, b in pairwise(stops)]
    name = f"{ladder.series.iloc[0]}: " if rated.series.nunique() > 1 else ""
    text = f"{name}{'; '.join([*trades, cheapest(group.assign(name=names), differences)])}."
    end = {0: "largest", len(steps) - 1: "smallest"}.get(place)
    if end:
        text += f" Beta {steps.beta[place]:g} is the {end} here: one beyond it may be cheaper."
    text = text if name else text[0].upper() + text[1:]
    return f"{text} {unranked(rated, [group])}".strip()


def unranked(rated: pd.DataFrame, groups: Sequence[pd.DataFrame]) -> str:
    """That the settings of some groups were not ranked with each other, and the rest of `rated` with none of them."""
    rest = len(rated) - sum(map(len, groups))
    if len(groups) > 1:
        return f"These {len(groups)} groups of settings do not compare with each other" + (
            f", and {rest} more with none of them." if rest else "."
        )
    if not rest:
        return ""
    return f"{rest} more setting{'s do' if rest > 1 else ' does'} not compare with these."


def conclusions(
    means: pd.DataFrame, differences: Differences, searches: Mapping[str, SearchRecord], curve_rows: pd.DataFrame
) -> str:
    """What each search found, what each measured curve spans, and the headline of the settings of the other studies.

    `curve_rows` are those of `beta_range_curves.curves`.
    """
    texts = [f"{f'{study}: ' * (len(searches) > 1)}{search_conclusion(record)}" for study, record in searches.items()]
    texts += curve_conclusions(curve_rows)
    others = means[~means.study.isin(list(searches))]
    if others.empty and texts:
        return " ".join(texts)
    return " ".join([*texts, headline(others, differences)])


def curve_conclusions(curve_rows: pd.DataFrame) -> list[str]:
    """What KL buys from one end to the other of the curves of each series whose runs have the same range of betas.

    Over seeds the error is the standard error of the mean. Of one seed it is as if both ends had been tested on images
    of their own: those that they share make the true one smaller.
    """
    texts = []
    for series, part in curve_rows.groupby("series", sort=False) if len(curve_rows) else ():
        runs = part.sort_values("beta").groupby("place", sort=False)
        low, high = (runs.nth(end).set_index("place") for end in (0, -1))
        bought = high.distortion - low.distortion
        paid = (low.rate - high.rate).mean()
        same_range = all(np.allclose(end.beta, end.beta.iloc[0], rtol=ROUNDING) for end in (low, high))
        if not same_range or min(paid, bought.mean()) <= 0:
            continue
        seeds = len(bought)
        error = bought.sem() if seeds > 1 else math.hypot(low.error.iloc[0], high.error.iloc[0])
        over = f"over {seeds} seeds" if seeds > 1 else "over the test images, at most; one seed"
        texts.append(
            f"One training of {series} covers the betas from {high.beta.iloc[0]:g} to {low.beta.iloc[0]:g}, where "
            f"{paid:.1f} nats of KL buy {with_error(bought.mean(), error)} nats of reconstruction"
            f"{f' (standard error {over})' * math.isfinite(error)}."
        )
    return texts


def search_conclusion(record: SearchRecord) -> str:
    """How many trials a search had, and the lowest value that it found, or the ends of its front."""
    others = ", ".join(record.not_completed())
    count = f"{len(record.trials)} trial{'s' * (len(record.trials) != 1)}{f' ({others})' if others else ''}"
    goal = f"{count} in search of the lowest {' and '.join(record.metrics)}"
    front = record.front()
    if not front:
        return f"{goal}: none has completed."
    if len(record.metrics) == 1:
        return f"{goal}: {record.text(front[0])}."
    if len(front) == 1:
        return f"{goal}: one beats all others, {record.text(front[0])}."
    ends = " to ".join(record.text(trial) for trial in (front[0], front[-1]))
    return f"{goal}: {len(front)} are on the front, where no other is lower in both. It goes from {ends}."


def rows(means: pd.DataFrame) -> list:
    """The rows as named tuples."""
    return list(means.itertuples())


def trade(high: pd.Series, low: pd.Series, differences: Differences, first: bool) -> str:
    """What the KL that is spent between two weights buys."""
    paid = differences.difference(low.setting, high.setting, "rate")
    bought = differences.difference(high.setting, low.setting, "distortion")
    span = f"from beta {high.beta:g} to {low.beta:g}"
    if not (paid.is_clear and bought.is_clear) or paid.mean < 0 or bought.mean < 0:
        changes = f"KL changes by {signed(paid)} nats and distortion by {signed(bought._replace(mean=-bought.mean))}"
        return f"{span}, {changes}" + ("" if paid.is_clear and bought.is_clear else ", not clear of their errors")
    if first:
        return f"{span}, {paid.mean:.1f} nats of KL buy {bought.mean:.1f} nats of reconstruction"
    return f"{span}, {paid.mean:.1f} more buy {'only ' * (bought.mean < paid.mean)}{bought.mean:.1f} nats"


def signed(difference: Difference) -> str:
    """A difference with its sign, and its error if it has one."""
    return ("+" if difference.mean >= 0 else "-") + with_error(abs(difference.mean), difference.error)


def cheapest(group: pd.DataFrame, differences: Differences) -> str:
    """The setting with the lowest negative ELBO of a group, and those that are not clearly above it."""
    best = lowest(group, "nelbo")
    total = f"{with_error(best.nelbo, best.nelbo_se)} nats"
    if group.nelbo_se.isna().any():
        return f"the lowest nelbo is at {best['name']}, {total} (not every setting has an error)"
    over = f"over {best.n:.0f} seeds" if best.n > 1 else "over the test images, one seed"
    split = choosing_split(group, "nelbo")
    text = f"the cheapest description, by the nelbo of {split} images, is at {best['name']}: {total}"
    text += " on test images" if split != "test" else ""
    text += f" (standard error {over})"
    equal = group[equal_to_lowest(group, "nelbo", differences)].sort_values("nelbo", kind="stable")
    others = equal["name"][equal.setting != best.setting]
    if others.empty:
        return text
    return f"{text}; {listing(others)} {'is' if len(others) == 1 else 'are'} not clearly above it"


def without_rate(means: pd.DataFrame, differences: Differences) -> str:
    """The mean squared error of settings of which none has a rate."""
    scored = means.dropna(subset=["mse"])
    if scored.empty:
        return "No run completed with a score."
    parts = []
    for _, part in scored.groupby(list(COMPARABLE), sort=False):
        best = lowest(part, "mse")
        equal = part[equal_to_lowest(part, "mse", differences)]
        of = f", the lowest of {len(part)} settings" if len(part) > 1 else ""
        others = f", not clear of {listing(equal.setting[equal.setting != best.setting])}" if len(equal) > 1 else ""
        parts.append(f"{best.setting}, {with_error(best.mse, best.mse_se, 4)} per pixel{of}{others}")
    return f"No model here has a rate; reconstruction error: {'; '.join(parts)}."


def listing(names: Iterable[str]) -> str:
    """Names as a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
