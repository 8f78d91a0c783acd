"""Shared parts of figures: colours, sizes of type, empty figures."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
SMALL = 8
"""Points of the smallest text."""
# Paul Tol's muted and vibrant schemes, the colours that are dark enough for text on white
CLASSES = ("#332288", "#0077BB", "#009988", "#117733", "#999933", "#EE7733", "#CC3311", "#882255", "#AA4499", "#777777")


def canvas(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """An empty figure in inches, titled. Its layout is the one that suits images, whose aspect is fixed."""
    figure = Figure(figsize=(width, height), layout="compressed")
    figure.suptitle(title, fontsize=11)
    return figure, figure.add_subplot()
