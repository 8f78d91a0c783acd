"""A job of a study before it is run, and what became of it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from vaesweep.errors import ConfigError
from vaesweep.records.results import FILE, Results
from vaesweep.studies.hydra_command_line import quote
from vaesweep.studies.pool import LOG, Command


class StudyJob:
    """A composed job of the study in `study`: its folder, and the record that it has or will have.

    Raises `ConfigError` when the folder holds an earlier job and nobody asked to resume it.
    """

    def __init__(self, config: DictConfig, study: Path) -> None:
        self.config = config
        HydraConfig.instance().set_config(config)  # what `${hydra:...}` refers to
        self.folder = study / config.hydra.sweep.subdir
        self.overrides = [str(o) for o in config.hydra.overrides.task]
        self.results = Results.from_config(config, self.overrides)
        earlier = Results.load_or_none(self.folder)
        if earlier and not config.resume:
            raise ConfigError(
                "resume", f"false in the folder of an earlier job, {self.folder}", "true, or another folder"
            )
        self.before = self.stamp()
        if earlier and earlier.status == "completed" and earlier.config_hash == self.results.config_hash:
            self.results = earlier

    def stamp(self) -> int:
        """When the record was written; 0 where there is none."""
        try:
            return (self.folder / FILE).stat().st_mtime_ns
        except OSError:
            return 0

    @property
    def completed(self) -> bool:
        return self.results.status == "completed"

    @property
    def arguments(self) -> list[str]:
        """Those of a single run in the job's folder."""
        return [*self.overrides, f"hydra.run.dir={quote(self.folder)}"]

    def resume(self) -> Self:
        """The same job from its last checkpoint, where it has one by now."""
        self.overrides.append("resume=true")
        self.before = self.stamp()
        return self

    def read_record(self) -> bool:
        """Take over what the job recorded; whether it recorded anything since it was planned."""
        record = Results.load_or_none(self.folder)
        is_new = record is not None and self.stamp() != self.before
        # a job that another process completed meanwhile writes no record of its own
        same = record is not None and record.config_hash == self.results.config_hash
        if record and (is_new or (same and record.status == "completed")):
            self.results = record
        return is_new

    def finish(self, command: Command) -> str:
        """Take over what the job recorded, or record what became of it; a line for the person."""
        is_new = self.read_record()
        # a reason of the job's own is kept
        if not self.completed and (not is_new or (command.failure and self.results.status == "interrupted")):
            self.results.status, self.results.reason = "failed", command.failure or command.last_line()
            with suppress(OSError):  # a full disk: this line says so, and the other jobs go on
                self.results.write(self.folder)
        line = f"{self.results.status} {self.folder.name} in {command.seconds:.0f} s"
        if self.completed:
            return line
        log = f"its {LOG}" if command.folder == self.folder else os.path.relpath(command.folder / LOG)
        return f"{line}: {self.results.reason} (see {log})"

    def job_return(self, error: Exception) -> JobReturn:
        """What Hydra wants to know of a job."""
        return JobReturn(
            overrides=self.overrides,
            cfg=OmegaConf.masked_copy(self.config, [str(key) for key in self.config if key != "hydra"]),
            hydra_cfg=OmegaConf.masked_copy(self.config, "hydra"),
            working_dir=str(self.folder),
            task_name=self.config.hydra.job.name,
            status=JobStatus.COMPLETED if self.completed else JobStatus.FAILED,
            _return_value=self.results.optimized_metric(self.config) if self.completed else error,
        )
