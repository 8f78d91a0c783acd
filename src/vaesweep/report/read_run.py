"""Reads one run from its folder, and says which of its parts cannot be shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from vaesweep.records.evaluation_record import FILE as EVALUATION
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.per_image_scores import read_image_scores
from vaesweep.records.results import FILE, Results
from vaesweep.settings.number_rules import FLOAT32_MAX, INT_MAX
from vaesweep.settings.rule import is_int, is_number

HISTORY, EXAMPLES = "history.csv", "examples"
COLUMNS = (
    *("study", "run", "model", "data", "seed", "status", "reason", "series", "setting", "beta", "distortion", "rate"),
    *("nelbo", "mse", "active_units", "overfit_gap", "seconds", "latent_dim", "likelihood", "epochs", "conditional"),
    *("scored", "wide", "parameters", "config_hash", "device", "has_range", "penalty", "term", "n"),
)
"""Columns of the tables of runs and of settings that no term may have for a name."""
CURVES = {
    "linear_optimum": ("beta", "rate", "distortion"),
    "rate_distortion_curve": ("beta", "rate", "distortion", "error"),
}
"""Series of a measure that are drawn over each other, by the name of the measure."""
SCORES = {"linear_optimum": ("rate", "optimal_rate", "distortion", "optimal_distortion", "excess")}
"""Values of a measure that are drawn together, by the name of the measure."""


@dataclass(frozen=True)
class Run:
    """A run with a record, in a study or alone. `history` has a row per epoch; `examples` are strips of images.

    `evaluation` is the record of its measures, if there is one; `image_scores` holds an array [N] for each metric that
    is a mean over the N test images.
    """

    study: str
    folder: Path
    results: Results
    history: pd.DataFrame
    examples: dict[str, Path]
    evaluation: EvaluationRecord | None = None
    image_scores: dict[str, np.ndarray] = field(default_factory=dict)
    is_trial: bool = False
    """Whether it is one of a search, whose settings are drawn and not those of a ladder."""

    @property
    def has_range(self) -> bool:
        """Whether it was trained for a range of betas."""
        return self.results.declaration.get("rate_weight_range") is not None


def read_run(folder: Path, study: str) -> tuple[Run, list[str]]:
    """The run in `folder`, and a line for each part of it that is left out.

    Raises ValueError, or OSError, for an invalid record. The other files may be missing.
    """
    results, warnings = shown(Results.read(folder))
    history, evaluation, image_scores = pd.DataFrame(), None, {}
    try:
        history = read_history(folder / HISTORY)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        warnings.append(f"{error}; the run is shown without its curves")
    try:
        evaluation = EvaluationRecord.read(folder)
        check_evaluation(evaluation, results)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        evaluation = None
        warnings.append(f"{error}; the run is shown without its evaluation")
    try:
        image_scores = read_image_scores(folder)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        warnings.append(f"{error}; the run is compared without its scores of single images")
    examples = {path.stem: path for path in sorted((folder / EXAMPLES).glob("*.png"))}
    damaged = [name for name, path in examples.items() if not is_picture(path)]
    warnings += [f"{EXAMPLES}/{name}.png is no picture that can be read; it is left out" for name in damaged]
    examples = {name: path for name, path in examples.items() if name not in damaged}
    return Run(study, folder, results, history, examples, evaluation, image_scores), warnings


def shown(results: Results) -> tuple[Results, list[str]]:
    """The record without those of its parts that cannot be shown, and a line for each of these."""
    warnings = []
    width = results.config.get("model", {}).get("latent_dim")
    if is_int(width) and results.dimensions and len(results.dimensions) != width:
        given = f"{len(results.dimensions)} values for {width} latent dimensions"
        warnings.append(f"{FILE}: dimensions: {given}; they are left out")
        results = replace(results, dimensions=[])
    declaration = results.declaration
    terms = declaration.get("terms", {})
    clashes = [name for name in terms if (name in COLUMNS or name.endswith("_se")) and name != declaration.get("rate")]
    if clashes:
        warnings += [f"{FILE}: declaration.terms.{name}: a table has another column of that name" for name in clashes]
        others = {name: unit for name, unit in terms.items() if name not in clashes}
        results = replace(results, declaration=declaration | {"terms": others})
    infinite = [name for name, x in results.metrics.items() if name.startswith("test/") and math.isnan(finite(x))]
    if infinite:
        warnings.append(f"{FILE}: metrics: not finite, and shown as empty: {', '.join(infinite)}")
    return results, warnings


def finite(value: Any) -> float:
    """`value` as a float, NaN where it is no number, or none that 32 bits can hold."""
    return float(value) if is_number(value) and abs(value) <= FLOAT32_MAX else np.nan


def read_history(path: Path) -> pd.DataFrame:
    """A row per epoch: `epoch`, `lr`, and the terms train/* and val/*, NaN where one is not finite.

    Raises FileNotFoundError, or ValueError in one line that names the file.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{HISTORY} is no file")
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        raise ValueError(f"{HISTORY} is no table ({error})") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError(f"{HISTORY} has rows of more fields than its first")
    if "epoch" not in table or table.empty:
        raise ValueError(f"{HISTORY} has no {'rows' if 'epoch' in table else 'column epoch'}")
    names = [name for name in table if name in ("epoch", "lr") or name.startswith(("train/", "val/"))]
    history = table[names].apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = [name for name in names if (history[name].isna() & table[name].notna()).any()]
    if wrong:
        raise ValueError(f"{HISTORY}: {wrong[0]}: not a number")
    if not (history.epoch.between(1, INT_MAX) & (history.epoch % 1 == 0)).all():
        raise ValueError(f"{HISTORY}: epoch: not a whole number of at least 1")
    return history.where(history.abs() <= FLOAT32_MAX).astype({"epoch": int})


def check_evaluation(evaluation: EvaluationRecord, results: Results) -> None:
    """Raises ValueError unless `evaluation` is of this run, and has what is drawn of its measures."""
    if evaluation.config_hash != results.config_hash:
        raise ValueError(f"{EVALUATION}: config_hash: of another configuration")
    for name, entry in evaluation.measures.items():
        key, series = f"{EVALUATION}: measures.{name}", entry["series"]
        if name == "noise_robustness" and series:
            check_series(f"{key}.series", series, ["level", *corruptions(key, entry)])
        if name in CURVES and entry["values"]:
            check_series(f"{key}.series", series, CURVES[name])
            missing = [score for score in SCORES.get(name, ()) if score not in entry["values"]]
            if missing:
                raise ValueError(f"{key}.values.{missing[0]} is missing")


def corruptions(key: str, entry: dict[str, Any]) -> list[str]:
    """The kinds of noise that were measured. Raises ValueError."""
    names = entry["settings"].get("corruptions")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key}.settings.corruptions: not a list of names")
    return names


def check_series(key: str, series: dict[str, list[Any]], names: Sequence[str]) -> None:
    """Raises ValueError unless there are series of these names, all of the same length, and not empty."""
    for name in names:
        if name not in series:
            raise ValueError(f"{key}.{name} is missing")
        if not series[name] or len(series[name]) != len(series[names[0]]):
            raise ValueError(f"{key}.{name}: not as many values as {names[0]}")


def is_picture(path: Path) -> bool:
    """Whether `path` is a PNG that is whole."""
    if not path.is_file():  # reading a pipe would never end
        return False
    try:
        with path.open("rb") as file, Image.open(file, formats=["PNG"]) as picture:
            picture.verify()
    except Exception:  # Pillow raises many types for a bad file
        return False
    return True
