"""The exact optimum of a linear VAE, against an optimiser that knows nothing of eigenvalues."""

import math

import pytest
import torch

from vaesweep.metrics.linear_optimum import optimum, optimum_with_learned_sigma, spectrum


@pytest.fixture
def images():
    source = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 6, generator=source, dtype=torch.float64)
    return torch.randn(500, 6, generator=source, dtype=torch.float64) @ mixing


def minimum(images, d, beta, sigma, learn=False):
    """Distortion and rate at the least D + beta R, over all matrices, by L-BFGS; expectations over noise are exact."""
    x = images - images.mean(0)
    source = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=source, dtype=torch.float64) * 0.3  # noqa: E731
    encoder, decoder, logvar = draw(d, 6), draw(6, d), torch.zeros(d, dtype=torch.float64)
    log_sigma = torch.tensor(math.log(sigma), dtype=torch.float64)
    parameters = [encoder, decoder, logvar, *([log_sigma] if learn else [])]
    for p in parameters:
        p.requires_grad_()

    def terms():
        mean, variance = x @ encoder.T, logvar.exp()
        error = (x - mean @ decoder.T).square().sum(1).mean() + (decoder.square().sum(0) * variance).sum()
        constant = 6 * (log_sigma + math.log(2 * math.pi) / 2)
        rate = (mean.square().mean(0) + variance - 1 - logvar).sum() / 2
        return error / (2 * (2 * log_sigma).exp()) + constant, rate

    optimizer = torch.optim.LBFGS(parameters, max_iter=2000, history_size=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        distortion, rate = terms()
        loss = distortion + beta * rate
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    return *(term.item() for term in terms()), log_sigma.exp().item()


@pytest.mark.slow
@pytest.mark.parametrize(("d", "beta", "sigma"), [(6, 1, 0.5), (3, 1, 0.5), (4, 4, 1.0), (4, 0.25, 1.0), (6, 9, 1.3)])
def test_water_filling_is_the_least_loss(images, d, beta, sigma):
    exact = optimum(spectrum(images), d, beta, sigma)
    distortion, rate, _ = minimum(images, d, beta, sigma)
    assert exact.loss == pytest.approx(distortion + beta * rate, abs=1e-6)
    assert exact.rate == pytest.approx(rate, abs=1e-3)
    assert exact.distortion == pytest.approx(distortion, abs=1e-2)


def test_the_slope_is_beta(images):
    eigenvalues, beta = spectrum(images), 2.0
    low, high = (optimum(eigenvalues, 4, beta * factor, 0.7) for factor in (0.999, 1.001))
    assert -(high.distortion - low.distortion) / (high.rate - low.rate) == pytest.approx(beta, rel=1e-3)


def test_nothing_is_used_where_a_nat_costs_more_than_it_buys(images):
    exact = optimum(spectrum(images), 4, 1e6, 1.0)
    prior = torch.distributions.Normal(images.mean(0), 1.0)
    assert (exact.rate, exact.active) == (0.0, 0)
    assert exact.loss == pytest.approx(-prior.log_prob(images).sum(1).mean().item())


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 3])
def test_with_a_learned_sigma_it_is_probabilistic_pca(images, d):
    exact = optimum_with_learned_sigma(spectrum(images), d)
    distortion, rate, sigma = minimum(images, d, 1.0, 1.0, learn=True)
    assert exact.loss == pytest.approx(distortion + rate, abs=1e-6)
    assert exact.sigma == pytest.approx(sigma, rel=1e-4)
    # its likelihood is that of N(mean, W W' + sigma^2 I), by torch.distributions
    values, vectors = torch.linalg.eigh(torch.cov(images.T, correction=0))
    noise = values[: 6 - d].mean()
    covariance = noise * torch.eye(6) + vectors[:, 6 - d :] @ (values[6 - d :] - noise).diag() @ vectors[:, 6 - d :].T
    likelihood = torch.distributions.MultivariateNormal(images.mean(0), covariance).log_prob(images).mean()
    assert exact.loss == pytest.approx(-likelihood.item())
