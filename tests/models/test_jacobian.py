"""Squared norms of Jacobians against autograd's Jacobian, in float64."""

import copy

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian as oracle
from torch.func import functional_call, grad, stack_module_state, vmap

from vaesweep.models.jacobian import dense_layers, jacobian, squared_norms, vector_jacobian_products
from vaesweep.models.networks import ACTIVATIONS, MLP, Conv, Encoder, activation

SHAPE = (1, 3, 4)
HIDDEN = {"none": [], "one": [6], "wider than the image": [15], "two": [7, 5], "two, wide": [14, 5]}


class Code(nn.Module):
    """code(encoder(image, condition)), in float64 and with weights that saturate nothing."""

    def __init__(self, network, code, conditions=0, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.encoder, self.code = network.encoder(SHAPE, 4, conditions), activation(code)
        self.double()
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.4)

    def forward(self, image, condition=None):
        return self.code(self.encoder(image, condition))

    def fast(self, image, condition=None):
        layers = dense_layers(self.encoder, self.code)
        return squared_norms(layers, self.encoder.join(image, condition), image[0].numel())


def images(count=3):
    return torch.rand(count, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def slow(made, image, condition=None):
    """The sum over images of ||dz/dx||_F^2, image by image, with a graph behind it."""
    total = image.new_zeros(())
    for i in range(len(image)):
        c = None if condition is None else condition[i : i + 1]
        total = total + oracle(lambda x, c=c: made(x, c), image[i : i + 1], create_graph=True).square().sum()
    return total


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("code", ["identity", "sigmoid"])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_a_dense_encoder_and_its_gradient(hidden, code, act):
    made = Code(MLP(hidden, act), code)
    wanted, found = slow(made, images()), made.fast(images())
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)
    parameters = list(made.parameters())
    want, have = (
        torch.autograd.grad(norm, parameters, allow_unused=True, materialize_grads=True) for norm in (wanted, found)
    )
    for w, h in zip(want, have, strict=True):
        assert torch.allclose(w, h, atol=1e-12)


@pytest.mark.parametrize("code", ACTIVATIONS)
def test_every_code(code):
    made = Code(MLP([6], "tanh"), code)
    assert made.fast(images()).item() == pytest.approx(slow(made, images()).item(), rel=1e-12)


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_a_condition_moves_the_norm_but_is_no_part_of_it(hidden):
    made = Code(MLP(hidden, "tanh"), "sigmoid", conditions=2)
    condition = torch.eye(2, dtype=torch.float64)[[0, 1, 1]]
    assert made.fast(images(), condition).item() == pytest.approx(slow(made, images(), condition).item(), rel=1e-12)


@pytest.mark.parametrize(("hidden", "code"), [([6], "identity"), ([6], "sigmoid"), ([], "sigmoid"), ([14, 5], "tanh")])
def test_gradients_under_vmap_are_those_of_each_member(hidden, code):
    made = [Code(MLP(hidden, "silu"), code, seed=seed) for seed in range(2)]
    parameters, _ = stack_module_state(made)
    skeleton = Fast(copy.deepcopy(made[0]).to("meta"))

    def one(given, image):
        return functional_call(skeleton, {f"made.{name}": p for name, p in given.items()}, (image,))

    # both ways to a stack's gradient: backward through vmap, and grad inside it
    together = vmap(one, in_dims=(0, None))(parameters, images())
    outside = torch.autograd.grad(together.sum(), list(parameters.values()), allow_unused=True)
    inside = vmap(grad(one), in_dims=(0, None))(parameters, images())
    for i, m in enumerate(made):
        alone = m.fast(images())
        assert together[i].item() == pytest.approx(alone.item(), rel=1e-12)
        for name, by_backward in zip(parameters, outside, strict=True):
            (want,) = torch.autograd.grad(alone, m.get_parameter(name), retain_graph=True, allow_unused=True)
            if want is not None:
                assert torch.allclose(by_backward[i], want)
                assert torch.allclose(inside[name][i], want)


class Fast(nn.Module):
    """`Code.fast` as a forward, which is what `functional_call` calls."""

    def __init__(self, made):
        super().__init__()
        self.made = made

    def forward(self, image):
        return self.made.fast(image)


def test_mixed_precision_leaves_the_norm_in_full():
    """The Gram matrix squares what it is made of: in half a small norm would drown in its own rounding."""
    made, image = Code(MLP([7, 5]), "sigmoid").float(), images().float()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made.fast(image)
    assert torch.equal(mixed, made.fast(image))


@pytest.mark.parametrize("network", [MLP([6], "tanh"), Conv((2,), (3,), 4, "tanh")], ids=["mlp", "conv"])
def test_rows_and_projections_of_any_encoder(network):
    shape = (1, 4, 4)
    torch.manual_seed(0)
    encoder = network.encoder(shape, 5).double()
    image, probes = torch.rand(3, *shape).double(), torch.randn(2, 3, 5).double()
    rows = jacobian(encoder, image)
    for i in range(3):
        one = oracle(encoder, image[i : i + 1])[0, :, 0]
        assert torch.allclose(rows[:, i], one)
        products = vector_jacobian_products(encoder, image, probes)[:, i]
        assert torch.allclose(products, torch.einsum("nd,dchw->nchw", probes[:, i], one))


def test_only_dense_encoders_have_dense_layers():
    identity = nn.Identity()
    assert dense_layers(Conv((2,), (3,), 4).encoder((1, 4, 4), 5), identity) is None
    assert dense_layers(nn.Linear(3, 4), identity) is None
    mixing = MLP([6]).encoder(SHAPE, 4)
    mixing.body[1] = nn.Softmax(dim=1)
    assert dense_layers(mixing, identity) is None
    assert len(dense_layers(MLP([6, 5]).encoder(SHAPE, 4), identity)) == 3


class Shifted(Encoder):
    def forward(self, image, condition=None):
        return super().forward(2 * image - 1, condition)


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


@pytest.mark.parametrize("kind", ["encoder", "body"])
def test_the_contraction_of_an_encoder_with_a_forward_of_its_own_is_by_autograd(model, batch, kind):
    made = model("model=contractive", "network.hidden=[6]")
    pixels = batch.image[0].numel()
    body = nn.Sequential(nn.Linear(pixels, 6), nn.Sigmoid(), nn.Linear(6, made.latent_dim))
    own = Shifted(body, False)
    if kind == "body":
        own = Encoder(nn.Sequential(Residual(nn.Linear(pixels, pixels)), nn.Linear(pixels, made.latent_dim)), False)
    made.encoder = own
    rows = jacobian(lambda image: made.posterior(image, batch.label).mean, batch.image)
    contraction = made(batch, torch.zeros(made.noise_shape(batch))).penalties[0]
    torch.testing.assert_close(contraction, rows.square().sum() / len(batch.image))
