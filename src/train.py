"""Train one model of the autoencoder family, or with -m a study of many runs: `python src/train.py --help`."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from vaesweep.records.refused_run import recorded_if_refused
from vaesweep.run_script import exit_at_once, launch, run_as_hydra_job
from vaesweep.settings.config_groups import check_groups
from vaesweep.settings.validate import check_folder, validate
from vaesweep.studies.folder_names import register_resolvers
from vaesweep.studies.hydra_command_line import check_multirun, parse
from vaesweep.studies.resume_arguments import expand_resume

register_resolvers()


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(config: DictConfig) -> float | list[float]:
    """One run, or with -m one job of a sweep; returns its `optimized_metric`."""
    return run_as_hydra_job(train, config)


def train(config: DictConfig) -> float | list[float]:
    """Check the settings, then train and test."""
    with recorded_if_refused(config):
        check_folder(config)
        validate(config)
    if "wandb" in (config.get("logger") or {}):
        import wandb.sdk.launch  # noqa: F401  as W&B does at its start, 2 s quicker while torch's modules are not there yet
    from vaesweep.training import fast_lightning_import  # noqa: F401  here, because torch takes seconds to import and --help should not
    from vaesweep.training.run_and_record import run

    return run(config)


def print_study(study: Path) -> None:
    """Print the table of a study and the command that compares its runs."""
    from vaesweep.report.print_study import print_study  # here, because pandas takes a second to import

    print_study(study)


def expand(argv: list[str]) -> list[str]:
    """The command line with `resume` replaced by what it stands for. Raises `ConfigError` where it cannot be run."""
    argv = check_multirun(expand_resume(argv))
    check_groups(parse(argv)[1])
    return argv


if __name__ == "__main__":
    launch(main, expand, print_study)
    exit_at_once()
