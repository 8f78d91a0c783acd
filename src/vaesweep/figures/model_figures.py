"""The figures of a model, drawn from the model and some images."""

from collections.abc import Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.special import ndtri

from vaesweep import figures
from vaesweep.figures.figure_text import class_name, dimension_names, expectation, label_text
from vaesweep.metrics import activity
from vaesweep.models import Autoencoder, Batch
from vaesweep.models.distributions import DiagonalGaussian, Dirac

ROW, STEPS, DIMS, SIDE, CLASSES = 12, 9, 10, 16, 20


def model_figures(
    model: Autoencoder, batch: Batch, source: torch.Generator, caption: str = ""
) -> Iterator[tuple[str, Figure]]:
    """(name, figure) for every figure that applies to `model`; `source` draws the noise, `caption` names the run."""
    for name, figure in uncaptioned(model, batch, source):
        yield name, figures.add_caption(figure, caption)


def uncaptioned(model: Autoencoder, batch: Batch, source: torch.Generator) -> Iterator[tuple[str, Figure]]:
    """(name, figure) for every figure that applies to `model`."""
    noise = torch.randn(model.noise_shape(batch), generator=source, device=batch.image.device)
    inputs = model.corrupt(batch.image, noise)
    posterior = model.posterior(inputs, batch.label)
    outputs = model.generate(posterior.mean[:ROW], batch.label[:ROW])
    corrupted_images = None if inputs is batch.image else inputs[:ROW]
    decoded = expectation(model)
    yield "reconstructions", figures.reconstructions(batch.image[:ROW], outputs, corrupted_images, decoded)

    activities = activity(posterior)
    order = activities.argsort(descending=True)
    yield "traversals", traversals(model, posterior, batch.label, order[:DIMS], activities)
    if model.latent_dim > 1:
        dims = (0, 1) if model.latent_dim == 2 else (int(order[0]), int(order[1]))
        is_point = isinstance(posterior, Dirac)
        names = [f"{i}: {class_name(model, i)}" for i in range(len(model.class_names))]
        yield "latent_scatter", figures.latent_scatter(posterior.mean, batch.label[:, 0], dims, is_point, names)
    if isinstance(posterior, DiagonalGaussian):
        yield "posterior", figures.posterior(posterior.mean, posterior.sigma, activities)
        yield "samples", prior_samples(model, batch.label, source)
        if model.latent_dim == 2:
            yield "latent_manifold", plane(model, batch.label)
    if model.declaration.sparse:
        yield "filters", figures.filters(first_layer(model), len(unit_weights(model)))


def prior_samples(model: Autoencoder, label: Tensor, source: torch.Generator) -> Figure:
    """A grid of decoded prior draws; one row per class, up to `CLASSES`, if the model is conditional."""
    conditional = model.declaration.conditional
    rows = min(model.classes, CLASSES) if conditional else SIDE // 2
    z = torch.randn(rows * ROW, model.latent_dim, generator=source, device=label.device)
    y = label[:1].repeat(rows * ROW, 1)
    names: list[str] = []
    if conditional:
        y[:, 0] = torch.arange(rows, device=label.device).repeat_interleave(ROW)
        names = [class_name(model, i) for i in range(rows)]
    below = f"{rows} of {model.classes} classes" if conditional and rows < model.classes else ""
    return figures.samples(model.generate(z, y).unflatten(0, (rows, ROW)), names, expectation(model), below)


def plane(model: Autoencoder, label: Tensor) -> Figure:
    """A 2-D latent space decoded at the centres of `SIDE` equally probable slices of each prior axis."""
    quantiles = ndtri((torch.arange(SIDE, device=label.device) + 0.5) / SIDE)
    z1, z0 = torch.meshgrid(quantiles, quantiles, indexing="ij")
    z = torch.stack([z0.flatten(), z1.flatten()], dim=1)
    images = model.generate(z, label[:1].expand(len(z), -1))
    grid, fixed = images.unflatten(0, (SIDE, SIDE)), label_text(model, label[0])
    return figures.latent_manifold(grid, quantiles, expectation=expectation(model), fixed=fixed)


def traversals(
    model: Autoencoder, posterior: Dirac | DiagonalGaussian, label: Tensor, dims: Tensor, activities: Tensor
) -> Figure:
    """Traversals of `dims`, each from the first image's code; a row is named by its dimension and its activity."""
    values, z = traversal_codes(posterior, dims, STEPS)
    flat = z.flatten(0, 1)
    images = model.generate(flat, label[:1].expand(len(flat), -1)).unflatten(0, (len(dims), STEPS))
    names = dimension_names(posterior, dims, activities)
    others = "other dimensions at the code of the first validation image" if model.latent_dim > 1 else ""
    fixed = "; ".join(filter(None, (others, label_text(model, label[0]))))
    return figures.traversals(images, values, names, model.latent_dim, expectation(model), fixed)


def traversal_codes(
    posterior: Dirac | DiagonalGaussian, dims: Tensor, steps: int, row: int = 0
) -> tuple[Tensor, Tensor]:
    """Values [R, K] of the R dimensions `dims` in K `steps`, and image `row`'s code with those values [R, K, d].

    From -3 to 3 if there is a prior; for a point code, from its own 1 % to its 99 % quantile.
    """
    unit = torch.linspace(0, 1, steps, device=dims.device)
    if isinstance(posterior, DiagonalGaussian):
        values = (6 * unit - 3).expand(len(dims), -1)
    else:
        ends = posterior.mean[:, dims].quantile(torch.tensor([0.01, 0.99], device=dims.device), dim=0)
        values = ends[0, :, None] + (ends[1] - ends[0])[:, None] * unit
    z = posterior.mean[row].repeat(len(dims), steps, 1)
    z[torch.arange(len(dims)), :, dims] = values
    return values, z


def first_layer(model: Autoencoder, rows: int = 8) -> Tensor:
    """Up to `rows` x `ROW` weight images of the encoder's first layer, those of largest norm [R, K, C, H, W]."""
    weight = unit_weights(model)
    rows = max(1, min(rows, len(weight) // ROW))
    columns = min(ROW, len(weight))
    indices = weight.flatten(1).norm(dim=1).argsort(descending=True)[: rows * columns]
    return weight[indices].unflatten(0, (rows, columns))


def unit_weights(model: Autoencoder) -> Tensor:
    """Weight images of all units of the encoder's first layer [units, C, H, W]."""
    layer = next(m for m in model.encoder.modules() if isinstance(m, nn.Linear | nn.Conv2d))
    weight = layer.weight.detach()
    return weight.unflatten(1, model.image_shape) if isinstance(layer, nn.Linear) else weight
