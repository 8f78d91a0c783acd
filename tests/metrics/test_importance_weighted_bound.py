"""The bound against models whose likelihood is known exactly."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vaesweep.metrics.importance_weighted_bound import bits_per_dim, log_mean_exp, log_weights
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


def bound(made, batch, posterior, k, seed=0):
    noise = torch.randn(k, *posterior.mean.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return log_mean_exp([log_weights(made, batch, posterior, part).logsumexp(0) for part in noise.split(300)], k)


@torch.no_grad()
def test_every_weight_is_the_likelihood_under_the_exact_posterior(linear):
    made, batch, exact = linear
    weights = log_weights(made, batch, exact_posterior(made, batch), torch.randn(7, 40, 2, dtype=torch.float64))
    assert torch.allclose(weights, exact.expand(7, -1))


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
def test_parts_make_the_whole_whatever_they_are(linear):
    made, batch, _ = linear
    posterior = made.posterior(batch.image, batch.label)
    weights = log_weights(made, batch, posterior, torch.randn(50, 40, 2, dtype=torch.float64))
    together = weights.exp().mean(0).log()
    for size in (1, 7, 50):
        parts = [part.logsumexp(0) for part in weights.split(size)]
        assert torch.allclose(log_mean_exp(parts, 50), together)


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
