"""The beta-TCVAE against a second implementation, by torch.distributions and loops."""

import math

import pytest
import torch
from torch import distributions as reference

from support.noise import noise_for
from vaesweep.errors import ConfigError
from vaesweep.models import Batch

IMAGES = 1294


def parts_by_hand(mean, sigma, z):
    """Chen et al. 2018, eq. S5, a term at a time."""
    m, d = z.shape
    found = torch.zeros(3, dtype=z.dtype)
    for i in range(m):
        log_q = torch.stack([reference.Normal(mean[j], sigma[j]).log_prob(z[i]) for j in range(m)])  # [m, d]
        joint = (log_q.sum(1).exp().sum() / (IMAGES * m)).log()
        product = sum((log_q[:, k].exp().sum() / (IMAGES * m)).log() for k in range(d))
        prior = reference.Normal(0.0, 1.0).log_prob(z[i]).sum()
        found += torch.stack([log_q[i].sum() - joint, joint - product, product - prior]) / m
    return found


@pytest.fixture
def few(batch):
    return Batch(batch.image[:7].double(), batch.label[:7])


@pytest.fixture
def made(model):
    weights = ["model.alpha=0.5", "model.beta=6", "model.gamma=2", "model.latent_dim=3"]
    return model("model=beta_tcvae", *weights).double()


def test_terms_and_loss_by_hand(made, few):
    noise = noise_for(made, few)
    posterior = made.posterior(*few)
    expected = parts_by_hand(posterior.mean, posterior.sigma, posterior.sample(noise))
    terms = made(few, noise)
    assert torch.allclose(terms.penalties, torch.cat([posterior.kl().mean(0).sum()[None], expected]))
    weights = torch.tensor([0.5, 6.0, 2.0], dtype=torch.float64)
    assert torch.allclose(terms.loss, terms.distortion + (weights * expected).sum())


def test_the_parts_add_up_to_a_one_sample_kl(made, few):
    noise = noise_for(made, few)
    posterior = made.posterior(*few)
    z = posterior.sample(noise)
    kl = (posterior.log_prob(z) - reference.Normal(0.0, 1.0).log_prob(z)).sum(1).mean()
    assert torch.allclose(made(few, noise).penalties[1:].sum(), kl)


@pytest.mark.slow
def test_with_equal_weights_it_is_the_beta_vae_on_average(model, few):
    equal = model("model=beta_tcvae", "model.alpha=3", "model.beta=3", "model.gamma=3").double()
    plain = model("model=beta_vae", "model.beta=3").double()
    plain.load_state_dict(equal.state_dict(), strict=False)
    draws = [noise_for(equal, few, seed) for seed in range(400)]
    apart = torch.stack([equal(few, noise).loss - plain(few, noise).loss for noise in draws])
    assert apart.mean().abs() < 4 * apart.std() / math.sqrt(len(apart))


def test_batches_count_by_their_pairs(made, few):
    """A last batch of one image, of which nothing can be said, does not drown the others."""
    noise = noise_for(made, few)
    whole, single = (made.score(Batch(*(v[part] for v in few)), noise[part]).means for part in (slice(6), slice(6, 7)))
    pooled = made.objective(whole[0], ((6 * whole + single) / 7)[2:]).penalties[1:]
    parts, lonely = (made.objective(values[0], values[2:]).penalties[1:] for values in (whole, single))
    assert torch.allclose(pooled, (36 * parts + lonely) / 37)


@pytest.mark.parametrize("knob", ["alpha", "beta", "gamma"])
def test_a_negative_weight_is_refused(model, knob):
    with pytest.raises(ConfigError, match=rf"model.{knob}: got -1; allowed: a number of at least 0"):
        model("model=beta_tcvae", f"model.{knob}=-1")
