"""The parts of the rate against closed forms and numerical integration."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal, kl_divergence

from vaesweep.metrics.kl_decomposition import RateParts, mean_by_regression, rate_parts
from vaesweep.models.distributions import DiagonalGaussian


def parts(mean, sigma, draws=4000, seed=0):
    """`rate_parts` of posteriors at `mean` [N, d], each repeated until there are `draws`, so that the bounds meet."""
    repeats = draws // len(mean)
    means = torch.as_tensor(mean, dtype=torch.float64).repeat(repeats, 1)
    posterior = DiagonalGaussian(means, torch.full_like(means, 2 * math.log(sigma)))
    noise = torch.randn(means.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows = torch.arange(len(means)).split(1000)
    found = rate_parts(posterior, posterior.sample(noise), rows)
    assert all(upper - lower < 0.02 for lower, upper, _ in found)
    return RateParts(*((lower + upper) / 2 for lower, upper, _ in found)), posterior


@pytest.mark.slow
def test_equal_posteriors_carry_no_information():
    found, posterior = parts([[0.5, -1.0, 0.0]], 0.8)
    assert found.mutual_information == pytest.approx(0, abs=1e-3)
    assert found.total_correlation == pytest.approx(0, abs=1e-3)
    assert found.marginal_kl == pytest.approx(posterior.kl().sum(1).mean().item(), abs=0.05)


@pytest.mark.slow
def test_two_images_far_apart_on_a_diagonal():
    """Which of the two it is: ln 2 nats, told by z, and told by each dimension about the other."""
    found, _ = parts([[-3.0, -3.0], [3.0, 3.0]], 0.3)
    assert found.mutual_information == pytest.approx(math.log(2), abs=1e-3)
    assert found.total_correlation == pytest.approx(math.log(2), abs=1e-3)
    one = kl_divergence(Normal(3.0, 0.3), Normal(0.0, 1.0)).item() - math.log(2)  # of a mixture that does not overlap
    assert found.dimensionwise_kl == pytest.approx(2 * one, abs=0.1)


@pytest.mark.slow
def test_independent_dimensions_have_no_total_correlation():
    corners = [[-2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [2.0, 2.0]]
    found, _ = parts(corners, 0.7)
    assert found.total_correlation == pytest.approx(0, abs=1e-2)
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


def gaussian(dimensions, sigma, images=1000):
    """`rate_parts` of images at x ~ N(0, (1 - sigma^2) I): q(z) is N(0, I), and I(x; z) = -d ln sigma."""
    source = torch.Generator().manual_seed(0)
    means = (1 - sigma**2) ** 0.5 * torch.randn(images, dimensions, generator=source, dtype=torch.float64)
    posterior = DiagonalGaussian(means, torch.full_like(means, 2 * math.log(sigma)))
    noise = torch.randn(means.shape, generator=source, dtype=torch.float64)
    return rate_parts(posterior, posterior.sample(noise), torch.arange(images).split(250))


@pytest.mark.slow
@pytest.mark.parametrize(("dimensions", "sigma"), [(1, 0.5), (2, 0.5), (5, 0.3), (10, 0.2), (30, 0.05)])
def test_the_bounds_hold_what_is_known(dimensions, sigma):
    """A total correlation of 0, which one estimate from 1,000 images puts at 9 nats for 10 dimensions."""
    found, noise = gaussian(dimensions, sigma), 0.1 * dimensions**0.5
    lower, upper, _ = found.mutual_information
    assert lower - noise <= -dimensions * math.log(sigma) <= upper + noise
    for part in found[1:]:
        assert part.lower <= noise
        assert part.upper >= 0
    if dimensions >= 10:
        assert found.total_correlation.upper > 5
        assert upper - lower > 5


@pytest.mark.slow
def test_the_bounds_of_few_dimensions_meet():
    found = gaussian(1, 0.5, images=4000)
    assert all(upper - lower < 0.02 for lower, upper, _ in found)
    assert found.mutual_information.upper == pytest.approx(math.log(2), abs=0.05)


def test_parts_add_up_to_the_kl():
    torch.manual_seed(0)
    means = torch.randn(400, 3) * 1.5
    posterior = DiagonalGaussian(means, torch.full_like(means, 2 * math.log(0.4)))
    found = rate_parts(posterior, posterior.sample(torch.randn_like(means)), torch.arange(400).split(100))
    kl = posterior.kl().sum(1).mean().item()
    assert found.mutual_information.lower + found.marginal_kl.upper == pytest.approx(kl)
    assert found.mutual_information.upper + found.marginal_kl.lower == pytest.approx(kl)
    total = found.total_correlation.lower + found.dimensionwise_kl.upper, found.marginal_kl.upper
    assert found.marginal_kl.lower - 1e-6 <= total[0] <= total[1] + 1e-6


def test_without_an_overlap_the_lower_bound_is_the_logarithm_of_the_number_of_images():
    torch.manual_seed(0)
    means = torch.randn(50, 6) * 9
    posterior = DiagonalGaussian(means, torch.full_like(means, -9.0))
    found = rate_parts(posterior, posterior.sample(torch.randn_like(means)), [torch.arange(50)])
    assert found.mutual_information.lower == pytest.approx(math.log(50), abs=1e-4)
    assert found.mutual_information.upper == pytest.approx(posterior.kl().sum(1).mean().item(), rel=0.05)


@pytest.mark.parametrize("images", [1, 7, 300])
@pytest.mark.parametrize("seed", range(5))
def test_no_part_is_negative_or_above_the_kl_whatever_was_drawn(images, seed):
    source = torch.Generator().manual_seed(seed)
    means = 0.1 * torch.randn(images, 3, generator=source)
    posterior = DiagonalGaussian(means, torch.full_like(means, -0.02))
    found = rate_parts(posterior, posterior.sample(torch.randn(images, 3, generator=source)), [torch.arange(images)])
    kl = posterior.kl().sum(1).mean().item()
    assert all(0 <= lower <= upper <= kl + 1e-6 for lower, upper, _ in found)


def test_one_image_tells_nothing_apart():
    posterior = DiagonalGaussian(torch.ones(1, 2), torch.zeros(1, 2))
    found = rate_parts(posterior, posterior.sample(torch.zeros(1, 2)), [torch.arange(1)])
    assert found.mutual_information[:2] == pytest.approx((0, 1))
    assert found.marginal_kl[:2] == pytest.approx((0, 1))
    assert math.isinf(found.mutual_information.error)


def test_one_dimension_has_no_total_correlation():
    for images in (1, 50):
        found = gaussian(1, 0.5, images=images)
        assert found.total_correlation == (0, 0, 0)
        assert found.dimensionwise_kl == found.marginal_kl


def test_a_regression_takes_out_what_the_controls_explain():
    torch.manual_seed(0)
    controls = torch.randn(2, 2000, dtype=torch.float64)
    values = 5 + 3 * controls[0] - 2 * controls[1] + 0.01 * torch.randn(2000)
    mean, error = mean_by_regression(values, controls)
    assert mean == pytest.approx(5, abs=4 * error)
    assert error == pytest.approx(0.01 / 2000**0.5, rel=0.1)
    assert mean_by_regression(values, 0 * controls)[0] == pytest.approx(values.mean().item())


def test_the_error_is_that_of_other_rows_and_draws():
    torch.manual_seed(0)
    means = torch.randn(1000, 2)
    posterior, found = DiagonalGaussian(means, torch.full_like(means, -1.0)), []
    for _ in range(100):
        rows, z = torch.randperm(1000)[:100], posterior.sample(torch.randn(1000, 2))
        parts_found = rate_parts(posterior, z, [rows])
        found.append([parts_found.mutual_information, parts_found.dimensionwise_kl])
    for part in torch.tensor(found).unbind(1):
        lower, _, error = part.T
        assert error.mean().item() == pytest.approx(lower.std().item(), rel=0.25)
