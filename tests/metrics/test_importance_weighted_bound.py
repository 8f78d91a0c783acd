"""The bound against models whose likelihood is known exactly."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vaesweep.metrics.importance_weighted_bound import bits_per_dim, bounds, log_weights
from vaesweep.models import Batch, Spec
from vaesweep.models.distributions import DiagonalGaussian

SIGMA, SPEC = 0.5, Spec((1, 2, 3), 1)


@pytest.fixture
def linear(model):
    """A linear Gaussian model x = W z + b + 0.5 noise in float64, images of it, and their exact log p(x)."""
    made = model(
        "model=vae", "network=linear", "model.latent_dim=2", "model/likelihood=gaussian",
        f"model.likelihood.sigma={SIGMA}", spec=SPEC,
    ).double()  # fmt: skip
    layer = made.decoder[0]
    with torch.no_grad():
        # orthogonal columns, so that the exact posterior is diagonal
        layer.weight.copy_(torch.linalg.qr(torch.randn(6, 2, dtype=torch.float64))[0] * torch.tensor([1.5, 0.7]))
    covariance = layer.weight @ layer.weight.T + SIGMA**2 * torch.eye(6, dtype=torch.float64)
    density = MultivariateNormal(layer.bias, covariance)
    images = density.sample((40,))
    return made, Batch(images.view(-1, *SPEC.shape), torch.zeros(40, 1).long()), density.log_prob(images).detach()


def exact_posterior(made, batch):
    weight, bias = made.decoder[0].weight, made.decoder[0].bias
    precision = 1 + weight.square().sum(0) / SIGMA**2
    mean = (batch.image.flatten(1) - bias) @ weight / SIGMA**2 / precision
    return DiagonalGaussian(mean, -precision.log().expand_as(mean))


def all_bounds(made, batch, posterior, k, seed=0):
    made.posterior = lambda *_: posterior
    return bounds(made, batch, k, torch.Generator().manual_seed(seed))


def bound(made, batch, posterior, k, seed=0):
    return all_bounds(made, batch, posterior, k, seed).bound


@torch.no_grad()
def test_every_weight_is_the_likelihood_under_the_exact_posterior(linear):
    made, batch, exact = linear
    weights = log_weights(made, batch, exact_posterior(made, batch), torch.randn(7, 40, 2, dtype=torch.float64))
    assert torch.allclose(weights, exact.expand(7, -1))


@pytest.mark.slow
@torch.no_grad()
def test_the_bound_tightens_to_the_likelihood_and_never_crosses_it(linear):
    made, batch, exact = linear
    best = exact_posterior(made, batch)
    wrong = DiagonalGaussian(best.mean + 0.5, best.logvar + 1)
    means = [torch.stack([bound(made, batch, wrong, k, seed) for seed in range(50)]).mean() for k in (1, 4, 16)]
    assert means[0] < means[1] < means[2] < exact.mean()
    # every image's bound is within its Monte Carlo error, a few times 1 / sqrt(2000), of the truth
    assert torch.allclose(bound(made, batch, wrong, 2000), exact, atol=0.15)
    # at k = 1, over many draws, the gap is the KL to the true posterior
    single = torch.stack([bound(made, batch, wrong, 1, seed) for seed in range(200)]).mean()
    kl = kl_divergence(Normal(wrong.mean, wrong.sigma), Normal(best.mean, best.sigma)).sum(1).mean()
    assert (exact.mean() - single).item() == pytest.approx(kl.item(), rel=0.05)


@torch.no_grad()
@pytest.mark.parametrize(("k", "size"), [(1, 9), (2, 9), (50, 1), (50, 7), (51, 100)])
def test_bounds_are_those_of_all_weights_however_they_are_drawn(linear, monkeypatch, k, size):
    made, batch, _ = linear
    drawn = []

    def record(*arguments):
        drawn.append(log_weights(*arguments))
        return drawn[-1]

    monkeypatch.setattr("vaesweep.metrics.importance_weighted_bound.log_weights", record)
    monkeypatch.setattr("vaesweep.metrics.importance_weighted_bound.FLOATS", size * batch.image.numel())
    found = bounds(made, batch, k, torch.Generator().manual_seed(0))
    logs = torch.cat(drawn)
    assert len(logs) == k
    weights, first = logs.exp(), k - k // 2
    assert torch.allclose(found.elbo, logs.mean(0))
    assert torch.allclose(found.bound, weights.mean(0).log())
    assert torch.allclose(found.effective, weights.sum(0).square() / weights.square().sum(0))
    halves = weights[:first].mean(0).log(), weights[first:].mean(0).log()
    assert torch.allclose(found.half, sum(halves) / 2) or k == 1


@torch.no_grad()
def test_what_the_last_doubling_gains_is_about_what_is_left(linear):
    made, batch, exact = linear
    best = exact_posterior(made, batch)
    assert torch.allclose(all_bounds(made, batch, best, 8).effective, torch.tensor(8.0).double())
    poor = DiagonalGaussian(best.mean + 0.5, best.logvar + 1)
    repeats = [all_bounds(made, batch, poor, 64, seed) for seed in range(50)]
    left = (exact - torch.stack([found.bound for found in repeats])).mean()
    gained = torch.stack([found.bound - found.half for found in repeats]).mean()
    assert gained.item() == pytest.approx(left.item(), rel=0.35)
    assert left > 0.01
    assert all((found.effective >= 1).all() and (found.effective <= 64).all() for found in repeats)


@torch.no_grad()
def test_two_halves_tell_how_much_the_bound_varies_over_repeats(linear):
    made, batch, _ = linear
    best = exact_posterior(made, batch)
    assert torch.allclose(all_bounds(made, batch, best, 8).spread, torch.zeros(40).double(), atol=1e-6)
    poor = DiagonalGaussian(best.mean + 0.5, best.logvar + 1)
    repeats = [all_bounds(made, batch, poor, 64, seed) for seed in range(200)]
    seen = torch.stack([found.bound for found in repeats]).std(0)
    said = torch.stack([found.spread for found in repeats]).square().mean(0).sqrt()
    assert (said / seen).mean().item() == pytest.approx(1, rel=0.15)


@torch.no_grad()
def test_weights_are_those_of_the_definition(model, batch):
    made = model("model=vae", "model.latent_dim=3")
    posterior = made.posterior(batch.image, batch.label)
    noise = torch.randn(2, len(batch.image), 3)
    z = posterior.sample(noise)
    likelihood = -torch.stack([made.likelihood.nll(made.decode(one, batch.label), batch.image) for one in z])
    prior = Normal(0, 1).log_prob(z).sum(-1)
    density = Normal(posterior.mean, posterior.sigma).log_prob(z).sum(-1)
    assert torch.allclose(log_weights(made, batch, posterior, noise), likelihood + prior - density, atol=1e-3)


def test_bits():
    assert bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
