"""Callbacks that wait for metrics."""

import pytest

from vaesweep.errors import ConfigError
from vaesweep.training.run_and_record import run


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["~callbacks.best.monitor"],
            r"callbacks.best.monitor: got null, which is that of callbacks.last too; allowed",
        ),
        (["callbacks.best.monitor=nope"], r"callbacks.best.monitor: got nope; allowed: val/loss \| .* \| val/kl \| "),
        (
            ["callbacks=early_stopping", "callbacks.early_stopping.monitor=val/nope"],
            r"callbacks.early_stopping.monitor: got val/nope; allowed: val/loss",
        ),
        (
            ["+callbacks.best.save_top_k=3"],
            r"callbacks.best.save_top_k: got 3 with one file for all, best.ckpt; allowed: 1, or callbacks.best.file",
        ),
        (
            ["callbacks.best.filename=last"],
            r"callbacks.last.filename: got last, which is that of callbacks.best too; allowed: a file of its own",
        ),
        (["callbacks.last.filename=mine"], r"callbacks.last.filename: got .*mine.ckpt; allowed: .*last.ckpt: a run is"),
        (
            ["callbacks.last.enable_version_counter=true"],
            "callbacks.last.enable_version_counter: got true; allowed: false",
        ),
        (
            ["callbacks.graceful_stop.path=${folder}/g.ckpt"],
            "callbacks.graceful_stop.path: got .*g.ckpt; allowed: .*last",
        ),
        (
            ["callbacks=early_stopping", "callbacks.early_stopping.monitor=step"],
            r"callbacks.early_stopping.monitor: got step; allowed: val/loss",
        ),
        (
            ["test_checkpoint=best", "+callbacks.best.save_top_k=0"],
            r"test_checkpoint: got best without a ModelCheckpoint that monitors a metric; allowed: last, or callbacks",
        ),
    ],
)
def test_a_metric_that_the_model_does_not_have_is_refused_before_training(config, tmp_path, overrides, line):
    with pytest.raises(ConfigError, match=f"^{line}"):
        run(config("model=vae", *overrides))
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
@pytest.mark.parametrize("monitor", ["val/kl", "val/mse", "val/nelbo", "loss"])
def test_every_metric_of_the_model_can_be_monitored(config, tmp_path, monitor):
    run(config("model=vae", f"callbacks.best.monitor={monitor}", "trainer.max_epochs=1"))
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.slow
def test_an_epoch_that_max_steps_cuts_has_no_best_and_stops_nothing(config, tmp_path):
    short = ["model=vae", "+trainer.max_steps=3", "callbacks=early_stopping", "~callbacks.figures"]
    run(config(*short))
    with pytest.raises(ConfigError, match=r"^test_checkpoint: got best of no validation; allowed: last, or training"):
        run(config(*short, "test_checkpoint=best", folder=tmp_path / "best"))
