import pytest
import torch
from torch import nn

from vaesweep.errors import ConfigError
from vaesweep.training.optimizers import Adam

PLAIN = {"lr": 0.1, "weight_decay": 0.0, "betas": [0.9, 0.999], "lr_schedule": "constant"}


def adam(**options):
    return Adam(**PLAIN | options)


def test_onecycle_rises_to_lr_and_falls_to_nothing():
    optimizer, scheduler = adam(lr_schedule="onecycle")([{"params": [nn.Parameter(torch.ones(1))]}], 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(rates) < 100 else None
    assert max(rates) == pytest.approx(0.1)
    assert 25 <= rates.index(max(rates)) <= 35
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates[-1] < 1e-4


def test_constant_has_no_scheduler_and_is_fused_here():
    optimizer, scheduler = adam()([{"params": [nn.Parameter(torch.ones(1))]}], 100)
    assert scheduler is None
    assert optimizer.defaults["fused"]


def test_weight_decay_shrinks_weights_without_gradient():
    weight = nn.Parameter(torch.ones(1))
    optimizer, _ = adam(weight_decay=0.5)([{"params": [weight]}], 1)
    weight.grad = torch.zeros(1)
    optimizer.step()
    assert weight.item() == pytest.approx(0.9)


def test_an_unknown_schedule_is_named():
    with pytest.raises(ConfigError, match=r"^lr_schedule: got x; allowed: constant \| onecycle"):
        adam(lr_schedule="x")


@pytest.mark.parametrize("option", [{"lr": -1}, {"weight_decay": -1}, {"betas": [0.9, 2]}])
def test_numbers_are_checked_by_torch(option):
    with pytest.raises(ValueError, match="Invalid"):
        adam(**option)([{"params": [nn.Parameter(torch.ones(1))]}], 1)


def test_a_beta1_that_one_cycle_would_cycle_is_refused():
    with pytest.raises(ConfigError, match=r"^betas: got \[0.5, 0.999\]; allowed: \[0.9, 0.999\] with onecycle"):
        adam(lr_schedule="onecycle", betas=[0.5, 0.999])
    assert adam(betas=[0.5, 0.99]).betas == [0.5, 0.99]
    assert adam(lr_schedule="onecycle", betas=[0.9, 0.99]).betas == [0.9, 0.99]
