"""A figure of the report: charts side by side, fluid on the page and of a fixed width in a picture."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt

from vaesweep.report.chart_style import CONFIG, WIDTH, LegendEntry

PICTURE_WIDTH = 1100
"""About the most pixels that the charts of a picture take in a row."""


@dataclass(frozen=True)
class ReportFigure:
    """Charts that stand side by side where there is room, and the title, caption and legend that they share.

    The charts have no width of their own: `width` is that of each in a picture, and the least on a page that has room.
    """

    title: str
    caption: str
    charts: Sequence[alt.Chart | alt.LayerChart | alt.FacetChart]
    legend: Sequence[LegendEntry] = field(default_factory=list)
    width: int = WIDTH
    rows: Sequence[Sequence[str]] = field(default_factory=list)
    """A table below the charts, its heads first."""

    def specs(self) -> list[dict[str, Any]]:
        """Vega-Lite of each chart, as wide as the element that holds it; the page writes title, caption and legend."""
        config = CONFIG | {"legend": CONFIG["legend"] | {"disable": True}}
        autosize = alt.AutoSizeParams(type="fit-x", contains="padding")
        fluid = [chart.properties(width="container", autosize=autosize) for chart in self.charts]
        return [chart.configure(**config).to_dict() for chart in fluid]

    def picture(self) -> alt.TopLevelMixin:
        """All charts as one, of a fixed width, with title, caption and legend."""
        columns = max(1, min(len(self.charts), PICTURE_WIDTH // self.width))
        subtitle = textwrap.wrap(self.caption, max(60, columns * self.width // 7))
        title = alt.TitleParams(self.title, subtitle=subtitle)
        fixed = [chart.properties(width=self.width) for chart in self.charts]
        chart = alt.concat(*fixed, columns=columns, title=title).configure(**CONFIG)
        return chart if self.legend else chart.resolve_scale(color="independent")
