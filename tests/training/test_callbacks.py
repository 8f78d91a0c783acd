"""Callbacks that are left out or added."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest

from support.run_in_process import recorded_metrics
from vaesweep.errors import ConfigError
from vaesweep.records.results import Results
from vaesweep.training.callbacks import ExampleImages
from vaesweep.training.run_and_record import run

SHORT = ["model=ae", "trainer.max_epochs=2"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["best", "last", "history", "example_images", "graceful_stop", "timer"])
def test_a_run_does_without_any_of_its_callbacks(config, tmp_path, name):
    assert recorded_metrics(config(*SHORT, f"~callbacks.{name}"))["test/loss"] > 0
    assert Results.read(tmp_path / "run").seconds > 0


@pytest.mark.parametrize("channels", [2, 4])
def test_images_that_no_picture_can_show_are_refused_before_training(tmp_path, channels):
    module = SimpleNamespace(model=SimpleNamespace(image_shape=(channels, 8, 8)))
    line = (
        rf"callbacks.example_images: got images of {channels} channels; allowed: 1 \(grey\) or 3 \(RGB\), or ~callbacks"
    )
    with pytest.raises(ConfigError, match=line):
        ExampleImages(str(tmp_path), 3).on_fit_start(None, module)


def test_the_best_weights_need_a_callback_that_keeps_them(config):
    line = r"test_checkpoint: got best without a ModelCheckpoint that monitors a metric; allowed: last, or callbacks .*"
    with pytest.raises(ConfigError, match=line):
        run(config(*SHORT, "~callbacks.best", "test_checkpoint=best"))


@pytest.mark.slow
def test_early_stopping_ends_a_run_that_no_longer_improves(config, tmp_path):
    stop = ["callbacks=early_stopping", "~callbacks.figures", "optimizer=adam_constant"]
    patient = ["callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=1000"]
    run(config("model=ae", "trainer.max_epochs=20", *stop, *patient))
    assert Results.read(tmp_path / "run").epochs == 2


@pytest.mark.slow
def test_debug_fast_takes_three_batches_and_logs_nothing(config, tmp_path):
    run(config("model=vae", "debug=fast", wandb=False))
    folder = tmp_path / "run"
    assert Results.read(folder).epochs == 1
    assert not (folder / "wandb").exists()
    assert not (folder / "figures").exists()


@pytest.mark.slow
@pytest.mark.nightly
def test_debug_overfit_learns_a_few_batches_by_heart(config, tmp_path):
    overfit = ["debug=overfit", "model=ae", "trainer.max_epochs=150", "optimizer.lr=3e-3", "model.latent_dim=30"]
    run(config(*overfit, wandb=False))
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    fresh = ["model=ae", "trainer.max_epochs=10", "+trainer.limit_train_batches=3", "optimizer=adam_constant"]
    run(config(*fresh, folder=tmp_path / "fresh"))
    seen = pd.read_csv(tmp_path / "fresh" / "history.csv")
    assert history["train/loss"].iloc[-1] < history["val/loss"].iloc[-1] - 1
    assert history["train/loss"].iloc[-1] < seen["train/loss"].iloc[-1]


@pytest.mark.slow
def test_debug_profile_says_where_the_time_goes(config, tmp_path):
    run(config("model=ae", "debug=profile", wandb=False))
    assert re.search(r"run_training_batch", (tmp_path / "run" / "fit-profile.txt").read_text())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Profiler")  # torch's and Lightning's own
def test_a_profile_by_torch_is_one_of_training_and_the_run_is_tested(config, tmp_path):
    few = [f"+trainer.limit_{split}_batches={count}" for split, count in (("train", 6), ("val", 1), ("test", 1))]
    profiler = "{_target_:lightning.pytorch.profilers.PyTorchProfiler,dirpath:${folder},filename:profile}"
    run(config("model=ae", "trainer.max_epochs=1", *few, f"+trainer.profiler={profiler}"))
    assert "Self CPU time total" in (tmp_path / "run" / "fit-profile.txt").read_text()
    assert not list((tmp_path / "run").glob("test-*"))
