"""Train one model of the autoencoder family, or with -m a study of many runs: `python src/train.py --help`."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from vaesweep.cli import launch, run_as_hydra_job
from vaesweep.studies.naming import register_resolvers
from vaesweep.studies.resume_arguments import check_multirun, expand_resume

register_resolvers()


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(config: DictConfig) -> dict[str, float]:
    """One run, or with -m one job of a sweep; returns its test metrics."""
    from vaesweep import fast_import  # noqa: F401  here, because torch takes seconds to import and --help should not
    from vaesweep.training.run_and_record import run

    return run_as_hydra_job(run, config)


def print_study(study: Path) -> None:
    """Print the table of a study and the command that compares its runs."""
    from vaesweep.report.terminal import print_study  # here, because pandas takes a second to import

    print_study(study)


if __name__ == "__main__":
    launch(main, lambda argv: check_multirun(expand_resume(argv)), print_study)
