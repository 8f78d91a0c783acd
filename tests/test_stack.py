"""A stack against its members alone: the same weights, the same metrics, the same files."""

import re

import lightning as L
import pytest
import torch
from conftest import noise_for
from torch.nn.utils import clip_grad_norm_

from vaesweep.account import Account
from vaesweep.entry import build
from vaesweep.experiment import Experiment
from vaesweep.stack import Stack, alike

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
NETWORKS = {"mlp": ["network.hidden=[32]"], "conv": ["network=conv", "network.channels=[4,8]"]}
STUDIES = {
    "ae": (["seed=1"], ["optimizer.lr=1e-3"]),
    "denoising": (["model.level=0.5"], ["model.level=0.1", "seed=1", "optimizer.weight_decay=1e-3"]),
    "denoising model.corruption=salt_pepper": (["seed=1"], ["model.level=0.5"]),
    "sparse": (["model.beta=1", "seed=1"], ["model.rho=0.1"]),
    "sparse model.penalty=l1": (["model.beta=1"], ["seed=1"]),
    "contractive": (["model.lam=0.1"], ["model.lam=1", "seed=1", "optimizer.lr=1e-3"]),
    "vae model/likelihood=gaussian model.likelihood.learn=true": (["seed=1"], ["model.likelihood.sigma=0.5"]),
    "beta_vae": (["model.beta=4"], ["seed=1", "optimizer.lr=1e-2"], ["model.free_bits=0.1", "optimizer.lr=1e-2"]),
    "beta_vae model/schedule=linear": (["model.schedule.warmup=0.5", "seed=1"], ["model.beta=3"]),
    "beta_vae model/schedule=cyclical": (["model.schedule.cycles=2"], ["seed=1", "model.schedule.ratio=0.2"]),
    "beta_vae model/schedule=capacity": (["model.schedule.C=5", "seed=1"], ["model.schedule.C=9", "model.beta=50"]),
    "cvae": (["model.beta=4"], ["model.beta=1", "seed=1"]),
}
"""Members with knobs, seeds and rates mixed."""


@pytest.fixture
def account(config, digits):
    def make(*overrides):
        composed = config(*overrides)
        torch.manual_seed(composed.seed)
        member = build(composed, "model", network=build(composed, "network"), spec=digits.spec)
        return Account(member, build(composed, "optimizer"), composed.seed)

    return make


def trained(data, accounts, **options):
    """The accounts after training and testing, as one stack when there are several."""
    settings = {"accelerator": "cpu", "num_sanity_val_steps": 0, "inference_mode": False, "max_epochs": 5}
    experiment, trainer = Experiment(*accounts), L.Trainer(**QUIET | settings | options)
    trainer.fit(experiment, datamodule=data)
    trainer.test(experiment, datamodule=data, verbose=False)
    if experiment.stacked:
        experiment.member.members()
    return accounts


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("study", STUDIES)
def test_in_float64_weights_agree_with_training_alone_to_1e_8_after_100_steps(account, digits, study, network):
    jobs = [[f"model={study}".split()[0], *study.split()[1:], *NETWORKS[network], *own] for own in STUDIES[study]]
    assert len(digits.train_dataloader()) * 5 == 100
    together = trained(digits, [account(*job) for job in jobs], precision="64-true")
    for job, one in zip(jobs, together, strict=True):
        (alone,) = trained(digits, [account(*job)], precision="64-true")
        for weight, own in zip(alone.member.parameters(), one.member.parameters(), strict=True):
            assert (weight - own).abs().max() < 1e-8
        assert one.trained() == pytest.approx(alone.trained(), rel=1e-8)
        assert alone.metrics.keys() == one.metrics.keys()
        # metrics are kept in float32
        assert all(one.metrics[name] == pytest.approx(alone.metrics[name].item(), rel=1e-5) for name in alone.metrics)
        assert one.dimensions == pytest.approx(alone.dimensions, rel=1e-5, abs=1e-6)


BY_VALUE = {"gradient_clip_val": 0.1, "gradient_clip_algorithm": "value"}


@pytest.mark.parametrize("options", [{}, {"precision": "bf16-mixed"}, {"gradient_clip_val": 20.0}, BY_VALUE], ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_in_float32_test_metrics_agree_to_1e_3(account, digits, network, options):
    jobs = [["model=beta_vae", *NETWORKS[network], *own] for own in STUDIES["beta_vae"][:2]]
    together = trained(digits, [account(*job) for job in jobs], max_epochs=3, **options)
    for job, one in zip(jobs, together, strict=True):
        (alone,) = trained(digits, [account(*job)], max_epochs=3, **options)
        expected = {name: value.item() for name, value in alone.metrics.items()}
        if "precision" in options:  # products of bfloat16 are summed in another order, and a KL near 0 feels it
            assert one.metrics["test/loss"].item() == pytest.approx(expected["test/loss"], rel=1e-2)
        else:
            assert {n: v.item() for n, v in one.metrics.items()} == pytest.approx(expected, rel=1e-3)


def test_clipping_is_each_members_own(member, batch):
    members = [member(f"model.beta={beta}") for beta in (1, 30)]
    stack = Stack(members)
    noise = torch.stack([noise_for(members[0], batch)] * 2)
    stack(batch, noise).loss.sum().backward()
    stack.clip(25.0)
    lengths = []
    for k, one in enumerate(members):
        one(batch, noise[k]).loss.backward()
        lengths.append(clip_grad_norm_(one.parameters(), 25.0).item())
        for rows, weight in zip(stack.parameters(), one.parameters(), strict=True):
            assert torch.allclose(rows.grad[k], weight.grad, rtol=1e-3, atol=1e-4)
    assert min(lengths) < 25 < max(lengths)  # one of them only is clipped


def test_a_member_that_diverges_is_left_out_and_the_others_are_what_they_would_be(account, digits):
    class Poison(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if trainer.global_step == 27:
                pl_module.member.one.encoder.body[-1].bias.data[1, 10:] = 500.0  # exp(500) overflows

    jobs = [[f"seed={seed}", "network.hidden=[32]"] for seed in range(3)]
    accounts = trained(digits, [account(*job) for job in jobs], callbacks=[Poison()], max_epochs=3)
    assert [one.failure is None for one in accounts] == [True, False, True]
    assert re.match(r"(kl is inf|distortion is nan) at training step 27", str(accounts[1].failure))
    assert not any(name.startswith("test/") for name in accounts[1].metrics)
    for k in (0, 2):
        (alone,) = trained(digits, [account(*jobs[k])], max_epochs=3)
        assert accounts[k].metrics["test/loss"] == pytest.approx(alone.metrics["test/loss"].item(), rel=1e-4)


def test_members_are_rows_of_the_stack(member, batch):
    members = [member("model=vae"), member("model=vae", "model.beta=3")]
    stack = Stack(members)
    with torch.no_grad():
        stack.one.encoder.body[0].weight[1] = 7
    first, second = stack.members()
    assert first is members[0]
    assert (second.encoder.body[0].weight == 7).all()
    assert not (first.encoder.body[0].weight == 7).any()
    assert (first.beta, second.beta) == (1, 3)
    second.encoder.body[0].weight.data.zero_()
    assert (stack.one.encoder.body[0].weight[1] == 0).all()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("model=vae", "model=beta_vae model.beta=4", True),
        ("model=vae model.free_bits=1", "model=vae", True),
        ("model=denoising model.level=0.1", "model=denoising", True),
        ("model=vae model/likelihood=gaussian", "model=vae model/likelihood=gaussian model.likelihood.sigma=2", True),
        ("model=vae", "model=vae model.latent_dim=3", False),
        ("model=vae", "model=vae network.activation=tanh", False),
        ("model=vae", "model=vae model/schedule=linear", False),
        ("model=denoising", "model=denoising model.corruption=gaussian", False),
        ("model=sparse", "model=sparse model.penalty=l1", False),
        ("model=vae network=conv", "model=vae network=conv network.kernel=4", False),
        (
            "model=vae model/likelihood=gaussian",
            "model=vae model/likelihood=gaussian model.likelihood.learn=true",
            False,
        ),
    ],
)
def test_tensors_stack_and_anything_else_does_not(member, one, other, same):
    pair = [member(*one.split()), member(*other.split())]
    assert (alike(pair[0]) == alike(pair[1])) == same
    if not same:
        with pytest.raises(ValueError, match="may differ in weights and knobs alone"):
            Stack(pair)


def test_a_compiled_stack_computes_the_same(account, digits):
    jobs = [["network.hidden=[32]", f"seed={seed}"] for seed in range(2)]
    stack = Stack([account(*job).member for job in jobs])
    batch = digits.examples(8)
    noise = torch.stack([noise_for(stack.one, batch, seed) for seed in range(2)])
    expected = stack(batch, noise).loss
    stack.compile()
    assert torch.allclose(stack(batch, noise).loss, expected, rtol=1e-4)
