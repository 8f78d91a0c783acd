import math

import pytest
import torch

from support.nightly import at_night_but
from vaesweep.errors import ConfigError
from vaesweep.models.schedules import Capacity, Constant, Cyclical, Linear, Target

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


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "cycles"), [(30, 3), (7 * 121, 7), (11 * 997, 11), (13 * 40, 13)])
def test_every_cycle_has_one_start(steps, cycles):
    weights = [Cyclical(cycles, 0.5)(torch.tensor(1.0), torch.tensor(step / steps)).item() for step in range(steps)]
    starts = [step for step, weight in enumerate(weights) if weight < 0.5 * cycles / steps]
    assert starts == [0]
    ends = [weights[cycle * steps // cycles] for cycle in range(1, cycles)]
    assert ends == [1.0] * (cycles - 1)


@pytest.mark.parametrize("schedule", [Constant(), Linear(0.3), Cyclical(4, 0.5)])
def test_every_weight_is_whole_at_the_end(schedule):
    assert schedule(KL, torch.tensor(1.0)).item() == 10.0


def test_target_is_a_weight_times_the_excess():
    schedule = Target(4.0)
    with torch.no_grad():
        schedule.log_weight.fill_(math.log(3.0) / Target.SPEED)
    kl = KL.clone().requires_grad_()
    term = schedule(kl, torch.tensor(0.2))
    term.backward()
    assert term.item() == pytest.approx(3 * math.exp(3) * (10 - 4))  # the weight at KL = 10, damped
    assert kl.grad.item() == pytest.approx(3 * math.exp(3))
    assert schedule(torch.tensor(4.4), torch.tensor(0.2)).item() == pytest.approx(3 * math.exp(0.3) * 0.4)
    assert schedule.learned_weight.item() == pytest.approx(3)
    assert schedule.log_weight.grad.item() == pytest.approx(1 - 10 / 4)


@pytest.mark.slow
@pytest.mark.parametrize("rate", at_night_but([3.0], [0.5, 3.0, 8.0]))
def test_target_finds_the_weight_at_which_the_optimum_has_the_rate(rate):
    """D(R) = 50 exp(-R / 5) is at its minimum of D + beta R where beta = 10 exp(-R / 5)."""
    schedule, kl = Target(rate), torch.tensor(2.0, requires_grad=True)
    adam = torch.optim.Adam([{"params": [kl], "lr": 0.02}, {"params": [schedule.log_weight], "lr": 1e-3}])
    for _ in range(6000):
        adam.zero_grad()
        (50 * torch.exp(-kl / 5) + schedule(kl, torch.tensor(0.0))).backward()
        adam.step()
    assert kl.item() == pytest.approx(rate, rel=0.01)
    assert schedule.learned_weight.item() == pytest.approx(10 * math.exp(-rate / 5), rel=0.02)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Linear(1.5), "warmup"),
        (lambda: Cyclical(0, 0.5), "cycles"),
        (lambda: Cyclical(4, -1), "ratio"),
        (lambda: Capacity(-1, 0.5), "C"),
        (lambda: Capacity(25, 2), "ramp"),
        (lambda: Target(0), "C"),
    ],
)
def test_knobs_out_of_range_are_named(make, key):
    with pytest.raises(ConfigError, match=f"^{key}: got"):
        make()
