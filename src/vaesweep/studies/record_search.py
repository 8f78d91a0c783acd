"""The record of a search, from optuna's trials."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from vaesweep.records.search_record import SearchRecord
from vaesweep.studies.search_space import written_settings

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

STATUS = {"COMPLETE": "completed", "FAIL": "failed", "PRUNED": "pruned"}
"""How a trial ended, by optuna's name of its state."""
MIN_TRIALS = 10
"""Completed trials from which importances are estimated."""


def record_of(study: "optuna.Study", metrics: Sequence[str], ended: Sequence["FrozenTrial"]) -> SearchRecord:
    """The record of the trials that have `ended`, in the order in which they did."""
    import optuna

    trials = [
        {
            "settings": written_settings(trial),
            "status": STATUS[trial.state.name],
            "values": trial.values if trial.state.name == "COMPLETE" else None,
        }
        for trial in sorted(ended, key=lambda trial: (trial.datetime_complete is None, trial.datetime_complete))
    ]
    record = SearchRecord(metrics, trials)
    if record.count("completed") >= MIN_TRIALS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the estimate for one of two metrics is experimental
            record.importances = {
                metric: optuna.importance.get_param_importances(study, target=partial(value_of, i))
                for i, metric in enumerate(metrics)
                if len({trial["values"][i] for trial in record.trials if trial["values"]}) > 1
            }
    return record


def value_of(index: int, trial: "FrozenTrial") -> float:
    """A completed trial's value of one of the metrics."""
    return trial.values[index]
