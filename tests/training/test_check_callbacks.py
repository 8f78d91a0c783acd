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
