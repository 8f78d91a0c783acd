"""The multi-rate VAE: its objective by hand, and the whole curve of a linear one against reverse water-filling."""

import pytest
import torch
from torch import distributions as reference

from support.noise import noise_for
from support.train_to_optimum import minimise_exactly, with_equal_moments
from vaesweep.errors import ConfigError
from vaesweep.metrics.linear_optimum import optimum, spectrum
from vaesweep.models import Batch, MultiRateVAE, Spec
from vaesweep.models.distributions import Gaussian
from vaesweep.models.multi_rate_vae import SHIFT, SPREAD
from vaesweep.models.networks import MLP

D, SIGMA, LOW, HIGH, WEIGHTS = 3, 0.7, 0.1, 20.0, 30


@pytest.fixture
def made(model):
    return model("model=multi_rate", "model.latent_dim=3", "model.beta_min=0.1", "model.beta_max=20").double()


@pytest.fixture
def few(batch):
    return Batch(batch.image[:7].double(), batch.label[:7])


def test_both_ends_of_the_range_are_drawn_more_often_than_its_middle_and_the_upper_most(made):
    noise = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0)).double()
    share = (made.log_betas(noise) - made.beta_min.log()) / (made.beta_max / made.beta_min).log()
    ranks = (torch.arange(20_000) + 0.5) / 20_000
    quantiles = torch.special.ndtri(share[:, 0].clamp(0, 1).sort().values)  # infinite where it is rounded to an end
    drawn = reference.Normal(0.4, 3.0, validate_args=False).cdf(quantiles)
    assert (drawn - ranks).abs().max() < 0.0136  # Kolmogorov-Smirnov at 0.1 %
    low, *middle, high = share.histc(5, 0, 1).tolist()
    assert max(middle) < low < high


def test_the_range_grows_from_its_largest_weight_down_over_the_ramp(made):
    noise = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0)).double()
    made.ramp.fill_(0.4)
    lowest = []
    for progress in (0.0, 0.2, 0.4, 1.0):
        made.progress.fill_(progress)
        weights = made.log_betas(noise).exp()
        assert weights.max().item() == pytest.approx(20, rel=1e-2)
        lowest.append(weights.min().item())
    assert lowest == pytest.approx([20, (0.1 * 20) ** 0.5, 0.1, 0.1], rel=1e-2)


def test_the_loss_is_the_mean_of_every_image_at_its_own_weight(made, few):
    noise = noise_for(made, few)
    log_beta = made.log_betas(noise)
    losses, rates = [], []
    for i in range(7):
        image, label = few.image[i : i + 1], few.label[i : i + 1]
        condition = made.modulation(log_beta[i : i + 1])
        q = made.posterior(image, label, condition)
        eta = made.decode(q.mean + q.sigma * noise[i : i + 1, :-1], label, condition)
        kl = reference.kl_divergence(reference.Normal(q.mean, q.sigma), reference.Normal(0.0, 1.0)).sum()
        losses.append(-(image * eta.sigmoid().log() + (1 - image) * (-eta).sigmoid().log()).sum())
        losses[-1] = losses[-1] + log_beta[i].exp() * kl
        rates.append(kl)
    terms = made(few, noise)
    assert torch.allclose(terms.loss, torch.stack(losses).mean())
    assert torch.allclose(terms.penalties, torch.stack(rates).mean())


def test_once_trained_it_is_scored_at_one_weight_whatever_the_noise_says(made, few):
    noise = noise_for(made, few)
    made.eval().set_rate_weight(2.0)
    terms = made(few, noise)
    assert torch.allclose(terms.loss, terms.distortion + 2 * terms.penalties[0])
    noise[:, -1] = 1.5
    assert torch.equal(made(few, noise).loss, terms.loss)


def test_a_dimension_is_off_beyond_its_weight(made, few):
    made.log_tau.data = torch.tensor([0.5, 1.0, 30.0]).double().log()
    made.eval().set_rate_weight(1.0)
    _, mean, code, _ = made.modulation(made.beta.log().view(1, 1))
    assert torch.allclose(mean[0], torch.tensor([0.0, 0.0, (1 - 1 / 30) ** 0.5]).double(), atol=0.011)
    assert torch.equal(mean, code)


@pytest.mark.parametrize("weight", [0.0999, 20.01, float("nan"), -1.0])
def test_a_weight_out_of_its_range_is_refused(made, weight):
    with pytest.raises(ConfigError, match=r"beta: got .*; allowed: "):
        made.set_rate_weight(weight)


def test_the_ends_of_the_range_are_in_it(made):
    for weight in (0.1, 20.0):
        made.set_rate_weight(weight)
        assert made.beta.item() == pytest.approx(weight)


def test_other_models_refuse_another_weight(model):
    with pytest.raises(ConfigError, match="beta: got 2; allowed: nothing, as this model was trained for one weight"):
        model("model=beta_vae").set_rate_weight(2)


@pytest.mark.parametrize(("low", "high", "beta"), [(1, 1, 1), (2, 1, 1), (0, 1, 1), (1, 2, 3)])
def test_an_empty_range_and_a_weight_beyond_it_are_refused(low, high, beta):
    with pytest.raises(ConfigError, match="beta"):
        MultiRateVAE(MLP([]), Spec((1, 2, 3), 1), 2, Gaussian(), low, high, beta=beta)


@pytest.fixture(scope="module")
def images():
    source = torch.Generator().manual_seed(0)
    x = torch.randn(300, 6, generator=source, dtype=torch.float64)
    x = x @ torch.randn(6, 6, generator=source, dtype=torch.float64)
    return with_equal_moments(x.view(-1, 1, 2, 3))


def train_at_all_weights(made, images, rounds):
    """Minimises the loss exactly over the codes' noise, at `WEIGHTS` weights from one end of the range to the other."""
    points = D**0.5 * torch.cat([torch.eye(D), -torch.eye(D)]).double()
    shares = (torch.special.ndtri(torch.linspace(0, 1, WEIGHTS).double()) - SHIFT) / SPREAD
    noise = torch.cat([points.repeat_interleave(WEIGHTS, 0), shares.repeat(2 * D)[:, None]], dim=1)
    data = Batch(images.repeat(len(noise), 1, 1, 1), torch.zeros(len(images) * len(noise), 1, dtype=torch.int64))
    for _ in range(rounds):
        minimise_exactly(made, data, noise.repeat_interleave(len(images), dim=0), 200)


def curve(made, images, betas):
    """Exact distortion and rate [2, K] at some weights."""
    noise = D**0.5 * torch.cat([torch.eye(D), -torch.eye(D)]).double()
    noise = torch.nn.functional.pad(noise, (0, 1)).repeat_interleave(len(images), dim=0)
    data = Batch(images.repeat(2 * D, 1, 1, 1), torch.zeros(len(noise), 1, dtype=torch.int64))
    made.eval()
    found = []
    for beta in betas.tolist():
        made.set_rate_weight(beta)
        with torch.no_grad():
            terms = made(data, noise)
        found.append([terms.distortion, terms.penalties[0]])
    return torch.tensor(found).T


def worst(made, images):
    """Largest share by which the loss exceeds its optimum, and by which a slope misses it, at 20 weights."""
    betas = torch.linspace(LOW, HIGH, 2).double().log()
    betas = torch.linspace(*betas.tolist(), 20).double().exp()
    distortion, rate = curve(made, images, betas)
    exact = [optimum(spectrum(images), D, beta, SIGMA) for beta in betas.tolist()]
    best = torch.tensor([[e.distortion, e.rate, e.loss] for e in exact]).T
    slope, exact_slope = distortion.diff() / rate.diff(), best[0].diff() / best[1].diff()
    return (((distortion + betas * rate) / best[2] - 1).max().item(), (slope / exact_slope - 1).abs().max().item())


@pytest.mark.slow
def test_one_linear_run_meets_reverse_water_filling_at_every_weight(images):
    torch.manual_seed(0)
    made = MultiRateVAE(MLP([]), Spec((1, 2, 3), 1), D, Gaussian(SIGMA), LOW, HIGH).double()
    train_at_all_weights(made, images, rounds=7)
    excess, slope_error = worst(made, images)
    assert excess < 0.005
    assert slope_error < 0.02


@pytest.mark.slow
def test_a_loss_at_other_weights_than_the_model_is_told_is_found(images):
    torch.manual_seed(0)
    made = MultiRateVAE(MLP([]), Spec((1, 2, 3), 1), D, Gaussian(SIGMA), LOW, HIGH).double()
    right = made.batch_means
    made.batch_means = lambda q, seen, label, noise: right(
        q, seen, label, torch.cat([noise[:, :-1], noise[:, -1:] + 0.15], 1)
    )
    train_at_all_weights(made, images, rounds=1)
    assert worst(made, images)[0] > 0.005
