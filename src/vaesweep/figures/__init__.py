"""Matplotlib figures from tensors alone. Colours are chosen for colour-blind readers."""

from vaesweep.figures.canvas import add_caption
from vaesweep.figures.charts import activations, histograms, lines, parts_bar, spectrum
from vaesweep.figures.export import save
from vaesweep.figures.images import filters, panel, reconstructions, retrieved_images, samples
from vaesweep.figures.latent_space import (
    aggregate,
    latent_manifold,
    latent_scatter,
    posterior,
    reconstruction_field,
    traversals,
)
from vaesweep.figures.mosaic import mosaic

__all__ = [
    "activations",
    "add_caption",
    "aggregate",
    "filters",
    "histograms",
    "latent_manifold",
    "latent_scatter",
    "lines",
    "mosaic",
    "panel",
    "parts_bar",
    "posterior",
    "reconstruction_field",
    "reconstructions",
    "retrieved_images",
    "samples",
    "save",
    "spectrum",
    "traversals",
]
