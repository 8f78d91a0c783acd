"""The contraction against autograd's Jacobian and a closed form."""

import copy
import itertools

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.func import functional_call, stack_module_state, vmap

from support.noise import noise_for
from vaesweep.errors import ConfigError
from vaesweep.models import Batch


@pytest.mark.parametrize("network", ["mlp", "conv", "linear"])
def test_contraction_is_the_squared_norm_of_the_jacobian(model, batch, network):
    made = model("model=contractive", f"network={network}").double()
    few = Batch(batch.image[:5].double(), batch.label[:5])
    norms = []
    for i in range(5):
        label = few.label[i : i + 1]
        one = jacobian(lambda x, y=label: made.posterior(x, y).mean, few.image[i : i + 1])
        norms.append(one.square().sum())
    terms = made(few, noise_for(made, few))
    assert torch.allclose(terms.penalties.sum(), torch.stack(norms).mean())
    assert torch.allclose(terms.loss, terms.distortion + 0.1 * terms.penalties.sum())


def test_closed_form_of_one_sigmoid_layer(model, batch):
    """Rifai et al. 2011: sum_j (h_j (1 - h_j))^2 sum_i W_ji^2."""
    made = model("model=contractive", "network=linear", "model.code=sigmoid")
    layer = made.encoder.body[0]
    h = torch.sigmoid(layer(batch.image.flatten(1)))
    expected = ((h * (1 - h)).square() * layer.weight.square().sum(1)).sum(1).mean()
    assert torch.allclose(made(batch, noise_for(made, batch)).penalties.sum(), expected, rtol=1e-5)


def test_its_gradient_agrees_with_finite_differences(model, batch):
    made = model("model=contractive", "network.hidden=[5]", "network.activation=tanh", "model.latent_dim=2").double()
    few = Batch(batch.image[:3].double(), batch.label[:3])
    weight = made.encoder.body[0].weight
    made(few, noise_for(made, few)).penalties.sum().backward()
    with torch.no_grad():
        ends = []
        for step in (1e-5, -2e-5):
            weight[2, 30] += step
            ends.append(made(few, noise_for(made, few)).penalties.sum().item())
    assert weight.grad[2, 30].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-10)


def test_a_negative_weight_is_refused(model):
    with pytest.raises(ConfigError, match=r"model.lam: got -1; allowed: a number of at least 0"):
        model("model=contractive", "model.lam=-1")


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("probes", [1, 2])
def test_probes_are_unbiased_and_their_variance_is_known(model, batch, network, probes):
    """Over every pattern of signs there is: mean ||J||_F^2, variance 2 sum_{i != j} (J J^T)_ij^2 / probes."""
    small = "network.hidden=[9]" if network == "mlp" else "network.channels=[3,4]"
    made = model("model=contractive", f"network={network}", small, "model.latent_dim=3", f"model.probes={probes}")
    made.double()
    one = Batch(batch.image[:1].double(), batch.label[:1])
    assert made.noise_shape(one) == (1, 3 * probes)
    patterns = torch.tensor(list(itertools.product((-0.3, 2.0), repeat=3 * probes))).double()
    found = torch.stack([made(one, pattern[None]).penalties.sum() for pattern in patterns])
    rows = jacobian(lambda x: made.posterior(x, one.label).mean, one.image).reshape(3, -1)
    products = rows @ rows.T
    assert torch.allclose(found.mean(), products.trace())
    apart = products.square().sum() - products.diagonal().square().sum()
    assert torch.allclose(found.var(correction=0), 2 * apart / probes)


def test_every_image_has_probes_of_its_own(model, batch):
    made = model("model=contractive", "model.probes=2")
    few = Batch(batch.image[:3], batch.label[:3])
    noise = noise_for(made, few)
    alone = [
        made(Batch(few.image[i : i + 1], few.label[i : i + 1]), noise[i : i + 1]).penalties.sum() for i in range(3)
    ]
    assert torch.allclose(made(few, noise).penalties.sum(), torch.stack(alone).mean())
    assert not torch.allclose(made(few, -noise[[1, 2, 0]]).penalties.sum(), made(few, noise).penalties.sum())


@pytest.mark.parametrize("network", ["mlp", "conv", "linear"])
def test_what_is_not_training_is_scored_exactly(model, batch, network):
    made = model("model=contractive", f"network={network}").eval()
    probing = model("model=contractive", f"network={network}", "model.probes=1")
    noise = noise_for(probing, batch)
    exact = made(batch, noise_for(made, batch))
    with torch.no_grad():
        assert torch.allclose(probing.eval()(batch, noise).penalties.sum(), exact.penalties.sum())
    assert not torch.allclose(probing.train()(batch, noise).penalties.sum(), exact.penalties.sum())


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_probes_in_a_stack(model, batch, network):
    made = [model("model=contractive", f"network={network}", "model.probes=2").double() for _ in range(2)]
    for parameter in made[1].parameters():
        parameter.data.mul_(1.1)
    few = Batch(batch.image[:5].double(), batch.label[:5])
    noise = torch.stack([noise_for(m, few, seed) for seed, m in enumerate(made)])
    state, skeleton = stack_module_state(made), copy.deepcopy(made[0]).to("meta")
    losses = vmap(lambda p, b, draw: functional_call(skeleton, (p, b), (few, draw)).loss)(*state, noise)
    losses.sum().backward()
    for i, m in enumerate(made):
        m(few, noise[i]).loss.backward()
        for name, together in state[0].items():
            assert torch.allclose(together.grad[i], m.get_parameter(name).grad)


@pytest.mark.parametrize("given", [0, -1, 1.5])
def test_probes_must_be_a_whole_number(model, given):
    with pytest.raises(ConfigError, match=f"model.probes: got {given}; allowed: a whole number of at least 1"):
        model("model=contractive", f"model.probes={given}")
