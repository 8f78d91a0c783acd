"""What the pictures contain; how they look has to be looked at."""

import numpy as np
import pytest
import torch
from matplotlib.image import AxesImage

from support.paths import MODELS
from vaesweep import figures
from vaesweep.figures.model_figures import first_layer, model_figures, plane
from vaesweep.metrics import activity
from vaesweep.models import Batch, Spec

COMMON = {"reconstructions", "traversals", "latent_scatter"}
MORE = {"sparse": {"filters"}, "vae": {"posterior", "samples"}}
MORE |= dict.fromkeys(("beta_vae", "beta_tcvae", "cvae"), MORE["vae"])


def test_mosaic_puts_every_image_in_its_place():
    images = torch.arange(6.0).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 5) / 6
    picture = figures.mosaic(images, gap=1)
    assert picture.shape == (9, 17, 1)
    assert np.allclose(picture[5:9, 12:17], 5 / 6)
    assert np.allclose(picture[4], 1)
    assert np.allclose(picture[0:4, 6:11], 1 / 6)


def test_mosaic_keeps_colours():
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 2, 2)
    assert np.allclose(figures.mosaic(red), np.broadcast_to([1.0, 0.0, 0.0], (2, 2, 3)))


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_every_model_gets_its_figures(model, batch, name):
    made = model(f"model={name}")
    drawn = dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    assert set(drawn) == COMMON | MORE.get(name, set())
    for figure in drawn.values():
        figure.draw_without_rendering()
        assert all(axes.get_title() or axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)


@torch.no_grad()
def test_a_plane_gets_its_grid_at_equal_prior_probability(model, batch):
    drawn = dict(model_figures(model("model=vae", "model.latent_dim=2"), batch, torch.Generator().manual_seed(0)))
    assert "latent_grid" in drawn
    ticks = [float(t.get_text()) for t in drawn["latent_grid"].axes[0].get_xticklabels() if t.get_text()]
    assert ticks == sorted(ticks)
    assert ticks[0] == pytest.approx(-ticks[-1], abs=0.5)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_one_latent_dimension_and_colour_draw_too(model, shape):
    made = model("model=vae", "model.latent_dim=1", spec=Spec(shape, 4))
    images, labels = torch.rand(30, *shape), torch.randint(0, 4, (30, 1))
    drawn = dict(model_figures(made, Batch(images, labels), torch.Generator().manual_seed(0)))
    assert "latent_scatter" not in drawn
    assert {"samples", "posterior", "traversals"} <= set(drawn)


def spied(made, monkeypatch):
    """Let `made` decode every code to a constant image, and keep what it was asked for."""
    asked = []

    def generate(z, label):
        asked.append((z, label))
        return torch.zeros(len(z), *made.image_shape)

    monkeypatch.setattr(made, "generate", generate)
    return asked


@torch.no_grad()
def test_traversals_move_one_of_the_most_active_dimensions_at_a_time(model, batch, monkeypatch):
    made = model("model=vae", "model.latent_dim=12")
    made.encoder.body[-1].weight[3] *= 30  # let the mean of dimension 3 vary most
    use = activity(made.posterior(*batch))
    asked = spied(made, monkeypatch)
    gallery_of = dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    z = next(z for z, _ in asked if len(z) == 8 * 9).unflatten(0, (8, 9))
    moving = (z.std(1) > 0).int()
    assert (moving.sum(1) == 1).all()
    order = use.argsort(descending=True)[:8]
    assert moving.argmax(1).tolist() == order.tolist()
    assert order[0] == 3
    assert z[0, :, 3].tolist() == pytest.approx([-3 + 0.75 * i for i in range(9)])
    assert gallery_of["traversals"].axes[0].get_yticklabels()[0].get_text() == "z4"


@torch.no_grad()
def test_the_plane_has_z1_rightwards_and_z2_upwards(model, batch, monkeypatch):
    made = model("model=vae", "model.latent_dim=2")
    monkeypatch.setattr(made, "generate", lambda z, label: z[:, 1, None, None, None].expand(-1, 1, 8, 8) / 8 + 0.5)
    (picture,) = plane(made, batch.label).axes[0].get_images()
    tops = picture.get_array()
    assert tops[0, 0] > tops[-1, 0]
    assert tops[0, 0] == tops[0, -1]
    monkeypatch.setattr(made, "generate", lambda z, label: z[:, 0, None, None, None].expand(-1, 1, 8, 8) / 8 + 0.5)
    (picture,) = plane(made, batch.label).axes[0].get_images()
    assert picture.get_array()[0, 0] < picture.get_array()[0, -1]


@torch.no_grad()
def test_conditional_samples_have_a_row_a_class(model, batch, monkeypatch):
    made = model("model=cvae")
    asked = spied(made, monkeypatch)
    dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    labels = next(label for z, label in asked if len(z) == 120)
    assert labels[:, 0].unflatten(0, (10, 12)).tolist() == [[i] * 12 for i in range(10)]


@torch.no_grad()
def test_a_corrupted_row_is_shown_where_there_is_one(model, batch):
    def rows(name):
        drawn = dict(model_figures(model(f"model={name}"), batch, torch.Generator().manual_seed(0)))
        axes = drawn["reconstructions"].axes[0]
        return [t.get_text() for t in axes.get_yticklabels()]

    assert rows("ae") == ["original", "reconstructed"]
    assert rows("denoising") == ["original", "corrupted", "reconstructed"]


@torch.no_grad()
def test_reconstructions_show_the_images_they_are_of(model, batch):
    drawn = dict(model_figures(model("model=ae"), batch, torch.Generator().manual_seed(0)))
    (picture,) = [c for c in drawn["reconstructions"].axes[0].get_children() if isinstance(c, AxesImage)]
    assert np.allclose(picture.get_array()[:8, :8], batch.image[0, 0].numpy())


@pytest.mark.parametrize("network", ["mlp", "conv", "linear"])
def test_filters_are_the_strongest_of_the_first_layer(model, network):
    made = model("model=sparse", f"network={network}")
    shown = first_layer(made)
    norms = shown.flatten(0, 1).flatten(1).norm(dim=1)
    assert (norms.diff() <= 0).all()
    assert shown.shape[-3:] == ((1, 3, 3) if network == "conv" else (1, 8, 8))


def test_many_classes_get_a_colour_scale():
    figure = figures.latent_scatter(torch.randn(50, 2), torch.arange(50), (0, 1))
    assert len(figure.axes) == 2
