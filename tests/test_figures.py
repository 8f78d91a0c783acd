"""What the pictures contain; how they look has to be looked at."""

import numpy as np
import pytest
import torch
from conftest import MEMBERS
from matplotlib.image import AxesImage

from vaesweep import figures
from vaesweep.gallery import first_layer, gallery
from vaesweep.terms import Batch, Spec

COMMON = {"reconstructions", "traversals", "latent_scatter"}
MORE = {"sparse": {"filters"}, "vae": {"posterior", "samples"}}
MORE |= {"beta_vae": MORE["vae"], "cvae": MORE["vae"]}


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
@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_gets_its_figures(member, batch, name):
    made = member(f"model={name}")
    drawn = dict(gallery(made, batch, torch.Generator().manual_seed(0)))
    assert set(drawn) == COMMON | MORE.get(name, set())
    for figure in drawn.values():
        figure.draw_without_rendering()
        assert all(axes.get_title() or axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)


@torch.no_grad()
def test_a_plane_gets_its_grid_at_equal_prior_probability(member, batch):
    drawn = dict(gallery(member("model=vae", "model.latent_dim=2"), batch, torch.Generator().manual_seed(0)))
    assert "latent_grid" in drawn
    ticks = [float(t.get_text()) for t in drawn["latent_grid"].axes[0].get_xticklabels() if t.get_text()]
    assert ticks == sorted(ticks)
    assert ticks[0] == pytest.approx(-ticks[-1], abs=0.5)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_one_latent_dimension_and_colour_draw_too(member, shape):
    made = member("model=vae", "model.latent_dim=1", spec=Spec(shape, 4))
    images, labels = torch.rand(30, *shape), torch.randint(0, 4, (30, 1))
    drawn = dict(gallery(made, Batch(images, labels), torch.Generator().manual_seed(0)))
    assert "latent_scatter" not in drawn
    assert {"samples", "posterior", "traversals"} <= set(drawn)


@torch.no_grad()
def test_a_corrupted_row_is_shown_where_there_is_one(member, batch):
    def rows(name):
        drawn = dict(gallery(member(f"model={name}"), batch, torch.Generator().manual_seed(0)))
        axes = drawn["reconstructions"].axes[0]
        return [t.get_text() for t in axes.get_yticklabels()]

    assert rows("ae") == ["original", "reconstructed"]
    assert rows("denoising") == ["original", "corrupted", "reconstructed"]


@torch.no_grad()
def test_reconstructions_show_the_images_they_are_of(member, batch):
    drawn = dict(gallery(member("model=ae"), batch, torch.Generator().manual_seed(0)))
    (picture,) = [c for c in drawn["reconstructions"].axes[0].get_children() if isinstance(c, AxesImage)]
    assert np.allclose(picture.get_array()[:8, :8], batch.image[0, 0].numpy())


@pytest.mark.parametrize("network", ["mlp", "conv", "linear"])
def test_filters_are_the_strongest_of_the_first_layer(member, network):
    made = member("model=sparse", f"network={network}")
    shown = first_layer(made)
    norms = shown.flatten(0, 1).flatten(1).norm(dim=1)
    assert (norms.diff() <= 0).all()
    assert shown.shape[-3:] == ((1, 3, 3) if network == "conv" else (1, 8, 8))


def test_many_classes_get_a_colour_scale():
    figure = figures.latent_scatter(torch.randn(50, 2), torch.arange(50), (0, 1))
    assert len(figure.axes) == 2
