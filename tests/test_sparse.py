import pytest
import torch
from conftest import noise_for
from torch import distributions as reference

from vaesweep.checks import Invalid


def test_kl_is_summed_over_units_of_their_mean_over_the_batch(member, batch):
    made = member("model=sparse", "model.beta=2", "model.rho=0.1")
    terms = made(batch, noise_for(made, batch))
    means = torch.sigmoid(made.encoder(batch.image)).mean(0)
    expected = reference.kl_divergence(reference.Bernoulli(0.1), reference.Bernoulli(means)).sum()
    assert torch.allclose(terms.penalty, expected, rtol=1e-5)
    assert torch.allclose(terms.loss, terms.distortion + 2 * expected, rtol=1e-5)


def test_l1_is_the_sum_of_magnitudes(member, batch):
    made = member("model=sparse", "model.penalty=l1", "model.code=identity")
    expected = made.encoder(batch.image).abs().sum(1).mean()
    assert torch.allclose(made(batch, noise_for(made, batch)).penalty, expected)


@pytest.mark.parametrize("rho", [0, 1, -0.2, 1.5])
def test_rho_lies_strictly_between_0_and_1(member, rho):
    with pytest.raises(Invalid, match=rf"model.rho: got {rho}; allowed: a number in \(0, 1\)"):
        member("model=sparse", f"model.rho={rho}")


def test_kl_needs_a_sigmoid_code(member):
    with pytest.raises(Invalid, match=r"model.code: got relu with penalty kl; allowed: sigmoid, or penalty l1"):
        member("model=sparse", "model.code=relu")
