"""Adam without detours, beside torch's own."""

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.optimizer import register_optimizer_step_pre_hook

from vaesweep.training import fused_adam
from vaesweep.training.fused_adam import FusedAdam

STEPS = 12


def parameters(dtypes):
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(5, 3, dtype=dtype)) for dtype in dtypes]


def train(optimizer_class, dtypes=(torch.float32,) * 4, without_gradient=(), resume_at=None, **options):
    """Weights and moments after some steps of one-cycle, in two groups; one of them decays."""
    weights = parameters(dtypes)
    groups = [{"params": weights[:2], "weight_decay": 0.1}, {"params": weights[2:], "lr": 0.02}]
    optimizer = optimizer_class(groups, lr=0.01, **options)
    schedule = OneCycleLR(optimizer, [0.01, 0.02], total_steps=STEPS + 1)
    for step in range(STEPS):
        optimizer.zero_grad()
        for i, weight in enumerate(weights):
            if (step, i) not in without_gradient:
                weight.grad = (weight.detach() * (i + 1) + step).sin()
        if step == resume_at:
            state = optimizer.state_dict()
            optimizer = optimizer_class(groups, lr=0.01, **options)
            optimizer.load_state_dict(state)
            schedule.optimizer = optimizer
        optimizer.step()
        schedule.step()
    moments = [value for state in optimizer.state_dict()["state"].values() for value in state.values()]
    return [weight.detach() for weight in weights] + moments


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"dtypes": (torch.float64,) * 4},
        {"dtypes": (torch.float32, torch.float64) * 2},
        {"without_gradient": {(0, 1), (3, 1), (3, 0), (5, 2)}},
        {"without_gradient": {(4, 2), (4, 3)}},
        {"resume_at": 6},
        {"decoupled_weight_decay": True},
        {"maximize": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("fused", [True, False])
def test_weights_and_moments_are_those_of_torch(case, fused):
    expected, own = (train(kind, fused=fused, **case) for kind in (torch.optim.Adam, FusedAdam))
    assert len(own) == len(expected)
    assert all(a.equal(b) for a, b in zip(own, expected, strict=True))


def test_the_kernel_is_reached_directly(monkeypatch):
    monkeypatch.setattr(fused_adam, "adam", None)
    train(FusedAdam, fused=True)


def test_another_kernel_is_found(monkeypatch):
    kernel = torch._fused_adam_
    expected = train(torch.optim.Adam, fused=True)
    monkeypatch.setattr(
        torch, "_fused_adam_", lambda *tensors, **settings: kernel(*tensors, **settings | {"eps": 1e-6})
    )
    own = train(FusedAdam, fused=True)
    assert not all(a.equal(b) for a, b in zip(own, expected, strict=True))


def test_hooks_and_a_closure_work():
    weight = nn.Parameter(torch.ones(3))
    optimizer = FusedAdam([weight], lr=0.1, fused=True)
    called = []
    optimizer.register_step_post_hook(lambda *_: called.append(weight.detach().clone()))

    def closure():
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(3)]
    assert losses == sorted(losses, reverse=True)
    assert len(called) == 3
    assert called[-1].equal(weight)
    handle = register_optimizer_step_pre_hook(lambda *_: called.append(None))
    optimizer.step(closure)
    handle.remove()
    assert len(called) == 5


def test_a_hook_may_change_what_a_step_is_given():
    weight = nn.Parameter(torch.ones(3))
    optimizer = FusedAdam([weight], lr=0.1, fused=True)
    weight.grad = torch.ones(3)
    optimizer.register_step_pre_hook(lambda optimizer, given, named: (given[:1], {}))
    optimizer.step(closure=lambda: pytest.fail("the hook has taken the closure away"))
    assert torch.allclose(weight, torch.full((3,), 0.9))


def test_gradients_are_let_go_of_or_filled_with_zeros():
    weight = nn.Parameter(torch.ones(3))
    optimizer = FusedAdam([weight], lr=0.1, fused=True)
    weight.grad = torch.ones(3)
    optimizer.zero_grad(set_to_none=False)
    assert weight.grad.equal(torch.zeros(3))
    optimizer.zero_grad()
    assert weight.grad is None


def test_a_step_with_a_gradient_scaler_is_torchs():
    weight = nn.Parameter(torch.ones(3))
    optimizer = FusedAdam([weight], lr=0.1, fused=True)
    for is_infinite in (0.0, 1.0):  # a scaler has the kernel leave out the step after an overflow
        weight.grad = torch.ones(3)
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(1.0), torch.tensor(is_infinite)
        optimizer.step()
    assert torch.allclose(weight, torch.full((3,), 0.9))
