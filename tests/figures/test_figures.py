"""What the pictures contain; how they look has to be looked at."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from matplotlib.text import Text

from support.compositions import MODELS
from vaesweep import figures
from vaesweep.figures.draw_image_grid import grid_size
from vaesweep.figures.figure_text import label_text, run_caption
from vaesweep.figures.latent_figures import symmetric_ticks
from vaesweep.figures.model_figures import first_layer, model_figures, plane, prior_samples
from vaesweep.metrics import activity
from vaesweep.models import Batch, Spec

COMMON = {"reconstructions", "traversals", "latent_scatter"}
MORE = {"sparse": {"filters"}, "vae": {"posterior", "samples"}}
MORE |= dict.fromkeys(("beta_vae", "beta_tcvae", "cvae", "multi_rate"), MORE["vae"])


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_every_model_gets_its_figures(model, batch, name):
    made = model(f"model={name}")
    drawn = dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    assert set(drawn) == COMMON | MORE.get(name, set())
    for figure in drawn.values():
        figure.draw_without_rendering()
        assert figure.get_suptitle()


@torch.no_grad()
def test_a_plane_gets_its_grid_at_equal_prior_probability(model, batch):
    drawn = dict(model_figures(model("model=vae", "model.latent_dim=2"), batch, torch.Generator().manual_seed(0)))
    assert "latent_manifold" in drawn
    ticks = [float(t.get_text()) for t in drawn["latent_manifold"].axes[0].get_xticklabels() if t.get_text()]
    assert ticks == sorted(ticks)
    assert ticks == [-t for t in reversed(ticks)]


@pytest.mark.slow
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


@pytest.mark.slow
@torch.no_grad()
def test_traversals_move_one_of_the_most_active_dimensions_at_a_time(model, batch, monkeypatch):
    made = model("model=vae", "model.latent_dim=12")
    made.encoder.body[-1].weight[3] *= 30  # let the mean of dimension 3 vary most
    use = activity(made.posterior(*batch))
    asked = spied(made, monkeypatch)
    gallery_of = dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    z = next(z for z, _ in asked if len(z) == 10 * 9).unflatten(0, (10, 9))
    moving = (z.std(1) > 0).int()
    assert (moving.sum(1) == 1).all()
    order = use.argsort(descending=True)[:10]
    assert moving.argmax(1).tolist() == order.tolist()
    assert order[0] == 3
    assert z[0, :, 3].tolist() == pytest.approx([-3 + 0.75 * i for i in range(9)])
    names = [t.get_text() for t in gallery_of["traversals"].axes[0].get_yticklabels()]
    assert names == [f"z{i} · KL {use[i]:.2f} nats" for i in order.tolist()]
    assert gallery_of["traversals"].get_suptitle().endswith("the 10 most informative of 12 dimensions")


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


@pytest.mark.slow
@torch.no_grad()
def test_conditional_samples_have_a_row_a_class(model, batch, monkeypatch):
    made = model("model=cvae")
    asked = spied(made, monkeypatch)
    dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    labels = next(label for z, label in asked if len(z) == 120)
    assert labels[:, 0].unflatten(0, (10, 12)).tolist() == [[i] * 12 for i in range(10)]


@pytest.mark.slow
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


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def boxes(figure):
    """The texts that are drawn, and where, in pixels; ticks beyond the limits of an axis are none of them."""
    drawn, draw = {}, Text.draw

    def record(text, renderer):
        drawn[text] = draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        FigureCanvasAgg(figure).draw()
    visible = [text for text in drawn if text.get_text().strip() and text.get_visible()]
    return [(text.get_text(), text.get_window_extent()) for text in visible]


def assert_legible(figure):
    """No text covers another, none leaves the figure, and none is smaller than 8 points."""
    found = boxes(figure)
    assert min(text.get_fontsize() for text in texts(figure)) >= 8
    for i, (words, box) in enumerate(found):
        assert box.x0 >= -1, words
        assert box.y0 >= -1, words
        assert box.x1 <= figure.bbox.x1 + 1, words
        assert box.y1 <= figure.bbox.y1 + 1, words
        for others, other in found[i + 1 :]:
            # the box of a title has an empty line for the caption
            if words.endswith("\n") or others.endswith("\n"):
                continue
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or along <= 1, (words, others)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", ["beta_vae", "cvae", "ae", "sparse"])
def test_every_figure_names_its_run_and_no_text_covers_another(model, batch, name):
    made = model(f"model={name}")
    caption = run_caption(made, name, "digits", 3)
    for figure in dict(model_figures(made, batch, torch.Generator().manual_seed(0), caption)).values():
        assert [text for text in texts(figure) if text.get_text() == caption]
        assert_legible(figure)


def test_a_caption_is_below_the_title():
    figure = figures.add_caption(figures.activations(torch.rand(40), None), "the run")
    found = dict(boxes(figure))
    title, caption = found["Mean activation of 40 units\n"], found["the run"]
    assert caption.y1 < (title.y0 + title.y1) / 2
    assert caption.y0 > figure.axes[0].get_window_extent().y1


def test_a_caption_has_the_weight_of_the_rate_where_there_is_one(model):
    assert run_caption(model("model=beta_vae", "model.beta=2.5"), "A", "B", 7) == "A · B · beta 2.5 · seed 7"
    assert run_caption(model("model=sparse"), "A", "B", 7) == "A · B · seed 7"


@pytest.mark.parametrize("count", [2, 3, 5, 6, 16, 17, 20, 24, 31])
def test_ticks_are_symmetric_and_include_both_ends(count):
    ticks = symmetric_ticks(count)
    assert {0, count - 1} <= ticks
    assert {count - 1 - i for i in ticks} == ticks


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", ["vae", "cvae", "ae"])
def test_titles_say_what_is_decoded_and_axes_what_a_code_is(model, batch, name):
    made = model(f"model={name}")
    drawn = dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    expected = "E[x|z, y]" if name == "cvae" else "E[x|z]"
    titles = [drawn[key].get_suptitle() for key in ("reconstructions", "traversals", "samples") if key in drawn]
    assert all(f"{expected} " in title for title in titles)
    below = drawn["traversals"].axes[0].get_xlabel()
    assert (f"y = class {batch.label[0, 0]}" in below) == (name == "cvae")
    words = " ".join(text.get_text() for figure in drawn.values() for text in texts(figure))
    assert ("posterior mean" in words) == (name != "ae")
    assert ("code z" in words) == (name == "ae")


@pytest.mark.slow
@torch.no_grad()
def test_rows_of_a_point_code_carry_its_variance(model, batch):
    drawn = dict(model_figures(model("model=ae"), batch, torch.Generator().manual_seed(0)))
    rows = [text.get_text() for text in drawn["traversals"].axes[0].get_yticklabels()]
    assert all(" · variance " in row for row in rows)


@torch.no_grad()
def test_filters_say_how_many_of_how_many(model, batch):
    made = model("model=sparse")
    drawn = dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    assert "96 of 400 units" in drawn["filters"].get_suptitle()


def posterior_figure(d, active):
    """The figure of a posterior with `d` dimensions, of which all but the first `active` have collapsed."""
    mean = torch.randn(200, d, generator=torch.Generator().manual_seed(0)) * 1e-4
    mean[:, :active] *= 1e4
    kl = torch.zeros(d)
    kl[:active] = 1.5
    return figures.posterior(mean, torch.ones(200, d), kl)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 3, 20])
def test_bars_carry_their_kl_and_a_threshold_separates_active_dimensions(d):
    figure = posterior_figure(d, 1)
    assert_legible(figure)
    top, middle, bottom = figure.axes
    assert bottom.get_ylabel() == "mu and sigma\n(prior standard deviations)"
    assert {text.get_text() for text in bottom.get_xticklabels()} == {f"z{i}" for i in range(d)}
    assert [text.get_text() for text in top.texts] == ["1.50"] + ["0.00"] * (d - 1)
    assert middle.lines[0].get_ydata()[0] == 0.01
    assert f"1 of {d} dimensions active" in figure.get_suptitle()
    assert len({bar.get_facecolor() for bar in top.patches}) == min(d, 2)


def test_many_bars_carry_no_numbers():
    assert not posterior_figure(40, 3).axes[0].texts


def test_axes_do_not_magnify_a_collapsed_posterior():
    top, middle, _ = posterior_figure(4, 0).axes
    assert top.get_ylim()[1] >= 0.1
    assert middle.get_ylim()[0] >= 1e-4
    codes = torch.randn(50, 3) * torch.tensor([1, 1e-4, 1e-4])
    for is_point in (False, True):
        plane, principal = figures.latent_scatter(codes, torch.arange(50) % 10, (0, 1), is_point).axes
        assert np.ptp(plane.get_ylim()) > 0.1
        assert np.ptp(principal.get_ylim()) > 0.1


@pytest.mark.parametrize("classes", [2, 10])
def test_few_classes_are_drawn_as_digits(classes):
    labels = torch.arange(700) % classes
    (axes,) = figures.latent_scatter(torch.randn(700, 2), labels, (0, 1)).axes
    assert len(axes.collections) == classes
    assert sum(len(c.get_offsets()) for c in axes.collections) == 500
    assert len({c.get_paths()[0].vertices.tobytes() for c in axes.collections}) == classes


def test_more_than_two_dimensions_get_their_principal_plane():
    codes = torch.randn(400, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 0.1, 1.0])
    plane, principal = figures.latent_scatter(codes, torch.zeros(400), (1, 2)).axes
    assert plane.get_xlabel() == "posterior mean of z1"
    assert principal.get_xlabel() == "principal component 1 (89 % of the variance)"
    spread = principal.collections[0].get_offsets().std(0)
    assert spread.tolist() == pytest.approx([3, 1], rel=0.1)


@pytest.mark.slow
def test_the_legend_of_an_aggregate_posterior_covers_nothing():
    for dims in ([0], [3, 1, 0], list(range(8))):
        assert_legible(figures.aggregate(torch.randn(200, 8), dims))


@pytest.mark.parametrize(
    ("columns", "below"),
    [
        ("z0\n1.23 nats", "at z = +0.0"),
        ("z0\nvariance\n0.2", "at 50 % of the way from the 1 % to the 99 % quantile of the codes"),
    ],
)
@pytest.mark.parametrize("shape", [(1, 4), (2, 5), (4, 7), (5, 6), (8, 10)])
def test_text_around_images_is_not_cut(shape, columns, below):
    images = torch.rand(*shape, 1, 8, 8)
    for rows in ((), ["y = class 9"] * shape[0]):
        figure = figures.panel("One line\nand another", images, rows, [columns] * shape[1], below)
        assert_legible(figures.add_caption(figure, "the run"))


def test_parts_of_the_rate_carry_their_unit():
    figure = figures.intervals("parts", {"a": (6.0, 7.5), "b": (2.5, 2.501), "c": (0.0, 0.0)}, "nats per image")
    assert [text.get_text() for text in figure.axes[0].texts] == ["6.00 to 7.50", "2.50", "0.00"]
    assert figure.axes[0].get_xlabel() == "nats per image; dark: lower bound, light: upper bound"
    assert_legible(figure)


def test_axes_do_not_magnify_what_is_nothing():
    (axes,) = figures.intervals("parts", {"a": (0.0, 1e-6), "b": (0.0, 0.0)}, "nats").axes
    assert axes.get_xlim()[1] >= 0.1
    (axes,) = figures.activations(torch.full((40,), 1e-9), None).axes
    assert axes.get_xlim()[0] <= 0
    assert axes.get_xlim()[1] >= 0.01
    (axes,) = figures.spectrum("spectrum", torch.tensor([[1.0, 0.5, 1e-9]]).expand(20, 3)).axes
    assert axes.get_ylim()[0] >= 1e-5


def test_a_narrow_spectrum_has_plain_numbers_on_its_axis():
    figure = figures.spectrum("spectrum", torch.linspace(2, 0.1, 8).expand(20, 8))
    assert_legible(figure)
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    shown = [t.get_text() for t, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True) if low <= y <= high]
    assert shown == ["0.1", "0.2", "0.5", "1", "2"]


def test_many_classes_get_a_colour_scale():
    figure = figures.latent_scatter(torch.randn(50, 2), torch.arange(50), (0, 1))
    assert len(figure.axes) == 2


@pytest.mark.parametrize(("shape", "tile"), [((64, 8), (2.8, 0.35)), ((8, 64), (11 / 9 / 8, 11 / 9))])
def test_tiles_have_the_shape_of_the_images_and_room_for_their_names(shape, tile):
    names = ["original", "corrupted"]
    size = grid_size(torch.zeros(2, 9, 1, *shape), names)
    assert size == pytest.approx((max(5.0, 9 * tile[1] + 1.5), 2 * tile[0] + 0.7))
    square = grid_size(torch.zeros(2, 9, 1, 28, 28), names)
    assert square == pytest.approx((9 * 0.7 + 1.5, 2 * 0.7 + 0.7))


def test_of_many_dimensions_and_classes_the_first_are_drawn_and_it_is_said():
    made = figures.posterior(torch.randn(20, 300), torch.ones(20, 300), torch.rand(300))
    made.draw_without_rendering()
    assert made.get_size_inches()[0] < 40
    assert "300 dimensions active" in made.get_suptitle()
    assert made.axes[2].get_xlabel().endswith("most informative first: 100 of 300")


@torch.no_grad()
def test_samples_of_many_classes_are_those_of_the_first(model, batch):
    made = model("model=cvae")
    made.classes = 800
    made.condition = lambda label: torch.zeros(len(label), 10)
    drawn = prior_samples(made, batch.label, torch.Generator().manual_seed(0))
    assert len(drawn.axes[0].get_yticks()) == 20
    assert drawn.axes[0].get_xlabel() == "20 of 800 classes"


@torch.no_grad()
def test_classes_with_names_are_called_by_them(model, batch):
    names = ("cat", "", "$x$", "a\nb", "n" * 50, *"fghij")
    made = model("model=cvae", spec=Spec((1, 8, 8), 10, 1294, names))
    shown = ["cat", "(no folder)", r"\$x\$", r"a\nb", "n" * 20 + "…", *"fghij"]
    drawn = dict(model_figures(made, batch, torch.Generator().manual_seed(0)))
    assert [text.get_text() for text in drawn["samples"].axes[0].get_yticklabels()] == shown
    (legend,) = drawn["latent_scatter"].legends
    known = sorted(set(batch.label[:, 0].tolist()))
    assert [text.get_text() for text in legend.get_texts()] == [f"{i}: {shown[i]}" for i in known]
    assert drawn["traversals"].axes[0].get_xlabel().endswith(f"y = {shown[int(batch.label[0, 0])]}")
    for figure in drawn.values():
        figure.draw_without_rendering()
    assert label_text(model("model=cvae"), torch.tensor([3])) == "y = class 3"
