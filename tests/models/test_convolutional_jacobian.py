"""The squared norm of a convolutional encoder's Jacobian against autograd's, in float64."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from vaesweep.models.convolutional_jacobian import known_layers, squared_norms_by_rows
from vaesweep.models.jacobian import jacobian
from vaesweep.models.networks import MLP, Burgess, Conv, Encoder, activation

SHAPE = (2, 8, 8)
NETWORKS = {
    "narrow": Conv((3, 4), (2,), 3, "tanh"),
    "narrow in the middle": Conv((3,), (6, 3, 5), 4, "silu"),
    "narrowest at the code": Conv((3, 4), (7,), 4, "softplus"),
    "no dense layers": Conv((3,), (), 3, "sigmoid"),
    "relu": Conv((3, 4), (3, 6), 4, "relu"),
}


class Code(nn.Module):
    """code(encoder(image, condition)), in float64 and with weights that saturate nothing."""

    def __init__(self, network, code="identity", conditions=0, seed=0, shape=SHAPE):
        super().__init__()
        torch.manual_seed(seed)
        self.encoder, self.code = network.encoder(shape, 4, conditions), activation(code)
        self.double()
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.4)

    def forward(self, image, condition=None):
        layers = known_layers(self.encoder, self.code)
        return squared_norms_by_rows(layers, self.encoder.join(image, condition), image.shape[1])

    def slow(self, image, condition=None):
        return jacobian(lambda x: self.code(self.encoder(x, condition)), image).square().sum()


def images(count=3, shape=SHAPE):
    return torch.rand(count, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def gradients(norm, parameters):
    return torch.autograd.grad(norm, list(parameters), allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("code", ["identity", "sigmoid"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_norm_and_its_gradient_are_those_by_autograd(network, code):
    made = Code(network, code)
    found, wanted = made(images()), made.slow(images())
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)
    for have, want in zip(gradients(found, made.parameters()), gradients(wanted, made.parameters()), strict=True):
        assert torch.allclose(have, want, rtol=1e-10, atol=1e-12)


def test_burgess():
    made = Code(Burgess("relu"), shape=(1, 32, 32))
    image = images(2, (1, 32, 32))
    assert made(image).item() == pytest.approx(made.slow(image).item(), rel=1e-12)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_condition_moves_the_norm_but_is_no_part_of_it(network):
    made = Code(network, conditions=2)
    condition = torch.eye(2, dtype=torch.float64)[[0, 1, 1]]
    assert made(images(), condition).item() == pytest.approx(made.slow(images(), condition).item(), rel=1e-12)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_gradients_under_vmap_are_those_of_each_member(network):
    made = [Code(network, "sigmoid", seed=seed) for seed in range(2)]
    image, (state, _) = images(), stack_module_state(made)
    stacked = vmap(grad(lambda own: functional_call(made[0], own, (image,))))(state)
    for k, member in enumerate(made):
        for name, want in zip(state, gradients(member(images()), member.parameters()), strict=True):
            assert torch.allclose(stacked[name][k], want, rtol=1e-10, atol=1e-12)


def test_any_stride_padding_dilation_and_groups():
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(2, 4, 3, stride=(1, 3), padding=(0, 2), dilation=(2, 1)), nn.Conv2d(4, 6, 2, groups=2)]
    body = nn.Sequential(*convolutions, nn.Tanh(), nn.Flatten(), nn.LazyLinear(4)).double()
    encoder = Encoder(body, planes=True)
    encoder(images())
    layers = known_layers(encoder, nn.Identity())
    found, wanted = squared_norms_by_rows(layers, images(), 2), jacobian(encoder, images()).square().sum()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)


def test_mixed_precision_sums_squares_in_float32():
    made = Code(NETWORKS["narrow"]).float()
    with torch.autocast("cpu", torch.bfloat16):
        norm = made(images().float())
    assert norm.dtype == torch.float32
    assert norm.item() == pytest.approx(made(images().float()).item(), rel=2e-2)


class Doubled(nn.Conv2d):
    def forward(self, x):
        return super().forward(2 * x)


@pytest.mark.parametrize(
    "encoder",
    [
        MLP([3]).encoder(SHAPE, 4),
        Encoder(nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten()), planes=True),
        Encoder(nn.Sequential(nn.Conv2d(2, 3, 3, padding="same"), nn.Flatten()), planes=True),
        Encoder(nn.Sequential(nn.Conv2d(2, 3, 3, padding_mode="circular"), nn.Flatten()), planes=True),
        Encoder(nn.Sequential(Doubled(2, 3, 3), nn.Flatten()), planes=True),
        nn.Conv2d(2, 3, 3),
    ],
    ids=["dense", "norm", "padding by name", "circular", "own forward", "no encoder of ours"],
)
def test_other_encoders_are_left_to_autograd(encoder):
    assert known_layers(encoder, nn.Identity()) is None
