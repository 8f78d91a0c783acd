"""What jobs are called."""

import re

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from support.paths import ROOT


@pytest.fixture
def name(tmp_path):
    """The folder of the job that some overrides make, in a study."""

    def make(*overrides):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            composed = compose("config", [f"hydra.sweep.dir={tmp_path}", *overrides], return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        return composed.hydra.sweep.subdir

    return make


def identity(name):
    return re.fullmatch(r".+_([0-9a-f]{8})", name)[1]


@pytest.mark.slow
def test_a_job_says_what_it_was_told(name):
    assert re.fullmatch(
        r"beta_vae_mlp_mnist_beta=4_seed=3_[0-9a-f]{8}", name("model=beta_vae", "data=mnist", "model.beta=4", "seed=3")
    )
    assert "mode" not in name("model=vae", "logger.wandb.mode=disabled")
    odd = name("network.hidden=[40,20]", "data=folder", "data.path=/a b/c*")
    assert re.fullmatch(r"beta_vae_mlp_folder_hidden=-40-20-_path=-a-b-c-_[0-9a-f]{8}", odd)
    assert len(name(f"data.path=/{'x' * 300}", "data=folder")) < 120


@pytest.mark.slow
def test_what_does_not_change_the_result_does_not_change_the_name(name):
    plain = identity(name("model.beta=3", "seed=1"))
    assert plain == identity(name("seed=1", "model.beta=3"))
    assert plain == identity(name("seed=1", "model.beta=3.0", "logger.wandb.mode=online", "resume=true", "trainer=cpu"))
    others = [name("model.beta=3", "seed=2"), name("model=cvae", "model.beta=3", "seed=1"), name("seed=1")]
    assert len({plain, *map(identity, others)}) == 4


@pytest.mark.slow
def test_a_job_keeps_the_folder_that_it_has(name, tmp_path):
    """However it was told the same: its place in a study is that of its configuration."""
    first = name("model.beta=4", "seed=1")
    (tmp_path / first).mkdir()
    assert name("seed=1", "model.beta=4", "callbacks=no_figures", "callbacks.example_images.count=3") == first
