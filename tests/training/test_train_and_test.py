"""What a run is built from, and a limit in time."""

import json

import pytest

from vaesweep.errors import ConfigError
from vaesweep.training.build_parts import build_data
from vaesweep.training.run_and_record import run


@pytest.mark.slow
def test_training_ends_with_its_time(config, tmp_path):
    run(config("model=ae", "trainer.max_time=00:00:00:01", "trainer.max_epochs=100000"))
    record = json.loads((tmp_path / "run" / "results.json").read_text())
    assert record["status"] == "completed"
    assert 1 <= record["epochs"] < 100000
    assert record["seconds"] < 10


@pytest.mark.parametrize("key", ["model", "data", "callbacks.best", "logger.wandb"])
def test_a_target_that_makes_something_else_is_refused_by_its_key(config, key):
    with pytest.raises(ConfigError, match=rf"^{key}: got a builtins.dict; allowed: a class that inherits from "):
        run(config("model=vae", f"{key}._target_=builtins.dict"))


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("overfit_batches=0.001", "overfit_batches: got 0.001; .* a share of at least 1/3$"),
        ("overfit_batches=0.3", "overfit_batches: got 0.3; .* a share of at least 1/3$"),
        ("val_check_interval=21", "val_check_interval: got 21; allowed: a number of batches up to 20, or a share$"),
    ],
)
def test_batches_that_training_does_not_have_are_refused(config, override, line):
    with pytest.raises(ConfigError, match=rf"^trainer.{line}"):
        build_data(config("data=digits", f"+trainer.{override}"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_share_of_less_than_a_batch_is_refused_before_anything_is_left(config, tmp_path, split):
    composed = config("data=digits", f"+trainer.limit_{split}_batches=0.001")
    with pytest.raises(ConfigError, match=rf"trainer.limit_{split}_batches: got 0.001; .* a share of at least 1/\d+$"):
        build_data(composed)
    assert list((tmp_path / "run").iterdir()) == []
