"""Which figures a member gets: from the member and some images to what `figures` draws."""

from collections.abc import Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.special import ndtri

from vaesweep import figures
from vaesweep.distributions import DiagonalGaussian, Dirac
from vaesweep.family import Autoencoder, Conditional, Sparse
from vaesweep.metrics import activity
from vaesweep.terms import Batch

ROW, STEPS, DIMS, SIDE = 12, 9, 8, 16


def gallery(member: Autoencoder, batch: Batch, source: torch.Generator) -> Iterator[tuple[str, Figure]]:
    """(name, figure) for everything that makes sense for `member`; `source` draws the noise."""
    noise = torch.randn(member.noise_shape(batch), generator=source, device=batch.image.device)
    seen = member.corrupt(batch.image, noise)
    posterior = member.posterior(seen, batch.label)
    outputs = member.generate(posterior.mean[:ROW], batch.label[:ROW])
    corrupted = None if seen is batch.image else seen[:ROW]
    yield "reconstructions", figures.reconstructions(batch.image[:ROW], outputs, corrupted)

    use = activity(posterior)
    order = use.argsort(descending=True)
    yield "traversals", traversals(member, posterior, batch.label, order[:DIMS])
    if member.latent_dim > 1:
        dims = (0, 1) if member.latent_dim == 2 else (int(order[0]), int(order[1]))
        yield "latent_scatter", figures.latent_scatter(posterior.mean[:, dims], batch.label[:, 0], dims)
    if isinstance(posterior, DiagonalGaussian):
        yield "posterior", figures.posterior(posterior.mean, posterior.sigma, use)
        yield "samples", prior_samples(member, batch.label, source)
        if member.latent_dim == 2:
            yield "latent_grid", plane(member, batch.label)
    if isinstance(member, Sparse):
        yield "filters", figures.filters(first_layer(member))


def prior_samples(member: Autoencoder, label: Tensor, source: torch.Generator) -> Figure:
    """A grid of decoded prior draws; a row a class where the member is conditional."""
    rows = member.classes if isinstance(member, Conditional) else SIDE // 2
    z = torch.randn(rows * ROW, member.latent_dim, generator=source, device=label.device)
    y = label[:1].repeat(rows * ROW, 1)
    names: list[str] = []
    if isinstance(member, Conditional):
        y[:, 0] = torch.arange(rows, device=label.device).repeat_interleave(ROW)
        names = [f"class {i}" for i in range(rows)]
    return figures.samples(member.generate(z, y).unflatten(0, (rows, ROW)), names)


def plane(member: Autoencoder, label: Tensor) -> Figure:
    """A 2-D latent space decoded at the centres of `SIDE` equally probable slices of each prior axis."""
    quantiles = ndtri((torch.arange(SIDE, device=label.device) + 0.5) / SIDE)
    z2, z1 = torch.meshgrid(quantiles, quantiles, indexing="ij")
    z = torch.stack([z1.flatten(), z2.flatten()], dim=1)
    images = member.generate(z, label[:1].expand(len(z), -1))
    return figures.latent_grid(images.unflatten(0, (SIDE, SIDE)), quantiles)


def traversals(member: Autoencoder, posterior: Dirac | DiagonalGaussian, label: Tensor, dims: Tensor) -> Figure:
    """The first image's code with each of `dims` in motion."""
    values, z = walks(posterior, dims, STEPS)
    flat = z.flatten(0, 1)
    images = member.generate(flat, label[:1].expand(len(flat), -1)).unflatten(0, (len(dims), STEPS))
    return figures.traversals(images, values, [f"z{i + 1}" for i in dims.tolist()])


def walks(posterior: Dirac | DiagonalGaussian, dims: Tensor, steps: int, row: int = 0) -> tuple[Tensor, Tensor]:
    """Values [R, K] of the R dimensions `dims` in `steps` K, and codes [R, K, d]: image `row`'s, but for those values.

    From -3 to 3 where there is a prior; for a point code, from its own 1 % to its 99 % quantile.
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


def first_layer(member: Autoencoder, rows: int = 8) -> Tensor:
    """Up to `rows` x `ROW` weight images of the encoder's first layer, those of largest norm [R, K, C, H, W]."""
    layer = next(m for m in member.encoder.modules() if isinstance(m, nn.Linear | nn.Conv2d))
    weight = layer.weight.detach()
    if isinstance(layer, nn.Linear):
        weight = weight.unflatten(1, member.image_shape)
    rows = max(1, min(rows, len(weight) // ROW))
    columns = min(ROW, len(weight))
    strongest = weight.flatten(1).norm(dim=1).argsort(descending=True)[: rows * columns]
    return weight[strongest].unflatten(0, (rows, columns))
