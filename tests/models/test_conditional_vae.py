import pytest
import torch

from support.noise import noise_for
from vaesweep.errors import ConfigError
from vaesweep.models import Batch, Spec


def test_the_label_is_one_hot(model):
    made = model("model=cvae")
    expected = torch.nn.functional.one_hot(torch.tensor([3, 0]), 10).float()
    assert torch.equal(made.condition(torch.tensor([[3, 7], [0, 1]])), expected)


@pytest.mark.parametrize("network", ["mlp", "conv", "linear"])
def test_encoder_and_decoder_use_the_label(model, batch, network):
    made = model("model=cvae", f"network={network}")
    other = Batch(batch.image, (batch.label + 1) % 10)
    q, r = made.posterior(*batch), made.posterior(*other)
    assert not torch.allclose(q.mean, r.mean)
    z = torch.zeros(len(batch.image), made.latent_dim)
    assert not torch.allclose(made.generate(z, batch.label), made.generate(z, other.label))


def test_without_the_label_it_is_a_vae(model, batch):
    made = model("model=cvae")
    vae = model("model=vae", "model.latent_dim=10")
    noise = noise_for(vae, batch)
    assert noise_for(made, batch).shape == noise.shape
    with torch.no_grad():
        for layer in (made.encoder.body[0], made.decoder[0]):
            layer.weight[:, -10:] = 0
        mine = {
            k: v[:, :-10] if k in ("encoder.body.0.weight", "decoder.0.weight") else v
            for k, v in made.state_dict().items()
        }
    vae.load_state_dict(mine)
    for ours, theirs in zip(made(batch, noise), vae(batch, noise), strict=True):
        assert torch.allclose(ours, theirs)


def test_data_without_classes_are_refused(model):
    with pytest.raises(ConfigError, match="data: got images without classes; allowed: labelled data for cvae"):
        model("model=cvae", spec=Spec((1, 8, 8), 1))
