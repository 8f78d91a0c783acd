"""The variational family: its terms by hand, its settings, and the optimum known from probabilistic PCA."""

import math

import pytest
import torch
from torch import distributions as reference

from support.noise import noise_for
from support.train_to_optimum import train_exactly, with_equal_moments
from vaesweep.errors import ConfigError


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_terms_by_hand(model, batch):
    made = model("model=beta_vae", "model.beta=3")
    noise = noise_for(made, batch)
    mean, logvar = made.encoder(batch.image).chunk(2, dim=1)
    q = reference.Normal(mean, (logvar / 2).exp())
    kl = reference.kl_divergence(q, reference.Normal(0.0, 1.0)).sum(1).mean()
    logits = made.decoder(mean + (logvar / 2).exp() * noise)
    nll = -reference.Bernoulli(logits=logits, validate_args=False).log_prob(batch.image).flatten(1).sum(1).mean()
    terms = made(batch, noise)
    assert torch.allclose(terms.penalties.sum(), kl, rtol=1e-5)
    assert torch.allclose(terms.distortion, nll, rtol=1e-5)
    assert torch.allclose(terms.loss, nll + 3 * kl, rtol=1e-5)


def test_beta_one_is_the_vae(model, batch):
    vae, beta = model("model=vae"), model("model=beta_vae", "model.beta=1")
    noise = noise_for(vae, batch)
    assert same(vae(batch, noise), beta(batch, noise))


@pytest.mark.parametrize("setting", ["model.free_bits=0", "model/schedule=constant", "model/schedule=linear"])
def test_free_bits_0_and_finished_schedules_change_nothing(model, batch, setting):
    plain, other = model("model=vae"), model("model=vae", setting)
    noise = noise_for(plain, batch)
    assert same(plain(batch, noise), other(batch, noise))


def test_a_schedule_follows_progress_and_leaves_the_penalty_alone(model, batch):
    made = model("model=vae", "model/schedule=linear", "model.schedule.warmup=0.5")
    noise = noise_for(made, batch)
    made.progress.fill_(0.1)
    terms = made(batch, noise)
    assert torch.allclose(terms.loss, terms.distortion + 0.2 * terms.penalties.sum())
    made.progress.fill_(1.0)
    assert made(batch, noise).penalties.sum() == terms.penalties.sum()


def test_free_bits_are_a_floor_for_each_dimension(model, batch):
    made = model("model=vae", "model.free_bits=0.05")
    noise = noise_for(made, batch)
    terms, kl = made(batch, noise), made.posterior(batch.image, batch.label).kl().mean(0)
    assert 0 < (kl < 0.05).sum() < len(kl)  # or the test would not see the floor
    assert torch.allclose(terms.loss, terms.distortion + kl.clamp(min=0.05).sum())
    assert torch.allclose(terms.penalties.sum(), kl.sum())


@pytest.mark.slow
def test_capacity_pays_for_the_distance(model, batch):
    made = model("model=beta_vae", "model.beta=100", "model/schedule=capacity", "model.schedule.C=7")
    terms = made(batch, noise_for(made, batch))
    assert torch.allclose(terms.loss, terms.distortion + 100 * (terms.penalties.sum() - 7).abs())


@pytest.mark.slow
def test_a_target_pays_for_the_excess_and_records_the_weight(model, batch):
    made = model("model=beta_vae", "model.beta=3", "model/schedule=target", "model.schedule.C=7")
    terms = made(batch, noise_for(made, batch))
    kl, weight = terms.penalties
    assert weight == 3
    assert torch.allclose(terms.loss, terms.distortion + 3 * (3 * (kl / 7 - 1)).exp() * (kl - 7))


def ppca_log_likelihood(x: torch.Tensor, q: int) -> float:
    """Mean log-likelihood at the maximum, Tipping & Bishop 1999, eq. 4 with eq. 7 and 8 put in."""
    n, d = x.shape
    spectrum = torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)) / n).flip(0)
    noise = spectrum[q:].mean()
    return -0.5 * (d * math.log(2 * math.pi) + spectrum[:q].log().sum() + (d - q) * noise.log() + d).item()


@pytest.mark.slow
def test_a_linear_gaussian_vae_reaches_probabilistic_pca(model, digits):
    """Its best ELBO is the log-likelihood (Lucas et al. 2019, sec. 4)."""
    d, split = 4, digits.splits["train"]
    made = model("experiment=ppca", f"model.latent_dim={d}").double()
    images = with_equal_moments(split.images.double()[split.indices] / 16)
    data, noise = train_exactly(made, images, torch.zeros(len(images), 1, dtype=torch.int64), 300)
    elbo, exact = -made(data, noise).loss.item(), ppca_log_likelihood(images.flatten(1), d)
    assert exact * (1 - 0.005) < elbo < exact


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ("model.beta=-1", "a number of at least 0"),
        ("model.free_bits=-0.1", "a number of at least 0"),
        ("model.beta=four", "a number of at least 0"),
    ],
)
def test_bad_knobs_are_refused(model, setting, allowed):
    key, given = setting.split("=")
    with pytest.raises(ConfigError, match=f"{key}: got {given}; allowed: {allowed}"):
        model("model=beta_vae", setting)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "key"),
    [("model/schedule=linear", "model.schedule.warmup"), ("model/likelihood=gaussian", "model.likelihood.sigma")],
)
def test_nested_knobs_are_named_in_full(model, group, key):
    with pytest.raises(ConfigError, match=f"{key}: got -1; allowed"):
        model("model=vae", group, f"{key}=-1")
