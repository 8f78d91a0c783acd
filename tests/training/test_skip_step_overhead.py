"""What a training step is spared, and that it comes to the same."""

import os
from unittest.mock import Mock

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint

from vaesweep.training import build_parts, train_and_test
from vaesweep.training.run_and_record import run
from vaesweep.training.skip_step_overhead import STEP_HOOKS, spare_steps


class Counting(L.Callback):
    """Counts the steps that it is told of."""

    def __init__(self):
        self.steps = self.epochs = 0

    def on_train_batch_end(self, *_):
        self.steps += 1

    def on_train_epoch_end(self, *_):
        self.epochs += 1


@pytest.fixture
def restored(monkeypatch):
    """What `spare_steps` sets for the whole process is as before after the test."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    monkeypatch.setenv("PYTORCH_NVML_BASED_CUDA_CHECK", "1")


def test_only_hooks_that_a_callback_leaves_as_they_are_are_left_out(restored):
    counting, checkpoint = Counting(), ModelCheckpoint()
    trainer = L.Trainer(accelerator="cpu", logger=False, callbacks=[counting, checkpoint])
    spare_steps(trainer)
    assert [name for name in STEP_HOOKS if getattr(counting, name)] == ["on_train_batch_end"]
    assert callable(checkpoint.on_train_batch_end)
    assert checkpoint.on_train_batch_start is None
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "0"


def test_hooks_that_are_set_on_a_callback_are_its_own(restored):
    called = []
    trainer = L.Trainer(accelerator="cpu", logger=False, callbacks=[LambdaCallback(on_train_batch_end=called.append)])
    spare_steps(trainer)
    (callback,) = (one for one in trainer.callbacks if isinstance(one, LambdaCallback))
    assert [name for name in STEP_HOOKS if getattr(callback, name)] == ["on_train_batch_end"]
    callback.on_train_batch_end("told")
    assert called == ["told"]


def test_the_check_for_gpus_stays_as_it_is_where_one_is_used(restored):
    trainer = Mock(callbacks=[])
    trainer.strategy.root_device, trainer.fit_loop.epoch_loop.max_steps = torch.device("cuda", 0), -1
    spare_steps(trainer)
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_weights_are_those_of_a_run_that_is_spared_nothing(config, tmp_path, monkeypatch, restored, precision):
    states = {}
    for name, spare in (("spared", spare_steps), ("whole", lambda trainer: None)):
        monkeypatch.setattr(train_and_test, "spare_steps", spare)
        torch.utils.deterministic.fill_uninitialized_memory = name == "whole"
        settings = ["model=vae", "data.binarize=dynamic", "trainer.max_epochs=2", f"trainer.precision={precision}"]
        run(config(*settings, folder=tmp_path / name))
        states[name] = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(states["spared"][key], value) for key, value in states["whole"].items())


@pytest.mark.slow
def test_callbacks_of_the_user_are_told_of_every_step(config, monkeypatch, restored):
    counting = Counting()
    build_callbacks = train_and_test.build_callbacks
    monkeypatch.setattr(train_and_test, "build_callbacks", lambda given: [*build_callbacks(given), counting])
    composed = config("model=ae", "trainer.max_epochs=2")
    run(composed)
    assert (counting.steps, counting.epochs) == (2 * len(build_parts.build_data(composed).train_dataloader()), 2)
