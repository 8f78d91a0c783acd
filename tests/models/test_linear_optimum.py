"""A linear VAE, trained until nothing moves, against its exact optimum; and bugs that have to be found this way."""

from types import MethodType

import pytest
import torch

from support.nightly import at_night_but
from support.train_to_optimum import train_exactly, with_equal_moments
from vaesweep.metrics.linear_optimum import optimum, optimum_with_learned_sigma, spectrum
from vaesweep.models import VAE, Spec
from vaesweep.models.distributions import DiagonalGaussian, Gaussian
from vaesweep.models.networks import MLP
from vaesweep.models.schedules import Constant

D, SIGMA = 3, 0.7
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images():
    source = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 6, generator=source, dtype=torch.float64)
    return with_equal_moments((torch.randn(300, 6, generator=source, dtype=torch.float64) @ mixing).view(-1, 1, 2, 3))


def linear_vae(beta, learn=False):
    torch.manual_seed(0)
    spec = Spec((1, 2, 3), 1)
    return VAE(MLP([]), spec, D, Gaussian(SIGMA, learn), Constant(), beta).double()


def trained(made, images):
    """The model's terms at its least loss, and its posteriors."""
    labels = torch.zeros(len(images), 1, dtype=torch.int64)
    for _ in range(4):
        data, noise = train_exactly(made, images, labels, 500)
    with torch.no_grad():
        return made(data, noise), made.posterior(*data)


def deviation(made, images, beta):
    """Largest distance of loss, distortion and rate (nats), and of the codes' second moment, from the optimum's."""
    (terms, posterior), exact = trained(made, images), optimum(spectrum(images), D, beta, SIGMA)
    moment = (posterior.mean.square() + posterior.sigma.square()).mean(0)  # the prior's, used or not
    found = torch.stack([terms.loss, terms.distortion, *terms.penalties, *moment])
    return (found - torch.tensor([exact.loss, exact.distortion, exact.rate, *[1.0] * D])).abs().max().item()


@pytest.mark.parametrize("beta", at_night_but([1.0, 30.0], [0.25, 1.0, 30.0]))
def test_a_linear_vae_reaches_its_optimum(images, beta):
    assert deviation(linear_vae(beta), images, beta) < 2e-3


def test_with_a_learned_sigma_it_reaches_probabilistic_pca(images):
    (terms, _), exact = trained(linear_vae(1.0, learn=True), images), optimum_with_learned_sigma(spectrum(images), D)
    assert terms.loss.item() == pytest.approx(exact.loss, abs=2e-3)


def scaled_kl(made):
    made.batch_means = MethodType(lambda self, q, *rest: 1.02 * VAE.batch_means(self, q, *rest), made)


def constant_dropped(made):
    nll = made.likelihood.nll
    made.likelihood.nll = lambda eta, x: nll(eta, x) - made.likelihood.log_sigma


def beta_applied_twice(made):
    made.schedule.forward = lambda kl, progress: made.beta * kl


def free_bits_leak(made):
    made.free_bits.fill_(0.01)


def wide_prior(made):
    """KL to N(0, 1.1)."""

    def means(self, q, *rest):
        assert isinstance(q, DiagonalGaussian)
        variance = torch.tensor(1.1).double()
        return ((q.mean.square() + q.sigma.square()) / variance - 1 - q.logvar + variance.log()).mean(0) / 2

    made.batch_means = MethodType(means, made)


@pytest.mark.parametrize("bug", [scaled_kl, constant_dropped, beta_applied_twice, free_bits_leak, wide_prior])
def test_a_planted_bug_is_found(images, bug):
    beta = 30.0 if bug is free_bits_leak else 2.0  # where a dimension is not used
    made = linear_vae(beta)
    bug(made)
    assert deviation(made, images, beta) > 5e-3
