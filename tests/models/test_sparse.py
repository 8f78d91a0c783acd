import pytest
import torch
from torch import distributions as reference

from support.noise import noise_for
from vaesweep.errors import ConfigError


def test_kl_is_summed_over_units_of_their_mean_over_the_batch(model, batch):
    made = model("model=sparse", "model.beta=2", "model.rho=0.1")
    terms = made(batch, noise_for(made, batch))
    means = torch.sigmoid(made.encoder(batch.image)).mean(0)
    expected = reference.kl_divergence(reference.Bernoulli(0.1), reference.Bernoulli(means)).sum()
    assert torch.allclose(terms.penalties.sum(), expected, rtol=1e-5)
    assert torch.allclose(terms.loss, terms.distortion + 2 * expected, rtol=1e-5)


def test_l1_is_the_sum_of_magnitudes(model, batch):
    made = model("model=sparse", "model.penalty=l1", "model.code=identity")
    expected = made.encoder(batch.image).abs().sum(1).mean()
    assert torch.allclose(made(batch, noise_for(made, batch)).penalties.sum(), expected)


@pytest.mark.parametrize("rho", [0, 1, -0.2, 1.5])
def test_rho_lies_strictly_between_0_and_1(model, rho):
    with pytest.raises(ConfigError, match=rf"model.rho: got {rho}; allowed: a number in \(0, 1\)"):
        model("model=sparse", f"model.rho={rho}")


def test_kl_needs_a_sigmoid_code(model):
    with pytest.raises(ConfigError, match=r"model.code: got relu with penalty kl; allowed: sigmoid, or penalty l1"):
        model("model=sparse", "model.code=relu")
