"""Matplotlib figures from tensors alone. Colours are chosen for colour-blind readers."""

from vaesweep.figures.canvas import add_caption, mosaic
from vaesweep.figures.charts import activations, histograms, lines, parts_bar, spectrum
from vaesweep.figures.export import save
from vaesweep.figures.images import filters, hits, panel, reconstructions, samples
from vaesweep.figures.latents import aggregate, field, latent_grid, latent_scatter, posterior, traversals

__all__ = [
    "activations",
    "add_caption",
    "aggregate",
    "field",
    "filters",
    "histograms",
    "hits",
    "latent_grid",
    "latent_scatter",
    "lines",
    "mosaic",
    "panel",
    "parts_bar",
    "posterior",
    "reconstructions",
    "samples",
    "save",
    "spectrum",
    "traversals",
]
