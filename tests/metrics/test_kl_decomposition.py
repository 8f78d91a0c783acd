"""The parts of the rate against closed forms and numerical integration."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal, kl_divergence

from vaesweep.metrics.kl_decomposition import rate_parts
from vaesweep.models.distributions import DiagonalGaussian


def parts(mean, sigma, draws=4000, seed=0):
    """`rate_parts` of posteriors at `mean` [N, d], each image repeated until there are `draws`."""
    repeats = draws // len(mean)
    means = torch.as_tensor(mean, dtype=torch.float64).repeat(repeats, 1)
    posterior = DiagonalGaussian(means, torch.full_like(means, 2 * math.log(sigma)))
    noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows = torch.arange(len(means)).split(1000)
    return rate_parts(posterior, posterior.sample(noise), rows), posterior


def test_equal_posteriors_carry_no_information():
    found, posterior = parts([[0.5, -1.0, 0.0]], 0.8)
    assert found.mutual_information == pytest.approx(0, abs=1e-6)
    assert found.total_correlation == pytest.approx(0, abs=1e-6)
    assert found.marginal_kl == pytest.approx(posterior.kl().sum(1).mean().item(), abs=0.05)


def test_two_images_far_apart_on_a_diagonal():
    """Which of the two it is: ln 2 nats, told by z, and told by each dimension about the other."""
    found, _ = parts([[-3.0, -3.0], [3.0, 3.0]], 0.3)
    assert found.mutual_information == pytest.approx(math.log(2), abs=1e-4)
    assert found.total_correlation == pytest.approx(math.log(2), abs=1e-4)
    one = kl_divergence(Normal(3.0, 0.3), Normal(0.0, 1.0)).item() - math.log(2)  # of a mixture that does not overlap
    assert found.dimensionwise_kl == pytest.approx(2 * one, abs=0.1)


def test_independent_dimensions_have_no_total_correlation():
    corners = [[-2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [2.0, 2.0]]
    found, _ = parts(corners, 0.7)
    assert found.total_correlation == pytest.approx(0, abs=1e-6)
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    mixture = MixtureSameFamily(
        Categorical(torch.ones(2, dtype=torch.float64)), Normal(torch.tensor([-2.0, 2.0], dtype=torch.float64), 0.7)
    )
    log_q = mixture.log_prob(grid)
    exact = torch.trapezoid(log_q.exp() * (log_q - Normal(0, 1).log_prob(grid)), grid).item()
    assert found.dimensionwise_kl == pytest.approx(2 * exact, rel=0.03)
    entropy = -torch.trapezoid(log_q.exp() * log_q, grid).item()
    noise = math.log(0.7 * math.sqrt(2 * math.pi * math.e))
    assert found.mutual_information == pytest.approx(2 * (entropy - noise), abs=0.05)


def test_parts_add_up_to_the_kl():
    torch.manual_seed(0)
    found, posterior = parts(torch.randn(400, 3) * 1.5, 0.4)
    assert found.marginal_kl == pytest.approx(found.total_correlation + found.dimensionwise_kl)
    assert found.mutual_information + found.marginal_kl == pytest.approx(posterior.kl().sum(1).mean().item(), abs=0.1)


def test_information_about_the_image_is_at_most_the_logarithm_of_their_number():
    torch.manual_seed(0)
    means = torch.randn(50, 6) * 9
    posterior = DiagonalGaussian(means, torch.full_like(means, -9.0))
    found = rate_parts(posterior, posterior.sample(torch.randn_like(means)), [torch.arange(50)])
    assert found.mutual_information == pytest.approx(math.log(50), abs=1e-4)
