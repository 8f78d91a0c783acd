import pytest
import torch
from torch import nn

from vaesweep.errors import ConfigError
from vaesweep.models.networks import MLP, Burgess, Conv

SMALL = Conv(channels=(32, 64), dense=(16,), kernel=3)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (MLP((400,)), (1, 28, 28)),
        (MLP(()), (3, 5, 7)),
        (SMALL, (1, 8, 8)),
        (SMALL, (1, 28, 28)),
        (SMALL, (3, 32, 20)),
        (Burgess(), (3, 32, 32)),
        (Burgess(), (1, 64, 64)),
    ],
)
@pytest.mark.parametrize("conditions", [0, 3])
def test_encoder_and_decoder_have_the_shapes_asked_for(network, shape, conditions):
    image, condition = torch.rand(2, *shape), torch.rand(2, conditions) if conditions else None
    assert network.encoder(shape, 10, conditions)(image, condition).shape == (2, 10)
    assert network.decoder(5 + conditions, shape)(torch.rand(2, 5 + conditions)).shape == (2, *shape)


def test_the_condition_reaches_the_features():
    for network in (MLP((20,)), SMALL):
        encoder = network.encoder((1, 8, 8), 4, 2)
        image, one, two = torch.rand(1, 1, 8, 8), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        assert not torch.allclose(encoder(image, one), encoder(image, two))


def test_mlp_is_the_network_of_its_widths():
    layers = [m for m in MLP((400,)).encoder((1, 28, 28), 40).modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(784, 400), (400, 40)]


def test_no_hidden_width_is_linear():
    decoder = MLP(()).decoder(3, (1, 4, 4))
    z = torch.rand(2, 3)
    assert torch.allclose(decoder(2 * z) - decoder(z), decoder(z) - decoder(0 * z), atol=1e-6)


def test_burgess_counts_the_parameters_of_the_paper():
    encoder = Burgess().encoder((1, 64, 64), 20)
    convolutions = 32 * 17 + 3 * (32 * 32 * 16 + 32)
    assert sum(p.numel() for p in encoder.parameters()) == convolutions + 512 * 256 + 256 + 256 * 256 + 256 + 20 * 257


@pytest.mark.parametrize(
    ("network", "shape", "allowed"),
    [(SMALL, (1, 30, 30), "sides divisible by 4"), (Burgess(), (1, 28, 28), r"32 x 32 \| 64 x 64")],
)
def test_sizes_that_do_not_fit_are_refused(network, shape, allowed):
    for make in (lambda: network.encoder(shape, 4), lambda: network.decoder(4, shape)):
        with pytest.raises(ConfigError, match=f"network: got .* {shape[1]} x {shape[2]}; allowed: {allowed}"):
            make()


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: MLP((0,)), "hidden"),
        (lambda: MLP((4,), "sigmund"), "activation"),
        (lambda: Conv((8, -1), (16,), 3), "channels"),
        (lambda: Conv((8,), (16,), 5), "kernel"),
    ],
)
def test_bad_settings_are_named(make, key):
    with pytest.raises(ConfigError, match=f"^{key}: got"):
        make()
