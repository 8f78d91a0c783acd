"""Every study file: what it says of itself, and that its jobs can be built."""

import itertools

import pytest
from hydra import compose, initialize_config_dir

from support.paths import ROOT
from vaesweep.models import Spec

STUDIES = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))


def test_there_is_a_study_for_each_question():
    known = {"beta_ladder", "family", "latent_dim", "capacity", "schedules", "sparsity", "contraction", "denoising"}
    known |= {"disentanglement", "linear_optimum", "search", "target", "whole_curve"}
    assert set(STUDIES) == known


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_opens_with_its_question_and_its_command(name):
    header, question, command, *_ = (ROOT / "sweeps" / f"{name}.yaml").read_text().splitlines()
    assert header == "# @package _global_"  # which Hydra wants first
    assert question.startswith("# ")
    assert "?" in question
    assert command == f"# python src/train.py -m sweeps={name} hydra/launcher=pool"


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_every_job_of_a_study_builds_a_model(name, model):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("config", [f"sweeps={name}"], return_hydra_config=True)
    sweeper = composed.hydra.sweeper
    if composed.hydra.runtime.choices["hydra/sweeper"] == "optuna":
        grids = [{}]  # what is searched is drawn
    else:
        assert sweeper.params.seed == "0,1,2"
        params = {key: values for key, values in sweeper.params.items() if key != "seed"}
        grids = [{**params, **grid} for grid in sweeper.get("grids", {"all": {}}).values()]
    for grid in grids:
        for values in itertools.product(*(str(values).split(",") for values in grid.values())):
            given = [f"{key}={value}" for key, value in zip(grid, values, strict=True)]
            model(f"sweeps={name}", *given, spec=Spec((1, 8, 8), 10, 1294))
