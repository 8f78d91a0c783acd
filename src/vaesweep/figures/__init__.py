"""Tensors to matplotlib figures, and nothing else. Colours are chosen for colour-blind readers."""

from vaesweep.figures.canvas import mosaic
from vaesweep.figures.measured import (
    activations,
    aggregate,
    field,
    histograms,
    hits,
    lines,
    panel,
    spectrum,
    stacked,
)
from vaesweep.figures.member import (
    filters,
    latent_grid,
    latent_scatter,
    posterior,
    reconstructions,
    samples,
    traversals,
)
from vaesweep.figures.saving import save

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
    "posterior",
    "reconstructions",
    "samples",
    "save",
    "spectrum",
    "stacked",
    "traversals",
]
