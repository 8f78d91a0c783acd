"""What tests of measures share."""

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from support.compositions import compose_run
from vaesweep.evaluation import EvalContext
from vaesweep.records.results import Results
from vaesweep.training.run_and_record import run


@pytest.fixture
def context(model, digits, tmp_path):
    """An untrained model, by overrides, with the digits; its record calls it `name`, and has `seed`."""

    def make(*overrides, data=digits, name="vae", seed=0):
        made = model(*overrides, spec=data.spec)
        record = Results(name, "digits", seed, [], "0" * 16, {})
        return EvalContext(tmp_path, record, "last", made, data, torch.device("cpu"), seed=0)

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a run of two epochs, by overrides; trained once."""
    made, home = {}, tmp_path_factory.mktemp("trained")

    def train(*overrides):
        if overrides not in made:
            folder = home / str(len(made))
            folder.mkdir()
            given = ["trainer=cpu", "data=digits", "logger.wandb.mode=disabled", "callbacks=no_figures"]
            quick = ["trainer.max_epochs=2", "~callbacks.progress", "+trainer.enable_progress_bar=false"]
            composed = compose_run(*given, *quick, *overrides, folder=folder)
            (folder / ".hydra").mkdir()
            OmegaConf.save(composed, folder / ".hydra" / "config.yaml")
            run(composed)
            made[overrides] = folder
        return made[overrides]

    return train


@pytest.fixture
def copied(trained, tmp_path):
    """A run's folder of this test's own."""

    def copy(*overrides, name="run"):
        return Path(shutil.copytree(trained(*overrides), tmp_path / name))

    return copy
