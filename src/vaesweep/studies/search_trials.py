"""The trials of a search: what is drawn for them, what optuna is told of them, and what they found."""

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.utils import JobReturn, JobStatus

from vaesweep.errors import ConfigError
from vaesweep.records.search_record import SearchRecord

if TYPE_CHECKING:
    import optuna

Suggest = Callable[["optuna.Trial"], Any]
"""Draws the value of a setting for a trial."""
SWEEPER = "sweeper"
"""What a trial says of the process that asked for it: the name of its lock."""
PRUNED = "pruned"
"""What a trial says that was stopped early."""
STATUS = {"COMPLETE": "completed", "FAIL": "failed", "PRUNED": "pruned"}
"""How a trial ended, by optuna's name of its state."""
MIN_TRIALS = 10
"""Completed trials from which importances are estimated."""


def suggestion(key: str, override: Override) -> Suggest:
    """How a trial draws the value of a setting."""
    sweep = override.value()
    if not isinstance(sweep, IntervalSweep):
        choices = list(override.sweep_string_iterator())
        if not choices:
            raise ConfigError(key, override.input_line, "one value or more")
        return lambda trial: trial.suggest_categorical(key, choices)
    low, high, is_log = sweep.start, sweep.end, "log" in sweep.tags
    if unknown := sweep.tags - {"log", "int"}:
        raise ConfigError(key, f"the tag {', '.join(sorted(unknown))}", "log | int")
    if low is None or high is None or not -math.inf < low < high < math.inf or (is_log and low <= 0):
        raise ConfigError(key, f"an interval from {low} to {high}", "two numbers that rise, for tag(log, ...) above 0")
    if "int" in sweep.tags:
        least, most = math.ceil(low), math.floor(high)
        if least > most:
            raise ConfigError(
                key, f"an interval from {low} to {high}", "one with a whole number in it, for tag(int, ...)"
            )
        return lambda trial: trial.suggest_int(key, least, most, log=is_log)
    return lambda trial: trial.suggest_float(key, low, high, log=is_log)


def first_settings(settings: Mapping[str, Any], space: Mapping[str, Suggest], fixed: Collection[str]) -> dict[str, Any]:
    """The settings of a trial that the user chose, as they would be drawn, without those that are `fixed`.

    Raises `ConfigError` for any that would not be drawn.
    """
    chosen = {}
    for key, value in settings.items():
        if key in fixed:
            continue
        if key not in space:
            raise ConfigError("hydra.sweeper.first", key, f"a setting that is searched: {', '.join(space)}")
        try:
            chosen[key] = as_drawn(key, value, space[key])
        except (TypeError, ValueError, UserWarning):
            raise ConfigError("hydra.sweeper.first", f"{key}={value}", f"a value that {key} is drawn from") from None
    return chosen


def as_drawn(key: str, value: Any, suggest: Suggest) -> Any:
    """A value as a trial would draw it: choices are text. Raises ValueError or UserWarning for any other."""
    from optuna.trial import FixedTrial

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # optuna warns of a number out of range
        try:
            return suggest(FixedTrial({key: value}))  # type: ignore[arg-type]
        except ValueError:
            return suggest(FixedTrial({key: str(value)}))  # type: ignore[arg-type]


def begun(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    """The trials that have settings; a process that is killed as it asks for one leaves it without."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.params and SWEEPER in trial.user_attrs]


def written(value: Any) -> str:
    """A value as an override has it: of a drawn number four digits, for the names of folders."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def written_settings(trial: "optuna.trial.FrozenTrial") -> dict[str, str]:
    """The settings of a trial as overrides have them: trials in which they are the same are one job."""
    return {key: written(value) for key, value in trial.params.items()}


def earlier_result(
    study: "optuna.Study", number: int, settings: Mapping[str, Any]
) -> "optuna.trial.FrozenTrial | None":
    """The trial that has ended with the same settings, as they are written: it is the same job, in the same folder."""
    texts = {key: written(value) for key, value in settings.items()}
    for trial in begun(study):
        if trial.number != number and trial.state.is_finished() and written_settings(trial) == texts:
            return trial
    return None


def is_dead(lock: Path) -> bool:
    """Whether the process that held a lock is no more."""
    try:
        with FileLock(lock, timeout=0):
            lock.unlink(missing_ok=True)
            return True
    except Timeout:
        return False


def tell(study: "optuna.Study", number: int, job: JobReturn) -> None:
    """Tell the study what became of a trial: its values, that it failed, or that it was pruned."""
    import optuna

    states = optuna.trial.TrialState
    value = job.return_value if job.status == JobStatus.COMPLETED else math.nan
    values = list(value) if isinstance(value, Sequence) else [value]
    if not all(math.isfinite(value) for value in values):
        study.tell(number, state=states.FAIL)
    elif is_pruned(study, number):
        study.tell(number, state=states.PRUNED)
    else:
        study.tell(number, values)


def is_pruned(study: "optuna.Study", number: int) -> bool:
    """Whether the job of a trial was stopped early, for this trial or for one with the same settings."""
    trials = study.get_trials(deepcopy=False)
    same = [trial for trial in trials if written_settings(trial) == written_settings(trials[number])]
    return any(trial.user_attrs.get(PRUNED) for trial in same)


def update(record: SearchRecord, study: "optuna.Study") -> SearchRecord:
    """The record with the trials that have ended so far."""
    import optuna

    ended = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    ended.sort(key=lambda trial: (trial.datetime_complete is None, trial.datetime_complete))
    record.trials = [
        {
            "settings": written_settings(trial),
            "status": STATUS[trial.state.name],
            "values": trial.values if trial.state.name == "COMPLETE" else None,
        }
        for trial in ended
    ]
    if record.count("completed") >= MIN_TRIALS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the estimate for one of two metrics is experimental
            record.importances = {
                metric: optuna.importance.get_param_importances(study, target=partial(value_of, i))
                for i, metric in enumerate(record.metrics)
                if len({trial["values"][i] for trial in record.trials if trial["values"]}) > 1
            }
    return record


def value_of(index: int, trial: "optuna.trial.FrozenTrial") -> float:
    """A completed trial's value of one of the metrics."""
    return trial.values[index]


def conclusion(record: SearchRecord) -> str:
    """A line for each of the best trials."""
    front = sorted(record.front(), key=lambda trial: trial["values"])
    lines = [f"{len(record.trials)} trials; the {'front' if len(record.metrics) > 1 else 'best'}:"]
    for trial in front:
        values = ", ".join(f"{name} {value:.2f}" for name, value in zip(record.metrics, trial["values"], strict=True))
        lines.append(f"  {values}: {' '.join(f'{key}={value}' for key, value in trial['settings'].items())}")
    return "\n".join(lines)
