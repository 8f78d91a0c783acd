"""Shared by all tests: small data, any model, and a run in this process."""

import atexit
import gc
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from support.compositions import compose_run
from support.paths import ROOT
from vaesweep.data import Digits, ImageDataModule
from vaesweep.models import Autoencoder, Batch, Spec
from vaesweep.settings.instantiate import build
from vaesweep.studies.folder_names import register_resolvers

DIGITS = Spec((1, 8, 8), 10, 1294)

LONGEST = ("test_cluster_launchers.py", "test_wandb_online.py")

register_resolvers()

torch.set_num_threads(1)
# for all tests, and for the processes that they start with other homes
os.environ["XDG_CACHE_HOME"] = str(ROOT / ".pytest_cache" / "caches")
# for the processes that tests start: two tests at a time, on perhaps no more than two cores
os.environ["OMP_NUM_THREADS"] = "1"
# as our scripts set it for their jobs; here, because torch reads it when it is imported, in the server that forks them
os.environ["GOMP_SPINCOUNT"] = "1000"
# runs wait until their files are on the disk, time and again: the folders of tests are in memory, where there is enough
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
# the garbage collector would look through torch again and again: a configuration is composed in 0.27 s, not in 0.44 s
gc.freeze()
atexit.register(gc.unfreeze)  # some modules report objects that are still there at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests that take longest begin first: at the end nothing would run beside them."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., DictConfig]:
    """Compose the configuration of a run in `tmp_path`, from overrides as on the command line."""

    def make(*overrides: str, folder: Path = tmp_path / "run", wandb: bool = True) -> DictConfig:
        folder.mkdir(parents=True, exist_ok=True)
        # a debug configuration and other loggers decide for themselves
        disabled = ["logger.wandb.mode=disabled"] if wandb and "logger=none" not in overrides else []
        defaults = ["trainer=cpu", "data=digits", "test_samples=1", *disabled]
        defaults += ["callbacks=no_figures"] if wandb else []
        quiet = ["~callbacks.progress", "+trainer.enable_progress_bar=false"]
        return compose_run(*defaults, *overrides, *quiet, folder=folder)

    return make


@pytest.fixture
def model(config: Callable[..., DictConfig]) -> Callable[..., Autoencoder]:
    """Build the model that some overrides describe, for images of a given shape, weights drawn from seed 0."""

    def make(*overrides: str, spec: Spec = DIGITS) -> Autoencoder:
        composed = config(*overrides)
        torch.manual_seed(0)
        made: Autoencoder = build(composed, "model", network=build(composed, "network"), spec=spec)
        return made

    return make


@pytest.fixture(scope="session")
def digits() -> ImageDataModule:
    """The digits, loaded once."""
    data = Digits(batch_size=64, val_fraction=0.1, test_fraction=0.2, binarize="none", on_device=False, seed=0)
    data.setup()
    return data


@pytest.fixture
def batch(digits: ImageDataModule) -> Batch:
    """64 digits."""
    return digits.examples(64)


@pytest.fixture(scope="session")
def mnist_root() -> str:
    """The folder with MNIST that VAESWEEP_DATA names."""
    root = os.environ.get("VAESWEEP_DATA", "")
    if not (Path(root) / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip("VAESWEEP_DATA names no folder with MNIST in it")
    return root


@pytest.fixture
def unused_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
