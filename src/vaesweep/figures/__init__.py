"""Matplotlib figures from tensors alone. Colours are chosen for colour-blind readers."""

from vaesweep.figures.charts import activations, histograms, intervals, lines, spectrum
from vaesweep.figures.figure_text import add_caption
from vaesweep.figures.image_figures import filters, panel, reconstructions, retrieved_images, samples
from vaesweep.figures.latent_figures import (
    aggregate,
    latent_manifold,
    latent_scatter,
    posterior,
    reconstruction_field,
    traversals,
)
from vaesweep.figures.save_figure import save

__all__ = [
    "activations",
    "add_caption",
    "aggregate",
    "filters",
    "histograms",
    "intervals",
    "latent_manifold",
    "latent_scatter",
    "lines",
    "panel",
    "posterior",
    "reconstruction_field",
    "reconstructions",
    "retrieved_images",
    "samples",
    "save",
    "spectrum",
    "traversals",
]
