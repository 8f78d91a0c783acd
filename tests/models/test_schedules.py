import pytest
import torch

from vaesweep.errors import ConfigError
from vaesweep.models.schedules import Capacity, Constant, Cyclical, Linear

KL = torch.tensor(10.0)


def curve(schedule, points):
    return [schedule(KL, torch.tensor(p)).item() for p in points]


def test_constant_changes_nothing():
    assert curve(Constant(), [0.0, 0.5, 1.0]) == [10.0, 10.0, 10.0]


def test_linear_warms_up_and_stays():
    assert curve(Linear(0.4), [0.0, 0.1, 0.2, 0.4, 1.0]) == pytest.approx([0, 2.5, 5, 10, 10])


def test_no_warmup_is_constant():
    assert curve(Linear(0), [0.0, 0.3]) == [10.0, 10.0]


def test_cyclical_repeats_and_ends_whole():
    points = [0.0, 0.125, 0.25, 0.5, 0.625, 0.75, 1.0]
    assert curve(Cyclical(2, 0.5), points) == pytest.approx([0, 5, 10, 10, 5, 10, 10])


def test_capacity_is_the_distance_from_a_rising_target():
    assert curve(Capacity(20.0, 0.5), [0.0, 0.25, 0.5, 1.0]) == pytest.approx([10, 0, 10, 10])


@pytest.mark.parametrize(("steps", "cycles"), [(30, 3), (7 * 121, 7), (11 * 997, 11)])
def test_every_cycle_has_one_start(steps, cycles):
    weights = [Cyclical(cycles, 0.5)(torch.tensor(1.0), torch.tensor(step / steps)).item() for step in range(steps)]
    starts = [step for step, weight in enumerate(weights) if weight < 0.5 * cycles / steps]
    assert starts == [0]
    ends = [weights[cycle * steps // cycles] for cycle in range(1, cycles)]
    assert ends == [1.0] * (cycles - 1)


@pytest.mark.parametrize("schedule", [Constant(), Linear(0.3), Cyclical(4, 0.5)])
def test_every_weight_is_whole_at_the_end(schedule):
    assert schedule(KL, torch.tensor(1.0)).item() == 10.0


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Linear(1.5), "warmup"),
        (lambda: Cyclical(0, 0.5), "cycles"),
        (lambda: Cyclical(4, -1), "ratio"),
        (lambda: Capacity(-1, 0.5), "C"),
        (lambda: Capacity(25, 2), "ramp"),
    ],
)
def test_knobs_out_of_range_are_named(make, key):
    with pytest.raises(ConfigError, match=f"^{key}: got"):
        make()
