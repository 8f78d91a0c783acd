"""The contraction against autograd's Jacobian and a closed form."""

import pytest
import torch
from conftest import noise_for
from torch.autograd.functional import jacobian

from vaesweep.checks import Invalid
from vaesweep.terms import Batch


@pytest.mark.parametrize("network", ["mlp", "conv", "linear"])
def test_contraction_is_the_squared_norm_of_the_jacobian(member, batch, network):
    made = member("model=contractive", f"network={network}").double()
    few = Batch(batch.image[:5].double(), batch.label[:5])
    norms = []
    for i in range(5):
        label = few.label[i : i + 1]
        one = jacobian(lambda x, y=label: made.posterior(x, y).mean, few.image[i : i + 1])
        norms.append(one.square().sum())
    terms = made(few, noise_for(made, few))
    assert torch.allclose(terms.penalty, torch.stack(norms).mean())
    assert torch.allclose(terms.loss, terms.distortion + 0.1 * terms.penalty)


def test_closed_form_of_one_sigmoid_layer(member, batch):
    """Rifai et al. 2011: sum_j (h_j (1 - h_j))^2 sum_i W_ji^2."""
    made = member("model=contractive", "network=linear", "model.code=sigmoid")
    layer = made.encoder.body[0]
    h = torch.sigmoid(layer(batch.image.flatten(1)))
    expected = ((h * (1 - h)).square() * layer.weight.square().sum(1)).sum(1).mean()
    assert torch.allclose(made(batch, noise_for(made, batch)).penalty, expected, rtol=1e-5)


def test_its_gradient_agrees_with_finite_differences(member, batch):
    made = member("model=contractive", "network.hidden=[5]", "network.activation=tanh", "model.latent_dim=2").double()
    few = Batch(batch.image[:3].double(), batch.label[:3])
    weight = made.encoder.body[0].weight
    made(few, noise_for(made, few)).penalty.backward()
    with torch.no_grad():
        ends = []
        for step in (1e-5, -2e-5):
            weight[2, 30] += step
            ends.append(made(few, noise_for(made, few)).penalty.item())
    assert weight.grad[2, 30].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-10)


def test_a_negative_weight_is_refused(member):
    with pytest.raises(Invalid, match=r"model.lam: got -1; allowed: a number of at least 0"):
        member("model=contractive", "model.lam=-1")
