import pytest
import torch

from support.noise import noise_for
from vaesweep.errors import ConfigError


def corrupted(model, kind, level, image):
    made = model("model=denoising", f"model.corruption={kind}", f"model.level={level}")
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return made.corrupt(image, noise), noise


GREY = torch.full((100, 1, 20, 20), 0.4)


def test_masking_puts_that_share_of_pixels_to_zero(model):
    seen, _ = corrupted(model, "masking", 0.3, GREY)
    assert (seen == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(seen[seen != 0], GREY[seen != 0])


def test_salt_and_pepper_share_their_pixels_evenly(model):
    seen, _ = corrupted(model, "salt_pepper", 0.2, GREY)
    assert (seen == 0).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (seen == 1).float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_gaussian_adds_noise_of_that_width(model):
    seen, noise = corrupted(model, "gaussian", 0.5, GREY)
    assert torch.allclose(seen, GREY + 0.5 * noise)


@pytest.mark.parametrize("kind", ["masking", "gaussian", "salt_pepper"])
def test_level_zero_leaves_images_alone(model, kind):
    seen, _ = corrupted(model, kind, 0, GREY)
    assert torch.equal(seen, GREY)


def test_level_one_masks_everything(model):
    assert corrupted(model, "masking", 1, GREY)[0].sum() == 0


def test_the_target_is_the_clean_image(model, batch):
    made = model("model=denoising")
    noise = noise_for(made, batch)
    eta = made.decode(made.posterior(made.corrupt(batch.image, noise), batch.label).mean, batch.label)
    assert torch.allclose(made(batch, noise).distortion, made.likelihood.nll(eta, batch.image).mean())


@pytest.mark.parametrize(
    ("kind", "level", "allowed"),
    [
        ("masking", 1.2, r"\[0, 1\]"),
        ("salt_pepper", -0.1, r"\[0, 1\]"),
        ("gaussian", -1, "of at least 0"),
    ],
)
def test_levels_out_of_range_are_refused(model, kind, level, allowed):
    with pytest.raises(ConfigError, match=f"model.level: got {level}; allowed: a number .*{allowed}"):
        model("model=denoising", f"model.corruption={kind}", f"model.level={level}")


def test_an_unknown_corruption_is_refused(model):
    with pytest.raises(ConfigError, match=r"model.corruption: got blur; allowed: masking \| gaussian \| salt_pepper"):
        model("model=denoising", "model.corruption=blur")
