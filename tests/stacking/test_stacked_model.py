"""A stack against its members alone: the same weights, the same metrics, the same files."""

import re
from itertools import product

import lightning as L
import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from support.nightly import at_night_but
from support.noise import noise_for
from vaesweep.data import Digits
from vaesweep.data.batch_loader import Split
from vaesweep.settings.instantiate import build
from vaesweep.stacking.lightning_module import LitStack
from vaesweep.stacking.member_callbacks import MemberCallbacks
from vaesweep.stacking.stacked_model import Stack, architecture_key
from vaesweep.stacking.trainer_view import MemberTrainerView
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.skip_step_overhead import spare_steps

SETTINGS = {"accelerator": "cpu", "num_sanity_val_steps": 0, "inference_mode": False, "max_epochs": 5}
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
NETWORKS = {"mlp": ["network.hidden=[32]"], "conv": ["network=conv", "network.channels=[4,8]", "network.dense=[16]"]}
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
    "beta_vae model/schedule=target": (["model.schedule.C=3", "seed=1"], ["model.schedule.C=6", "model.beta=2"]),
    "beta_tcvae": (["model.beta=4"], ["model.gamma=2", "seed=1"]),
    "cvae": (["model.beta=4"], ["model.beta=1", "seed=1"]),
}
"""Members with knobs, seeds and rates mixed."""
BY_DAY = [*product(STUDIES, ["mlp"]), ("contractive", "conv"), ("beta_vae", "conv")]


@pytest.fixture(scope="module")
def few():
    """160 digits in batches of 8, of which an epoch takes 20."""
    data = Digits(batch_size=8, val_fraction=0.1, test_fraction=0.2, binarize="none", on_device=False, seed=0)
    data.setup()
    data.splits = {name: Split(part.images, part.labels, part.indices[:160]) for name, part in data.splits.items()}
    return data


@pytest.fixture
def module(config, digits):
    """The module that some overrides describe."""

    def make(*overrides):
        composed = config(*overrides)
        torch.manual_seed(composed.seed)
        model = build(composed, "model", network=build(composed, "network"), spec=digits.spec)
        return LitAutoencoder(model, build(composed, "optimizer"), composed.seed, samples=3)

    return make


def trained_alone(data, module, **options):
    """The module after training and testing."""
    trainer = L.Trainer(**QUIET | SETTINGS | options)
    spare_steps(trainer)
    trainer.fit(module, datamodule=data)
    trainer.test(module, datamodule=data, verbose=False)
    return module


def trained_together(data, modules, **options):
    """Views of the modules after training and testing them as one stack."""
    views = [MemberTrainerView(module, [], None) for module in modules]
    callbacks = [MemberCallbacks(views), *options.pop("callbacks", [])]
    stack, trainer = LitStack(views), L.Trainer(**QUIET | SETTINGS | options, callbacks=callbacks)
    spare_steps(trainer)
    trainer.fit(stack, datamodule=data)
    trainer.test(stack, datamodule=data, verbose=False)
    stack.sync_members()
    return views


@pytest.mark.slow
@pytest.mark.parametrize(("study", "network"), at_night_but(BY_DAY, product(STUDIES, NETWORKS)))
def test_in_float64_weights_agree_with_training_alone_to_1e_8_after_100_steps(module, few, study, network):
    jobs = [[f"model={study}".split()[0], *study.split()[1:], *NETWORKS[network], *own] for own in STUDIES[study]]
    assert len(few.train_dataloader()) * 5 == 100
    options = {"precision": "64-true", "check_val_every_n_epoch": 5}
    together = trained_together(few, [module(*job) for job in jobs], **options)
    for job, view in zip(jobs, together, strict=True):
        alone, one = trained_alone(few, module(*job), **options), view.module
        for weight, own in zip(alone.model.parameters(), one.model.parameters(), strict=True):
            assert (weight - own).abs().max() < 1e-8
        assert one.tracker.training_means() == pytest.approx(alone.tracker.training_means(), rel=1e-8)
        metrics, expected = one.tracker.metrics, alone.tracker.metrics
        assert metrics.keys() == expected.keys()
        # metrics are kept in float32
        assert all(metrics[name] == pytest.approx(expected[name].item(), rel=1e-5) for name in expected)
        assert one.tracker.dimensions == pytest.approx(alone.tracker.dimensions, rel=1e-5, abs=1e-6)
        assert one.tracker.errors() == pytest.approx(alone.tracker.errors(), rel=1e-5)
        for name, scores in alone.tracker.image_metrics("test").items():
            assert torch.allclose(one.tracker.image_metrics("test")[name], scores, rtol=1e-4)


OPTIONS = (
    {},
    {"precision": "bf16-mixed"},
    {"gradient_clip_val": 20.0},
    {"gradient_clip_val": 0.1, "gradient_clip_algorithm": "value"},
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "options"),
    at_night_but([*product(["mlp"], OPTIONS), ("conv", {})], product(NETWORKS, OPTIONS)),
    ids=str,
)
def test_in_float32_test_metrics_agree_to_1e_3(module, few, network, options):
    jobs = [["model=beta_vae", *NETWORKS[network], *own] for own in STUDIES["beta_vae"][:2]]
    together = trained_together(few, [module(*job) for job in jobs], max_epochs=3, **options)
    for job, view in zip(jobs, together, strict=True):
        alone, metrics = trained_alone(few, module(*job), max_epochs=3, **options), view.module.tracker.metrics
        expected = {name: value.item() for name, value in alone.tracker.metrics.items()}
        if "precision" in options:  # products of bfloat16 are summed in another order, and a KL near 0 feels it
            assert metrics["test/loss"].item() == pytest.approx(expected["test/loss"], rel=1e-2)
        else:
            assert {n: v.item() for n, v in metrics.items()} == pytest.approx(expected, rel=1e-3)


def test_clipping_is_each_members_own(model, batch):
    members = [model(f"model.beta={beta}") for beta in (1, 30)]
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


@pytest.mark.slow
def test_a_member_that_diverges_is_dropped_and_the_others_are_what_they_would_be(module, digits):
    class Poison(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if trainer.global_step == 27:
                pl_module.model.template.encoder.body[-1].bias.data[1, 10:] = 500.0  # exp(500) overflows

    jobs = [[f"seed={seed}", "network.hidden=[32]"] for seed in range(3)]
    views = trained_together(digits, [module(*job) for job in jobs], callbacks=[Poison()], max_epochs=3)
    assert [view.is_active for view in views] == [True, False, True]
    assert re.match(r"(kl is inf|distortion is nan) at training step 27", str(views[1].failure))
    assert not any(name.startswith("test/") for name in views[1].module.tracker.metrics)
    for k in (0, 2):
        alone = trained_alone(digits, module(*jobs[k]), max_epochs=3).tracker.metrics
        assert views[k].module.tracker.metrics["test/loss"] == pytest.approx(alone["test/loss"].item(), rel=1e-4)


@pytest.mark.slow
def test_members_are_rows_of_the_stack(model, batch):
    members = [model("model=vae"), model("model=beta_vae", "model.beta=3")]
    stack = Stack(members)
    with torch.no_grad():
        stack.template.encoder.body[0].weight[1] = 7
    first, second = stack.sync_members()
    assert first is members[0]
    assert (second.encoder.body[0].weight == 7).all()
    assert not (first.encoder.body[0].weight == 7).any()
    assert (first.beta, second.beta) == (1, 3)
    second.encoder.body[0].weight.data.zero_()
    assert (stack.template.encoder.body[0].weight[1] == 0).all()


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
def test_tensors_stack_and_anything_else_does_not(model, one, other, same):
    pair = [model(*one.split()), model(*other.split())]
    assert (architecture_key(pair[0]) == architecture_key(pair[1])) == same
    if not same:
        with pytest.raises(ValueError, match="may differ in weights and knobs alone"):
            Stack(pair)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_compiled_stack_computes_the_same(module, digits):
    jobs = [["network.hidden=[32]", f"seed={seed}"] for seed in range(2)]
    stack = Stack([module(*job).model for job in jobs])
    batch = digits.examples(8)
    noise = torch.stack([noise_for(stack.template, batch, seed) for seed in range(2)])
    expected = stack(batch, noise).loss
    stack.compile()
    assert torch.allclose(stack(batch, noise).loss, expected, rtol=1e-4)
