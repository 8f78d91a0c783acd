"""Against torch.distributions, Monte Carlo and numbers worked out by hand."""

import math

import pytest
import torch
from torch import distributions as reference

from vaesweep.errors import ConfigError
from vaesweep.models.distributions import Bernoulli, DiagonalGaussian, Dirac, Gaussian, bernoulli_kl

SHAPE = (6, 1, 4, 4)


def some_gaussian() -> DiagonalGaussian:
    torch.manual_seed(0)
    return DiagonalGaussian(torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64))


def test_gaussian_kl_of_the_worked_example():
    q = DiagonalGaussian(torch.tensor([[1.5, -0.8]]), torch.tensor([[0.5, 2.0]]).log())
    assert torch.allclose(q.kl(), torch.tensor([[1.2216, 0.4734]]), atol=5e-5)
    assert q.kl().sum().item() == pytest.approx(1.695, abs=5e-4)


def test_gaussian_kl_against_torch():
    q = some_gaussian()
    expected = reference.kl_divergence(reference.Normal(q.mean, q.sigma), reference.Normal(0.0, 1.0))
    assert torch.allclose(q.kl(), expected)


def test_gaussian_kl_against_monte_carlo():
    q = some_gaussian()
    z = q.sample(torch.randn(100_000, *q.mean.shape, dtype=torch.float64))
    ratio = reference.Normal(q.mean, q.sigma).log_prob(z) - reference.Normal(0.0, 1.0).log_prob(z)
    error = ratio.std(0) / len(z) ** 0.5
    assert ((ratio.mean(0) - q.kl()).abs() < 5 * error).all()


def test_gaussian_kl_is_never_negative_near_the_prior():
    logvar = torch.linspace(-1e-3, 1e-3, 10_001)[:, None]
    assert (DiagonalGaussian(torch.zeros_like(logvar), logvar).kl() >= 0).all()


def test_sigma_and_sample():
    q = DiagonalGaussian.split(torch.tensor([[1.0, 2.0, math.log(4.0), math.log(9.0)]]))
    assert torch.allclose(q.sigma, torch.tensor([[2.0, 3.0]]))
    assert torch.allclose(q.sample(torch.tensor([[1.0, -1.0]])), torch.tensor([[3.0, -1.0]]))
    assert Dirac(q.mean).sample(torch.randn(1, 0)) is q.mean


def test_bernoulli_kl_of_the_worked_examples():
    assert bernoulli_kl(torch.tensor(0.2), torch.tensor(0.5)).item() == pytest.approx(0.1927, abs=5e-5)
    means = torch.tensor([0.866, 0.096, 0.11])
    assert torch.allclose(bernoulli_kl(torch.tensor(0.2), means), torch.tensor([1.136, 0.049, 0.034]), atol=5e-4)


def test_bernoulli_kl_against_torch_and_monte_carlo():
    p, q = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.3, 0.2, 0.85])
    expected = reference.kl_divergence(reference.Bernoulli(p), reference.Bernoulli(q))
    assert torch.allclose(bernoulli_kl(p, q), expected, atol=1e-6)
    torch.manual_seed(0)
    x = reference.Bernoulli(p).sample((200_000,))
    ratio = reference.Bernoulli(p).log_prob(x) - reference.Bernoulli(q).log_prob(x)
    assert ((ratio.mean(0) - expected).abs() < 5 * ratio.std(0) / len(x) ** 0.5).all()


def test_a_unit_that_is_almost_off_keeps_its_gradient():
    """d/da KL(p || sigmoid(a)) = sigmoid(a) - p."""
    features = torch.tensor([-40.0, -20.0, 0.0, 10.0], requires_grad=True)
    bernoulli_kl(torch.tensor(0.05), features.sigmoid()).sum().backward()
    assert torch.allclose(features.grad, features.detach().sigmoid() - 0.05, atol=1e-3)


def test_bernoulli_kl_of_a_saturated_unit_is_large_not_infinite():
    costs = bernoulli_kl(torch.tensor(0.05), torch.tensor([0.0, 1.0]))
    assert costs.isfinite().all()
    assert (costs > 0.5).all()


def test_bernoulli_nll_against_torch_for_grey_values_too():
    eta, x = torch.randn(SHAPE), torch.rand(SHAPE)
    expected = -reference.Bernoulli(logits=eta, validate_args=False).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(Bernoulli().nll(eta, x), expected, atol=1e-5)
    assert torch.allclose(Bernoulli().mean(eta), torch.sigmoid(eta))


@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_gaussian_nll_against_torch(sigma):
    eta, x = torch.randn(SHAPE), torch.rand(SHAPE)
    expected = -reference.Normal(eta, sigma).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(Gaussian(sigma).nll(eta, x), expected, rtol=1e-5)
    assert torch.equal(Gaussian(sigma).mean(eta), eta)


@pytest.mark.parametrize(
    ("likelihood", "oracle"),
    [
        (Bernoulli(), lambda eta: reference.Bernoulli(logits=eta)),
        (Gaussian(0.3), lambda eta: reference.Normal(eta, 0.3)),
    ],
)
def test_mean_nll_of_own_draws_is_the_entropy(likelihood, oracle):
    """E_p[-log p] is the entropy only for a likelihood that keeps its normalising constant."""
    torch.manual_seed(0)
    p = oracle(torch.randn(1, 1, 3, 3))
    x = p.sample((100_000,)).flatten(0, 1)
    eta = p.logits if isinstance(p, reference.Bernoulli) else p.loc
    nll = likelihood.nll(eta.expand_as(x), x)
    assert abs(nll.mean() - p.entropy().sum()) < 5 * nll.std() / len(x) ** 0.5


def test_sigma_is_trained_only_when_asked_and_finds_the_spread():
    assert not list(Gaussian(0.5).parameters())
    likelihood = Gaussian(1.0, learn=True)
    residual = 0.2 * torch.randn(100, 1, 10, 10)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        likelihood.nll(torch.zeros_like(residual), residual).mean().backward()
        optimizer.step()
    assert likelihood.log_sigma.exp().item() == pytest.approx(residual.square().mean().sqrt().item(), rel=1e-2)


@pytest.mark.parametrize("sigma", [0, -1, "wide"])
def test_sigma_must_be_positive(sigma):
    with pytest.raises(ConfigError, match="sigma: got"):
        Gaussian(sigma)


def test_bernoulli_refuses_data_outside_the_unit_interval():
    Bernoulli().check(torch.tensor([0.0, 1.0]))
    with pytest.raises(
        ConfigError, match=r"likelihood: got bernoulli with data in \[-1, 2\]; allowed: data in \[0, 1\]"
    ):
        Bernoulli().check(torch.tensor([-1.0, 2.0]))
