"""Train one member of the family: `python src/train.py --help`."""

import hydra
from omegaconf import DictConfig

from vaesweep.entry import job, launch


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(config: DictConfig) -> dict[str, float]:
    """One run, or with -m one job of a sweep; returns its test metrics."""
    from vaesweep import sooner  # noqa: F401  here, because torch takes seconds to import and --help should not
    from vaesweep.run import run

    return job(run, config)


if __name__ == "__main__":
    launch(main)
