"""A search: the trials that its processes ask for, and what became of them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from filelock import FileLock, Timeout
from hydra.core.utils import JobReturn, JobStatus

from vaesweep.errors import ConfigError
from vaesweep.records.search_record import SearchRecord
from vaesweep.studies.record_search import record_of
from vaesweep.studies.search_journal import open_journal
from vaesweep.studies.search_space import written_settings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

SAMPLERS = {"tpe": "TPESampler", "nsga2": "NSGAIISampler", "random": "RandomSampler"}
SWEEPER = "sweeper"
"""What a trial says of the process that runs it: the name of its lock. A trial that is being drawn has none."""
PRUNED = "pruned"
"""What a trial says that was stopped early."""
STARTS = "starts"
"""What a search says of itself: how many processes have searched in it."""
SETTINGS = "settings"
"""What a search says of itself: what all of its jobs have in common."""
MAX_DRAWS = 20
"""Draws in a row of what other processes train after which there is taken to be nothing else to draw."""


class Search:
    """The search in `folder` for the lowest values of some metrics, gone on with or new, as one process sees it.

    Processes that search in one folder share its journal. What one of them asks for it asks under a lock of them all,
    and while it trains it holds a lock of its own, by which the others see that it is alive. Raises `ConfigError`.
    """

    def __init__(self, folder: Path, metrics: Sequence[str], sampler: str, seed: int) -> None:
        self.folder, self.metrics = folder, list(metrics)
        storage = open_journal(folder)
        import optuna

        name = " ".join(metrics)
        earlier = [study.study_name for study in optuna.get_all_study_summaries(storage)]
        if earlier and name not in earlier:
            raise ConfigError("optimized_metric", f"{name} in a search for {earlier[0]}", "the same metric as before")
        self.asking = FileLock(folder / ".search.lock")
        with self.asking:
            self.study = optuna.create_study(
                storage=storage, study_name=name, directions=["minimize"] * len(metrics), load_if_exists=True
            )
            starts = self.study.user_attrs.get(STARTS, 0)
            self.study.set_user_attr(STARTS, starts + 1)
        # another seed at every start: each would draw the settings of the first again
        self.study.sampler = getattr(optuna.samplers, SAMPLERS[sampler])(seed=seed + 1000 * starts)

    def keep_settings(self, overrides: Sequence[str], name: str) -> None:
        """Record what all jobs have in common: `overrides`, and the hash of the configuration that they make.

        Raises `ConfigError` where trials have ended whose jobs had something else in common: they would not compare.
        """
        earlier, earlier_name = self.study.user_attrs.get(SETTINGS, [overrides, name])
        has_ended = any(trial.state.name in ("COMPLETE", "PRUNED") for trial in self.begun())
        if has_ended and name != earlier_name:
            changed = [f"{each} now" for each in overrides if each not in earlier]
            changed += [f"{each} before" for each in earlier if each not in overrides]
            given = f"other settings than those of the search ({', '.join(changed)})"
            raise ConfigError("resume", given, "the same settings, or another folder")
        self.study.set_user_attr(SETTINGS, [list(overrides), name])

    def begun(self) -> list["FrozenTrial"]:
        """The trials of which all settings are drawn."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if SWEEPER in trial.user_attrs]

    @contextmanager
    def alive(self) -> Iterator[str]:
        """Context in which this process holds its own lock, whose name it gives."""
        lock = FileLock(self.folder / f".search_{uuid4().hex[:8]}.lock")
        with lock:
            yield Path(lock.lock_file).name
        Path(lock.lock_file).unlink(missing_ok=True)

    def trials(
        self, space: Mapping[str, "BaseDistribution"], first: Sequence[Mapping[str, Any]], n_trials: int, lock: str
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """Number and settings, as overrides have them, of each trial that this process runs.

        These are those that a process left which is no more, `first`, unless they are among the trials, and drawn ones.
        """
        with self.asking:
            for settings in first:
                if not self.is_known(settings):
                    self.study.enqueue_trial(dict(settings))
        while True:
            with self.asking:
                trial = self.take(lock) or self.draw(space, n_trials, lock)
            if trial is None:
                return
            yield trial.number, written_settings(trial)

    def is_known(self, settings: Mapping[str, Any]) -> bool:
        """Whether a trial has some settings, or waits to be drawn with them."""
        for trial in self.study.get_trials(deepcopy=False):
            own = trial.params if SWEEPER in trial.user_attrs else trial.system_attrs.get("fixed_params", {})
            is_trial = SWEEPER in trial.user_attrs or trial.state.name == "WAITING"
            if is_trial and settings.items() <= own.items():
                return True
        return False

    def take(self, lock: str) -> "FrozenTrial | None":
        """A trial that was left by a process that is no more, and is this one's now."""
        import optuna

        for left in self.begun():
            if not left.state.is_finished() and is_dead(self.folder / left.user_attrs[SWEEPER]):
                optuna.Trial(self.study, left._trial_id).set_user_attr(SWEEPER, lock)
                return left
        return None

    def draw(self, space: Mapping[str, "BaseDistribution"], n_trials: int, lock: str) -> "FrozenTrial | None":
        """A new trial, or None where there are enough.

        One with the settings of a trial that has ended ends as that one did: it is the same job, in the same folder.
        One with the settings of a trial that another process runs is dropped.
        """
        import optuna

        dropped = 0
        while len(self.begun()) < n_trials and dropped < MAX_DRAWS:
            trial = self.study.ask(dict(space))
            settings = written_settings(self.study.get_trials(deepcopy=False)[trial.number])
            same = [each for each in self.begun() if written_settings(each) == settings]
            ended = [each for each in same if each.state.is_finished()]
            if not ended and any(each.user_attrs[SWEEPER] != lock for each in same):
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
                dropped += 1
                continue
            trial.set_user_attr(SWEEPER, lock)
            if not ended:
                return self.study.get_trials(deepcopy=False)[trial.number]
            state = ended[0].state
            self.study.tell(trial, ended[0].values if state.name == "COMPLETE" else None, state)
        return None

    def position(self, number: int) -> int:
        """The place of a trial among those that are begun, from 1; numbers have gaps where a draw was dropped."""
        return [trial.number for trial in self.begun()].index(number) + 1

    def tell(self, number: int, job: JobReturn) -> bool:
        """Tell optuna what became of a trial: its values, that it failed, or that it was pruned; whether it failed."""
        import optuna

        states = optuna.trial.TrialState
        value = job.return_value if job.status == JobStatus.COMPLETED else math.nan
        values = list(value) if isinstance(value, Sequence) else [value]
        is_failed = not all(math.isfinite(value) for value in values)
        if is_failed:
            self.study.tell(number, state=states.FAIL, skip_if_finished=True)
        elif self.is_pruned(number):
            self.study.tell(number, state=states.PRUNED, skip_if_finished=True)
        else:
            self.study.tell(number, values, skip_if_finished=True)
        return is_failed

    def is_pruned(self, number: int) -> bool:
        """Whether the job of a trial was stopped early, for this trial or for one with the same settings."""
        trials = self.study.get_trials(deepcopy=False)
        same = [trial for trial in trials if written_settings(trial) == written_settings(trials[number])]
        return any(trial.user_attrs.get(PRUNED) for trial in same)

    def write_record(self) -> SearchRecord:
        """Write search.json, and give what it says."""
        with self.asking:  # another process would write an earlier one over it
            record = self.record()
            record.write(self.folder)
        return record

    def record(self) -> SearchRecord:
        """The record of the trials that have ended so far."""
        return record_of(self.study, self.metrics, [trial for trial in self.begun() if trial.state.is_finished()])


def is_dead(lock: Path) -> bool:
    """Whether the process that held a lock is no more."""
    try:
        with FileLock(lock, timeout=0):
            lock.unlink(missing_ok=True)
            return True
    except Timeout:
        return False
