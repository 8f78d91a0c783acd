"""Runs that are resumed with other settings, or from a checkpoint that Lightning takes for another."""

import csv
import json
import os
import signal

import pytest
import torch

from support.run_in_process import recorded_metrics
from vaesweep.errors import ConfigError
from vaesweep.training import train_and_test
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.run_and_record import run

PLAIN = "model=ae", "optimizer=adam_constant"
STOP = *PLAIN, "callbacks=early_stopping", "~callbacks.figures", "callbacks.early_stopping.min_delta=1000"


def record(folder):
    return json.loads((folder / "results.json").read_text())


def weights(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def epochs(folder):
    with (folder / "history.csv").open() as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def fails_at(step, patch):
    """Have training end at a step as by SIGKILL: with the checkpoint of the last whole epoch."""

    def fail(self, batch, batch_idx):
        if self.global_step == step:
            raise RuntimeError("killed")

    patch.setattr(LitAutoencoder, "on_train_batch_start", fail)


@pytest.mark.slow
def test_with_max_steps_a_run_goes_on_after_a_whole_epoch(config, tmp_path, monkeypatch):
    settings = *PLAIN, "+trainer.max_steps=50", "trainer.max_epochs=3", "checkpoint_every_n_seconds=0"
    whole = recorded_metrics(config(*settings, folder=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        fails_at(25, patch)
        with pytest.raises(RuntimeError):
            run(config(*settings, folder=tmp_path / "part"))
    assert recorded_metrics(config(*settings, "resume=true", folder=tmp_path / "part")) == whole
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "part")[name]), name
    assert epochs(tmp_path / "whole") == epochs(tmp_path / "part") == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("first", [20, 25])
def test_more_steps_go_on_where_fewer_ended(config, tmp_path, first):
    settings = *PLAIN, "trainer.max_epochs=3", "~callbacks.best"  # the epoch that is cut is not validated
    run(config(*settings, "+trainer.max_steps=30", folder=tmp_path / "whole"))
    run(config(*settings, f"+trainer.max_steps={first}", folder=tmp_path / "part"))
    run(config(*settings, "+trainer.max_steps=30", "resume=true", folder=tmp_path / "part"))
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "part")[name]), name
    assert epochs(tmp_path / "part") == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("fewer", [1, 2])
def test_fewer_epochs_than_there_were_are_refused_and_the_record_stays(config, tmp_path, fewer):
    folder = tmp_path / "run"
    run(config(*PLAIN, "trainer.max_epochs=3"))
    before = (folder / "results.json").read_bytes()
    line = rf"^trainer.max_epochs: got {fewer} for a run that was trained for 3 epochs; allowed: a whole number of at"
    with pytest.raises(ConfigError, match=line):
        run(config(*PLAIN, f"trainer.max_epochs={fewer}", "resume=true"))
    assert (folder / "results.json").read_bytes() == before


@pytest.mark.slow
def test_a_run_that_stopped_early_goes_on_with_more_patience(config, tmp_path):
    run(config(*STOP, "callbacks.early_stopping.patience=1", "trainer.max_epochs=5"))
    assert record(tmp_path / "run")["epochs"] == 2
    run(config(*STOP, "callbacks.early_stopping.patience=3", "trainer.max_epochs=5", "resume=true"))
    assert record(tmp_path / "run")["epochs"] == 4


@pytest.mark.slow
def test_a_run_whose_time_was_over_is_only_tested_when_it_is_resumed(config, tmp_path, monkeypatch):
    settings = *PLAIN, "trainer.max_epochs=100000", "trainer.max_time=00:00:00:01"
    with monkeypatch.context() as patch:
        patch.setattr(LitAutoencoder, "on_test_epoch_start", lambda self: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit, match="143"):
            run(config(*settings))
    before = weights(tmp_path / "run")
    run(config(*settings, "resume=true"))
    assert all(torch.equal(value, before[name]) for name, value in weights(tmp_path / "run").items())


@pytest.mark.slow
def test_a_resumption_that_ends_before_training_leaves_the_record(config, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run(config(*PLAIN, "trainer.max_epochs=1"))
    before = (folder / "results.json").read_bytes()
    original = train_and_test.build_callbacks

    def signalled(config):
        os.kill(os.getpid(), signal.SIGINT)
        return original(config)

    monkeypatch.setattr(train_and_test, "build_callbacks", signalled)
    with pytest.raises(SystemExit, match="130"):
        run(config(*PLAIN, "trainer.max_epochs=2", "resume=true"))
    assert (folder / "results.json").read_bytes() == before
