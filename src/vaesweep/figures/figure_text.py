"""Text in figures: captions, and what titles, rows and columns call a run, a label or a dimension."""

from matplotlib.figure import Figure
from matplotlib.text import Annotation
from torch import Tensor

from vaesweep.figures.figure_style import SMALL
from vaesweep.models import Autoencoder
from vaesweep.models.distributions import DiagonalGaussian, Dirac


def add_caption(figure: Figure, caption: str) -> Figure:
    """The same figure, made higher by a small line below its title that says which run it shows."""
    if caption:
        # the layout leaves room for the empty line
        title = figure.suptitle(f"{figure.get_suptitle()}\n", fontsize=11)
        line = Annotation(caption, (0.5, 0), xycoords=title, ha="center", va="bottom", fontsize=SMALL, color="#555555")
        figure.add_artist(line)
        figure.set_figheight(figure.get_figheight() + 0.2)
    return figure


NAME_LENGTH = 20
"""Characters of a class's name."""


def run_caption(model: Autoencoder, name: str, data: str, seed: int) -> str:
    """The run of a figure in one line: `name` of the model, `data`, weight or target of the rate, seed."""
    parts, declared = [part for part in (name, data) if part], model.declaration
    if declared.rate_weight is not None:
        parts.append(f"{declared.rate_weight} {float(getattr(model, declared.rate_weight)):g}")
    elif declared.rate_target is not None:
        parts.append(f"rate target {declared.rate_target:g} nats")
    return " · ".join([*parts, f"seed {seed}"])


def expectation(model: Autoencoder) -> str:
    """What `model.generate` computes, as figures write it."""
    return "E[x|z, y]" if model.declaration.conditional else "E[x|z]"


def label_text(model: Autoencoder, label: Tensor) -> str:
    """The class that `label` [F] conditions on, as figures write it; nothing if the model is not conditional."""
    return f"y = {class_name(model, int(label[0]))}" if model.declaration.conditional else ""


def class_name(model: Autoencoder, number: int) -> str:
    """What figures call a class: its name, shortened, or `class` and its number."""
    if number >= len(model.class_names):
        return f"class {number}"
    name = model.class_names[number].encode("utf-8", "backslashreplace").decode() or "(no folder)"
    name = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name).replace("$", r"\$")
    return name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}…"


def dimension_names(posterior: Dirac | DiagonalGaussian, dims: Tensor, activities: Tensor) -> list[str]:
    """Each of `dims` with its KL, or its variance if it is a point code, from `activities` [d]."""
    unit = "KL {:.2f} nats" if isinstance(posterior, DiagonalGaussian) else "variance {:.2g}"
    return [f"z{i} · {unit.format(activities[i])}" for i in dims.tolist()]
