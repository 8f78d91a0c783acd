"""A W&B workspace of the runs of a study, which needs the extra `[dashboard]`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import wandb

from vaesweep.errors import ConfigError
from vaesweep.model_declaration import Declaration
from vaesweep.report.read_run import Run

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

FIGURES = ("reconstructions", "samples", "traversals", "posterior", "latent_scatter")
COLOURS = {0: "#440154", 6.25: "#404387", 12.5: "#29788e", 25: "#22a784", 50: "#79d151", 100: "#fde724"}
"""Colours by per cent of the range of beta. Betas are spaced by factors; their logarithm would lose beta 0."""


def declarations(runs: Sequence[Run]) -> list[Declaration]:
    """Those of the runs' models; the weight of a rate only where it is a setting, by which a view can colour."""
    results = [run.results for run in runs]
    return [
        replace(each.declared, rate_weight=None)
        if each.declared.rate_weight not in each.config.get("model", {})
        else each.declared
        for each in results
    ]


def workspace(
    entity: str, project: str, study: str | None = None, declarations: Sequence[Declaration] = ()
) -> "Workspace":
    """The view, not saved yet and built without a network: the rate-distortion plane, curves, figures, settings.

    With `study` it shows the runs of the W&B group of that name, and a curve is the mean over the runs of a beta,
    with their range; without, it shows all runs, each by itself. `declarations` are those of the models: what they
    record is what the view shows. Raises `ConfigError` without wandb-workspaces.
    """
    try:
        from wandb_workspaces import workspaces as views
        from wandb_workspaces.reports.v2 import interface as panels
    except ImportError as error:
        raise ConfigError("dashboard", "no wandb-workspaces", "with it: pip install -e .[dashboard]") from error

    rates = list(dict.fromkeys(declared.rate for declared in declarations if declared.rate))
    terms = list(dict.fromkeys(name for declared in declarations for name in declared.terms))
    weights = list(dict.fromkeys(f"model.{d.rate_weight}" for d in declarations if d.rate_weight))
    weight = panels.Config(weights[0]) if weights else None
    scores = [f"test/{name}" for name in (*terms, "distortion", "mse", *(["nelbo"] if rates else []))]
    planes = [
        panels.ScatterPlot(
            # a scatter plot has no axis titles
            title=f"Distortion over {rate}, nats per image" + f"; colour: {weights[0]}" * bool(weights),
            x=panels.SummaryMetric(f"test/{rate}"),
            y=panels.SummaryMetric("test/distortion"),
            z=weight,
            gradient=[panels.GradientPoint(color=color, offset=at) for at, color in COLOURS.items()],
        )
        for rate in rates
    ]
    used = panels.ScatterPlot(  # this one has models without a rate, too
        title="Squared error per pixel over active units",
        x=panels.SummaryMetric("test/active_units"),
        y=panels.SummaryMetric("test/mse"),
    )
    column = panels.ParallelCoordinatesPlotColumn
    columns = [column(metric=panels.Config(name)) for name in (*weights, "model.latent_dim", "seed")]
    columns += [column(metric=panels.SummaryMetric(name)) for name in scores]
    parallel = panels.ParallelCoordinatesPlot(title=f"Settings and test metrics; colour: {scores[-1]}", columns=columns)
    units = {name: unit for declared in declarations for name, unit in declared.terms.items()}
    curves = [
        panels.LinePlot(
            title=name,
            x="trainer/global_step",
            y=[name],
            title_x="step",
            title_y=units.get(name.partition("/")[2], "nats per image") if "/" in name else name,
            groupby=weight if study else None,  # a mean over runs of several studies would mean nothing
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
        for name in (
            *("val/loss", "val/distortion", *(f"val/{term}" for term in terms)),
            *("train/loss", "lr", *(weight.removeprefix("model.") for weight in weights)),
        )
    ]
    figures = [panels.MediaBrowser(title=name, media_keys=[f"figures/{name}"]) for name in FIGURES]
    wide, pair = (views.SectionLayoutSettings(columns=n, rows=1) for n in (1, 2))
    return views.Workspace(
        entity=entity,
        project=project,
        # W&B takes no symbols, = among them, in the name of a view
        name=re.sub(r"[^-.: \w]", "-", f"Rate and distortion: {study}" if study else "Rate and distortion"),
        sections=[
            views.Section(name="Rate and distortion", panels=[*planes, used], layout_settings=pair, is_open=True),
            views.Section(name="Curves", panels=[*curves], is_open=True),
            views.Section(name="Figures", panels=[*figures], is_open=True),
            views.Section(name="Settings", panels=[parallel], layout_settings=wide),
            views.Section(name="Differences", panels=[panels.RunComparer(diff_only=True)], layout_settings=wide),
        ],
        settings=views.WorkspaceSettings(max_runs=100),
        # the runs are not grouped here: the scatter plots would show the means of groups
        runset_settings=views.RunsetSettings(
            # those of training: an evaluation and a report are W&B runs of the same group
            filters=(f"Metric('Group') == {literal(study)} and " if study else "")
            + "Metric('JobType') not in ['evaluate', 'report']",
            pinned_columns=[f"summary:{name}" for name in scores],
        ),
    )


def literal(text: str) -> str:
    """`text` for a filter of W&B, which rewrites = < > even inside quotes and reads the rest as Python."""
    return "'" + "".join(c if c.isalnum() else f"\\U{ord(c):08x}" for c in text) + "'"


def publish(entity: str, project: str, study: str | None = None, declarations: Sequence[Declaration] = ()) -> str:
    """Save the view on the W&B server, as a new one each time, and return its address.

    Raises `ConfigError` without wandb-workspaces, without an API key, offline, and when the server does not take it.
    """
    view = workspace(entity, project, study, declarations)
    if not wandb.login(prompt=False, verify=False):
        mode = wandb.setup().settings.mode
        raise ConfigError(
            "mode", "online without an API key" if mode == "online" else mode, "online after `wandb login`"
        )
    try:
        return str(view.save().url)
    except Exception as error:  # of many kinds, some of them private to wandb
        given = f"{entity}/{project} ({' '.join(str(error).split())})"
        raise ConfigError("dashboard", given, "a project of yours on a server that answers") from error
