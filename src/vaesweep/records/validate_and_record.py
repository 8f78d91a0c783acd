"""Validates the settings of a job, and records one that is refused."""

from contextlib import suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vaesweep.errors import ConfigError, reason
from vaesweep.records.results import FILE, Results
from vaesweep.settings.validate import validate


def validate_and_record(config: DictConfig) -> None:
    """Validate the configuration of a Hydra job. A refused one is recorded as failed, where the folder has no record.

    Raises `ConfigError`, or Hydra's for a value that is missing.
    """
    try:
        check_folder(config)
        validate(config)
    except ConfigError as error:
        record_refusal(config, error)
        raise


def check_folder(config: DictConfig) -> None:
    """Refuse a folder of the run that is not Hydra's. Raises `ConfigError`."""
    if str(config.folder) != str(HydraConfig.get().runtime.output_dir):
        allowed = "as Hydra makes it: hydra.run.dir=FOLDER for a run, hydra.sweep.dir=FOLDER for a study"
        raise ConfigError("folder", config.folder, allowed)


def record_refusal(config: DictConfig, error: ConfigError) -> None:
    """Write results.json for a run that is refused, and in a sweep the line that says so."""
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    if (folder / FILE).exists():  # what an earlier session left is worth more
        return
    with suppress(Exception):  # a configuration that is refused may be too broken to be recorded
        results = Results.from_config(config, hydra.overrides.task)
        results.status, results.reason = "failed", reason(error)
        results.write(folder)
    if hydra.mode == RunMode.MULTIRUN:
        print(f"failed {folder.name}: {error}", flush=True)
