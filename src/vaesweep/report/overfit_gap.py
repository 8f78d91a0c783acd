"""How much better a model describes its training images than test images."""

import numpy as np
import pandas as pd

from vaesweep.records.flat_config import flat
from vaesweep.report.read_run import Run, finite


def overfit_gap(run: Run) -> float:
    """Test minus training nats per image: nelbo for a model with a rate, distortion for the others.

    NaN where training was for a range of weights, and the test is of one.
    """
    if run.has_range:
        return np.nan
    term = "nelbo" if "test/nelbo" in run.results.metrics else "distortion"
    if f"train/{term}" not in run.history or f"test/{term}" not in run.results.metrics:
        return np.nan
    tested = run.history[f"train/{term}"].iloc[tested_row(run)]
    return round(finite(run.results.metrics[f"test/{term}"]) - float(tested), 6)


def tested_row(run: Run) -> int:
    """The row of a run's history whose weights were tested: the last, or with `test_checkpoint=best` the best."""
    config = flat(run.results.config)
    scores = run.history.get(config.get("callbacks.best.monitor"), pd.Series(dtype=float))
    if config.get("test_checkpoint") != "best" or scores.isna().all():
        return len(run.history) - 1
    return int(np.nanargmax(scores) if config.get("callbacks.best.mode") == "max" else np.nanargmin(scores))
