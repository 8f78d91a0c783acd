"""What a checkpoint says of the settings that its weights belong to."""

import pytest

from vaesweep.errors import ConfigError
from vaesweep.training.epoch_metrics import EpochMetrics


def resumed(kept, given):
    EpochMetrics(None, given).load_state_dict(EpochMetrics(None, kept).state_dict())


@pytest.mark.parametrize("value", [float("nan"), 4.0, [1, 2], None, "abc"])
def test_the_same_settings_go_on(value):
    resumed({"model.a": value}, {"model.a": value})


def test_a_whole_number_is_the_same_as_a_float_or_not_written():
    resumed({"model.a": 4.0}, {"model.a": 4})


def test_other_settings_are_refused():
    with pytest.raises(ConfigError, match=r"resume: got a checkpoint with model.a=nan; allowed: 4, as in the config"):
        resumed({"model.a": float("nan")}, {"model.a": 4.0})
