"""The record of a run whose settings are refused."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vaesweep.errors import ConfigError, reason
from vaesweep.records.results import FILE, Results


@contextmanager
def recorded_if_refused(config: DictConfig) -> Iterator[None]:
    """Record the run of `config` as failed when the block refuses its settings, where its folder has no record yet."""
    try:
        yield
    except ConfigError as error:
        record_refusal(config, error)
        raise


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
