"""Matplotlib figures from tensors alone. Colours are chosen for colour-blind readers."""

from vaesweep.figures.canvas import mosaic
from vaesweep.figures.evaluation import (
    activations,
    aggregate,
    field,
    histograms,
    hits,
    lines,
    panel,
    parts_bar,
    spectrum,
)
from vaesweep.figures.export import save
from vaesweep.figures.training import (
    filters,
    latent_grid,
    latent_scatter,
    posterior,
    reconstructions,
    samples,
    traversals,
)

__all__ = [
    "activations",
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
