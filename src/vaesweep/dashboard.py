"""W&B dashboards as code: one saved view of a project, or of a study in it. Needs the extra `[dashboard]`."""

import re
from typing import TYPE_CHECKING

import wandb

from vaesweep.checks import Invalid

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

KNOBS = ("model.beta", "model.latent_dim", "seed")
SCORES = ("test/kl", "test/distortion", "test/mse", "test/nelbo")
CURVES = ("val/loss", "val/distortion", "val/kl", "train/loss")
FIGURES = ("reconstructions", "samples", "traversals", "posterior", "latent_scatter")
COLOURS = {0: "#440154", 6.25: "#404387", 12.5: "#29788e", 25: "#22a784", 50: "#79d151", 100: "#fde724"}
"""Colours by per cent of the range of beta. Betas are spaced by factors; their logarithm would lose beta 0."""


def workspace(entity: str, project: str, study: str | None = None) -> "Workspace":
    """The view, not saved yet and built without a network: the rate-distortion plane, curves, figures, settings.

    With `study` it shows the runs of the W&B group of that name, and a curve is the mean over the runs of a beta,
    with their range; without, it shows all runs, each by itself. Raises `Invalid` without wandb-workspaces.
    """
    try:
        from wandb_workspaces import workspaces as views
        from wandb_workspaces.reports.v2 import interface as panels
    except ImportError as error:
        raise Invalid("dashboard", "no wandb-workspaces", "with it: pip install -e .[dashboard]") from error

    beta = panels.Config("model.beta")
    plane = panels.ScatterPlot(
        title="Distortion over KL, nats per image; colour: model.beta",  # a scatter plot has no axis titles
        x=panels.SummaryMetric("test/kl"),
        y=panels.SummaryMetric("test/distortion"),
        z=beta,
        gradient=[panels.GradientPoint(color=color, offset=at) for at, color in COLOURS.items()],
    )
    used = panels.ScatterPlot(  # this one has members without a KL, too
        title="Squared error per pixel over active units",
        x=panels.SummaryMetric("test/active_units"),
        y=panels.SummaryMetric("test/mse"),
    )
    column = panels.ParallelCoordinatesPlotColumn
    columns = [column(metric=panels.Config(name)) for name in KNOBS]
    columns += [column(metric=panels.SummaryMetric(name)) for name in SCORES]
    parallel = panels.ParallelCoordinatesPlot(title="Settings and test metrics; colour: test/nelbo", columns=columns)
    curves = [
        panels.LinePlot(
            title=name,
            x="trainer/global_step",
            y=[name],
            title_x="step",
            title_y="nats per image",
            groupby=beta if study else None,  # a mean over runs of several studies would mean nothing
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
        for name in CURVES
    ]
    figures = [panels.MediaBrowser(title=name, media_keys=[f"figures/{name}"]) for name in FIGURES]
    wide, pair = (views.SectionLayoutSettings(columns=n, rows=1) for n in (1, 2))
    return views.Workspace(
        entity=entity,
        project=project,
        # W&B takes no symbols, = among them, in the name of a view
        name=re.sub(r"[^-.: \w]", "-", f"Rate and distortion: {study}" if study else "Rate and distortion"),
        sections=[
            views.Section(name="Rate and distortion", panels=[plane, used], layout_settings=pair, is_open=True),
            views.Section(name="Settings", panels=[parallel], layout_settings=wide, is_open=True),
            views.Section(name="Curves", panels=[*curves], is_open=True),
            views.Section(name="Figures", panels=[*figures]),
            views.Section(name="Differences", panels=[panels.RunComparer(diff_only=True)], layout_settings=wide),
        ],
        settings=views.WorkspaceSettings(max_runs=100),
        # the runs are not grouped here: the scatter plots would show the means of groups
        runset_settings=views.RunsetSettings(
            filters=f"Metric('Group') == {literal(study)}" if study else "",
            pinned_columns=[f"summary:{name}" for name in SCORES],
        ),
    )


def literal(text: str) -> str:
    """`text` for a filter of W&B, which rewrites = < > even inside quotes and reads the rest as Python."""
    return "'" + "".join(c if c.isalnum() else f"\\U{ord(c):08x}" for c in text) + "'"


def publish(entity: str, project: str, study: str | None = None) -> str:
    """Save the view on the W&B server, as a new one each time, and return its address.

    Raises `Invalid` without wandb-workspaces, without an API key, offline, and when the server does not take it.
    """
    view = workspace(entity, project, study)
    if not wandb.login(prompt=False, verify=False):
        mode = wandb.setup().settings.mode
        raise Invalid("mode", "online without an API key" if mode == "online" else mode, "online after `wandb login`")
    try:
        return str(view.save().url)
    except Exception as error:  # of many kinds, some of them private to wandb
        given = f"{entity}/{project} ({' '.join(str(error).split())})"
        raise Invalid("dashboard", given, "a project of yours on a server that answers") from error
