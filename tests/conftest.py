"""Shared by all tests: small data, one of every member, and a run in this process."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from vaesweep.data import Digits, ImageData
from vaesweep.entry import build
from vaesweep.family import Autoencoder
from vaesweep.terms import Batch, Spec

ROOT = Path(__file__).parent.parent
MEMBERS = ("ae", "denoising", "sparse", "contractive", "vae", "beta_vae", "cvae")

DIGITS = Spec((1, 8, 8), 10)

torch.set_num_threads(1)
# for the processes that tests start: two tests at a time, on perhaps no more than two cores
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., DictConfig]:
    """Compose the configuration of a run in `tmp_path`, from overrides as on the command line."""

    def make(*overrides: str, folder: Path = tmp_path / "run") -> DictConfig:
        folder.mkdir(parents=True, exist_ok=True)
        where = f"hydra.runtime.output_dir={folder}"
        defaults = ["trainer=cpu", "logger.mode=disabled", "callbacks=lean"]
        quiet = ["~callbacks.progress", "+trainer.enable_progress_bar=false"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            composed = compose("config", [where, *defaults, *overrides, *quiet], return_hydra_config=True)
        HydraConfig.instance().set_config(composed)
        with open_dict(composed):
            del composed["hydra"]
        return composed

    return make


@pytest.fixture
def member(config: Callable[..., DictConfig]) -> Callable[..., Autoencoder]:
    """Build the member that some overrides describe, for images of a given shape, weights drawn from seed 0."""

    def make(*overrides: str, spec: Spec = DIGITS) -> Autoencoder:
        composed = config(*overrides)
        torch.manual_seed(0)
        made: Autoencoder = build(composed, "model", network=build(composed, "network"), spec=spec)
        return made

    return make


@pytest.fixture(scope="session")
def digits() -> ImageData:
    """The digits, loaded once."""
    data = Digits(batch_size=64, val_fraction=0.1, test_fraction=0.2, binarize="none", on_device=False, seed=0)
    data.setup()
    return data


@pytest.fixture
def batch(digits: ImageData) -> Batch:
    """64 digits."""
    return digits.examples(64)


def noise_for(made: Autoencoder, given: Batch, seed: int = 0) -> torch.Tensor:
    """Standard normal noise as `made` wants it for `given`."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(made.noise_shape(given), generator=source, dtype=given.image.dtype)


@pytest.fixture(scope="session")
def mnist_root() -> str:
    """The folder with MNIST that VAESWEEP_DATA names."""
    root = os.environ.get("VAESWEEP_DATA", "")
    if not (Path(root) / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip("VAESWEEP_DATA names no folder with MNIST in it")
    return root


__all__ = ["MEMBERS", "ROOT", "noise_for"]
