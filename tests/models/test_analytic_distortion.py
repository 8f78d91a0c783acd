"""The closed form of a linear decoder's distortion: against numerical integration, and where it is used."""

import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss

from vaesweep.models.analytic_distortion import expected_nll, is_affine

LINEAR = ("network=linear", "model/likelihood=gaussian", "model.likelihood.sigma=0.3")


@pytest.mark.parametrize("name", ["vae", "cvae"])
def test_the_expectation_is_that_of_gauss_hermite_quadrature(model, batch, name):
    made = model(f"model={name}", *LINEAR, "model.latent_dim=2").double()
    image, label = batch.image.double(), batch.label
    posterior = made.posterior(image, label)
    roots, weights = map(torch.from_numpy, hermegauss(8))
    weights = weights / weights.sum()
    total = torch.zeros(len(image), dtype=torch.float64)
    for i in range(8):
        for j in range(8):
            noise = torch.stack([roots[i], roots[j]]).expand(len(image), 2)
            nll = made.likelihood.nll(made.decode(posterior.sample(noise), label), image)
            total += weights[i] * weights[j] * nll
    torch.testing.assert_close(expected_nll(made, posterior, image, label), total, rtol=1e-10, atol=1e-10)


def test_a_score_depends_on_no_noise_where_the_decoder_is_linear(model, batch):
    made = model("model=beta_vae", *LINEAR)
    shape = made.noise_shape(batch)
    scores = [made.score(batch, torch.randn(shape)) for _ in range(2)]
    assert torch.equal(scores[0].images, scores[1].images)
    torch.testing.assert_close(scores[0].means[0], scores[0].images[:, 0].mean())
    # the noise of training is what it was
    assert made(batch, torch.zeros(shape)).distortion < scores[0].means[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("network=mlp", "model/likelihood=gaussian"),
        ("network=linear", "model/likelihood=bernoulli"),
    ],
)
def test_elsewhere_the_noise_counts(model, batch, settings):
    made = model("model=vae", *settings)
    shape = made.noise_shape(batch)
    first, second = (made.score(batch, torch.randn(shape)).images[:, 0] for _ in range(2))
    assert not torch.equal(first, second)


def test_a_point_code_is_scored_as_it_is_trained(model, batch):
    made = model("model=ae", *LINEAR)
    noise = torch.zeros(made.noise_shape(batch))
    assert made.score(batch, noise).means[0] == made(batch, noise).distortion


def test_what_is_affine():
    nn = torch.nn
    assert is_affine(nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Identity(), nn.Unflatten(1, (1, 2))))
    assert not is_affine(nn.Sequential(nn.Linear(4, 2), nn.ReLU()))
