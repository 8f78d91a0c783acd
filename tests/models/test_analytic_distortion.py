"""The closed form of a linear decoder's distortion: against numerical integration, and where it is used."""

import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss

from vaesweep.models.analytic_distortion import expected_nll, has_affine_decoder, is_affine
from vaesweep.models.networks import Encoder
from vaesweep.models.vae import VAE

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
    assert is_affine(Encoder(nn.Sequential(nn.Linear(4, 2)), planes=False))


class Bent(torch.nn.Sequential):
    """Affine layers, and between them what is no module."""

    def forward(self, x):
        for layer in self:
            x = layer(x.relu())
        return x


def test_a_network_with_a_forward_of_its_own_is_not_taken_for_an_affine_one(model, batch):
    assert not is_affine(Bent(torch.nn.Linear(4, 2)))
    made = model("model=vae", *LINEAR)
    assert has_affine_decoder(made)
    made.decoder = Bent(*made.decoder)
    shape = made.noise_shape(batch)
    draws = [made.score(batch, torch.randn(shape)).images[:, 0] for _ in range(2)]
    assert not torch.equal(*draws)


def test_a_decode_of_ones_own_is_not_taken_for_an_affine_one(model):
    class Squashed(VAE):
        def decode(self, z, label):
            return super().decode(z, label).sigmoid()

    made = model("model=vae", *LINEAR)
    made.__class__ = Squashed
    assert not has_affine_decoder(made)


def test_mixed_precision_leaves_the_spread_in_full(model, batch):
    made = model("model=vae", *LINEAR)
    posterior = made.posterior(batch.image, batch.label)

    def spread():
        at_mean = made.likelihood.nll(made.decode(posterior.mean, batch.label), batch.image)
        return expected_nll(made, posterior, *batch) - at_mean

    with torch.autocast("cpu", torch.bfloat16):
        made.decode = lambda z, label, decode=made.decode: decode(z, label).float()
        half = spread()
        columns = made.decode(torch.eye(made.latent_dim), batch.label[:1].expand(made.latent_dim, -1))
        bias = made.decode(torch.zeros(1, made.latent_dim), batch.label[:1])
    lengths = (columns - bias).square().flatten(1).sum(1)
    exact = (posterior.sigma.square() * lengths).sum(1) / 0.3**2 / 2
    torch.testing.assert_close(half, exact, rtol=1e-3, atol=1e-3)
