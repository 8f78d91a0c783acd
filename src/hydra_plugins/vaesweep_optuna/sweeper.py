"""`hydra/sweeper=optuna`: a search by optuna for the lowest value of one metric, or for the front of two."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from vaesweep.errors import ConfigError
from vaesweep.records.config_hash import config_hash
from vaesweep.records.results import STUDY, optimized_metrics
from vaesweep.settings.check_arguments import check_choice, check_int
from vaesweep.settings.rules_by_class import TOP
from vaesweep.studies.search import SAMPLERS, Search
from vaesweep.studies.search_journal import JOURNAL
from vaesweep.studies.search_space import as_before, distribution, first_settings, sample_jobs

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

HOPELESS = 3
"""Trials at the beginning of a start that all fail, after which it stops: a setting of theirs is refused."""


@dataclass
class OptunaConf:
    """Settings of the sweeper, as `hydra.sweeper.n_trials=40`."""

    _target_: str = "hydra_plugins.vaesweep_optuna.sweeper.OptunaSweeper"
    n_trials: int = 20
    """Trials of the search in all, those that failed and those of an earlier start included."""
    n_jobs: int | None = None
    """Trials at a time; null: as many as the launcher runs at a time."""
    sampler: str = "tpe"
    """tpe | nsga2 | random."""
    seed: int = 0
    params: dict[str, str] | None = None
    first: list[dict[str, Any]] | None = None
    """Settings of the first trials, by key; what one leaves out is drawn."""


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaConf, provider="vaesweep")


class OptunaSweeper(Sweeper):
    """Asks optuna for settings, has the launcher train them, and tells optuna their `optimized_metric`.

    A value with `interval(a,b)`, `tag(log,interval(a,b))`, `tag(int,interval(a,b))`, `choice(...)`, `range(...)` or
    commas is searched. The journal in the study's folder keeps all trials: a search that was stopped goes on with the
    trials that it had begun, and processes of several machines may search in one folder. One of which the first trials
    all fail ends with the first one's error. Raises `ConfigError`.
    """

    def __init__(
        self,
        n_trials: int,
        n_jobs: int | None,
        sampler: str,
        seed: int,
        params: Mapping[str, str] | None,
        first: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        if find_spec("optuna") is None:
            raise ConfigError("hydra/sweeper", "optuna without its package", "pip install -e '.[search]' first")
        self.n_trials = check_int("hydra.sweeper.n_trials", n_trials)
        self.n_jobs = None if n_jobs is None else check_int("hydra.sweeper.n_jobs", n_jobs)
        self.sampler = check_choice("hydra.sweeper.sampler", sampler, SAMPLERS)
        self.seed, self.params = check_int("hydra.sweeper.seed", seed, 0), params or {}
        self.first = first or []

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        assert self.config is not None
        assert self.launcher is not None
        settings = OmegaConf.to_container(self.config)
        assert isinstance(settings, dict)
        TOP["optimized_metric"].check("optimized_metric", settings["optimized_metric"])
        space, fixed = self.search_space(arguments)
        folder = Path(self.config.hydra.sweep.dir)
        if (folder / JOURNAL).exists() and not self.config.resume:
            given = f"false in the folder of an earlier search, {folder}"
            raise ConfigError("resume", given, "true, or another folder")
        self.validate_batch_is_legal(sample_jobs(space, fixed))
        chosen = [first_settings(each, space, {one.partition("=")[0] for one in fixed}) for each in self.first]
        folder.mkdir(parents=True, exist_ok=True)
        search = Search(folder, optimized_metrics(self.config), self.sampler, self.seed)
        space = as_before(space, search.begun())
        search.keep_settings(fixed, self.hash_in_common(fixed))
        OmegaConf.save(self.config, folder / STUDY)
        earlier = f", {len(search.begun())} of them begun earlier" if search.begun() else ""
        print(f"{os.path.relpath(folder)}: {self.n_trials} trials{earlier}", flush=True)
        returns, failed = list[Sequence[JobReturn]](), list[bool]()
        with search.alive() as lock:
            trials = search.trials(space, chosen, self.n_trials, lock)
            while batch := list(islice(trials, self.jobs_at_a_time())):
                jobs = [[*fixed, *(f"{key}={value}" for key, value in own.items())] for _, own in batch]
                self.validate_batch_is_legal(jobs)
                numbers = ", ".join(str(search.position(number)) for number, _ in batch)
                print(f"trials {numbers} of {self.n_trials}", flush=True)
                returns.append(self.launcher.launch(jobs, initial_job_idx=sum(map(len, returns))))
                failed += [search.tell(number, job) for (number, _), job in zip(batch, returns[-1], strict=True)]
                record = search.write_record()
                none_ever = record.count("failed") == len(record.trials)
                if all(failed) and (none_ever or len(failed) >= HOPELESS):
                    _ = returns[-1][0].return_value  # raises what all of them failed for
        record = search.write_record()  # with trials of other processes, or none of this one
        print(record.front_text())
        if count := record.count("failed"):
            raise HydraException(f"{count} of {len(record.trials)} trials failed")
        return returns

    def search_space(self, arguments: list[str]) -> tuple[dict[str, "BaseDistribution"], list[str]]:
        """What is searched, by its key, and the other overrides. Of overrides given twice the later one wins."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        texts = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        overrides = {override.get_key_element(): override for override in parser.parse_overrides(texts)}
        space = {key: distribution(key, each) for key, each in overrides.items() if each.is_sweep_override()}
        if not space:
            allowed = "a setting with values to choose from, such as model.beta=tag(log,interval(0.1,10))"
            raise ConfigError("hydra/sweeper", "optuna without a setting to search", allowed)
        return space, [each.input_line or "" for key, each in overrides.items() if key not in space]

    def hash_in_common(self, fixed: list[str]) -> str:
        """The hash of what all jobs have in common."""
        assert self.config is not None
        assert self.hydra_context is not None
        config = self.hydra_context.config_loader.load_sweep_config(self.config, fixed)
        HydraConfig.instance().set_config(config)  # what `${hydra:...}` refers to
        return config_hash(config)

    def jobs_at_a_time(self) -> int:
        """Trials that are asked for before any of them has ended."""
        if self.n_jobs:
            return self.n_jobs
        if slots := getattr(self.launcher, "slots", None):  # not isinstance: Hydra imports plugins a second time
            return len(slots())
        assert self.config is not None
        return int(OmegaConf.select(self.config, "hydra.launcher.array_parallelism", default=1))
