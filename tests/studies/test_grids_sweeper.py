"""The sweeper of several grids: which jobs it makes, and its settings from a study's file."""

import importlib
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vaesweep.errors import ConfigError

GRIDS = {"curve": {"model": "multi_rate"}, "ladder": {"model": "beta_vae", "model.beta": "0.5,2"}}


def jobs(*overrides, batch=None, grids=GRIDS):
    # when it is used: Hydra executes the files of its plugins anew
    sweeper = importlib.import_module("hydra_plugins.vaesweep_grids.sweeper").GridsSweeper(grids, batch)
    sweeper.hydra_context = SimpleNamespace(config_loader=None)
    return sweeper.split_arguments(OverridesParser.create().parse_overrides(list(overrides)), batch)


def test_the_jobs_are_those_of_each_grid_with_what_goes_for_all():
    (batch,) = jobs("seed=0,1")
    assert batch == [
        ["model=multi_rate", "seed=0"],
        ["model=multi_rate", "seed=1"],
        ["model=beta_vae", "model.beta=0.5", "seed=0"],
        ["model=beta_vae", "model.beta=0.5", "seed=1"],
        ["model=beta_vae", "model.beta=2", "seed=0"],
        ["model=beta_vae", "model.beta=2", "seed=1"],
    ]


def test_the_command_line_replaces_values_of_the_grids():
    (batch,) = jobs("model=vae", "seed=7")
    assert batch[0] == ["model=vae", "seed=7"]


@pytest.mark.parametrize(("size", "sizes"), [(2, [2, 1]), (5, [3])])
def test_jobs_are_launched_in_batches(size, sizes):
    assert [len(batch) for batch in jobs(batch=size)] == sizes


def test_a_study_without_a_grid_is_refused():
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.grids: got none"):
        jobs("seed=0,1", grids={})
