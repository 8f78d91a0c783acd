"""What runs were measured to be, side by side: a row a measured value, a column a setting."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vaesweep.comparison.reading import Run

KEYS = ["measure", "value", "unit"]


def measured(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """A row a value of a run: `setting`, `series`, `beta`, `data`, `run`, KEYS and `number`, in the order measured."""
    rows = [
        {"setting": row.setting, "series": row.series, "beta": row.beta, "data": row.data, "run": row.run}
        | {"measure": measure, "value": name, "unit": found["unit"], "number": found["value"]}
        for row in frame.itertuples()
        for measure, entry in measures(runs[row.Index])
        for name, found in entry["values"].items()
    ]
    return pd.DataFrame(rows, columns=["setting", "series", "beta", "data", "run", *KEYS, "number"])


def side_by_side(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """Mean ± standard deviation over the runs of a setting, as text: columns KEYS and the settings, "" where absent."""
    long = measured(frame, runs)
    if long.empty:
        return pd.DataFrame(columns=KEYS)
    groups = long.groupby([*KEYS, "setting"], sort=False).number
    texts = groups.agg(lambda part: shown(part.mean(), part.std() if len(part) > 1 else np.nan))
    order = {measure: i for i, measure in enumerate(all_measures(runs))}
    wide = texts.unstack("setting").reindex(
        columns=list(dict.fromkeys(frame.setting[frame.setting.isin(long.setting)]))
    )
    rank = {key: i for i, key in enumerate(dict.fromkeys(long[KEYS].itertuples(index=False, name=None)))}
    wide = wide.loc[sorted(wide.index, key=lambda key: (order[key[0]], rank[key]))]
    return wide.fillna("").reset_index()


def measures(run: Run) -> list[tuple[str, dict]]:
    """What was measured of a run, by the measure's name."""
    return list(run.evaluation.measures.items()) if run.evaluation else []


def all_measures(runs: Sequence[Run]) -> list[str]:
    """Names of all measures, in the order in which they were taken."""
    return list(dict.fromkeys(name for run in runs for name, _ in measures(run)))


def shown(mean: float, spread: float) -> str:
    """A number to four significant digits or two decimals, whichever is shorter, and its spread likewise."""
    digits = 3 if abs(mean) < 1 else 2 if abs(mean) < 100 else 1
    return f"{mean:.{digits}f}" + ("" if np.isnan(spread) else f" ± {spread:.{digits}f}")


def absences(frame: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """Why a value is missing: a line a reason, with the settings that it holds for."""
    said: dict[tuple[str, str], dict[str, None]] = {}
    for row in frame.itertuples():
        for measure, entry in measures(runs[row.Index]):
            for name, reason in entry["absent"].items():
                what = measure if name == measure else f"{measure} {name}"
                said.setdefault((what, reason), {})[row.setting] = None
    everyone = len(set(frame.setting[[runs[i].evaluation is not None for i in frame.index]]))
    lines = []
    for (what, reason), settings in said.items():
        where = "" if len(settings) == everyone else f" ({', '.join(settings)})"
        lines.append(f"{what}{where}: {reason}")
    return lines


def markdown(wide: pd.DataFrame, reasons: Sequence[str]) -> str:
    """The table and the reasons, for a README."""
    heads = list(wide.columns)
    rows = [heads, ["---", "---", "---", *["--:"] * (len(heads) - 3)], *wide.to_numpy().tolist()]
    lines = ["| " + " | ".join(str(cell).replace("_", " ").replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", *(f"- {reason}" for reason in reasons), ""])
