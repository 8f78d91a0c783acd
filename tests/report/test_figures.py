"""What the figures of a report draw and what they leave out, from records that are written by hand."""

import json

import pandas as pd
import pytest
import vl_convert

from support.handmade import leave, rates
from vaesweep.records.results import FILE
from vaesweep.report.chart_style import panel_title
from vaesweep.report.learning_curve_chart import learning_curves
from vaesweep.report.per_dimension_chart import latent_dimensions, row_labels
from vaesweep.report.rate_distortion_plane_chart import plane
from vaesweep.report.rate_distortion_slope_chart import slope
from vaesweep.report.rate_distortion_slopes import slopes
from vaesweep.report.reconstruction_penalty_chart import penalty
from vaesweep.report.report import VEGA_LITE, report
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table


def read_table(folder):
    """The runs of a folder and their table."""
    runs = read([folder]).runs
    return table(runs), runs


def declare(folder, **changes):
    """Change the declaration in a run's record."""
    record = json.loads((folder / FILE).read_text())
    record["declaration"] |= changes
    (folder / FILE).write_text(json.dumps(record))


def drawn(spec, name):
    """The rows that the layer of this name draws."""
    layers = [layer for layer in spec["layer"] if layer.get("name", "").startswith(name)]
    return [row for layer in layers for row in spec["datasets"][layer["data"]["name"]]]


@pytest.mark.slow
def test_charts_are_fluid_on_the_page_and_fixed_in_a_picture(tmp_path):
    for beta in (1, 2):
        leave(tmp_path / f"{beta}", beta=beta, metrics=rates(9.0 / beta, 9.0 * beta))
    frame, _ = read_table(tmp_path)
    panels = plane(frame, summary(frame))
    (spec,) = panels.specs()
    assert (spec["width"], spec["autosize"]["type"]) == ("container", "fit-x")
    (chart,) = panels.picture().to_dict()["concat"]
    assert chart["width"] == panels.width == 620


@pytest.mark.slow
def test_a_ring_marks_the_front_of_settings_that_compare(tmp_path):
    for beta, distortion in ((1, 10), (2, 20), (4, 5)):
        leave(tmp_path / f"{beta}", beta=beta, metrics=rates(10 / beta, distortion))
    leave(tmp_path / "conditional", "cvae", metrics=rates(1, 1))
    declare(tmp_path / "conditional", conditional=True)
    frame, _ = read_table(tmp_path)
    panels = plane(frame, summary(frame))
    assert [row["setting"] for row in drawn(panels.specs()[0], "front")] == ["beta_vae beta=4"]
    alone = plane(frame[frame.beta != 2], summary(frame[(frame.model == "cvae") | (frame.beta == 1)]))
    assert drawn(alone.specs()[0], "front") == []
    assert "Ringed" in panels.caption
    assert "Ringed" not in alone.caption


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.1, 1, 50])
def test_each_line_of_equal_nelbo_has_a_label_in_the_box(tmp_path, scale):
    for beta in (0.5, 1, 4):
        leave(tmp_path / f"{beta}", beta=beta, metrics=rates(scale * 8 / beta, scale * (90 + 4 * beta)))
    frame, _ = read_table(tmp_path)
    (spec,) = plane(frame, summary(frame)).specs()
    left, right = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    labels, lines = pd.DataFrame(drawn(spec, "totals")), pd.DataFrame(drawn(spec, "equal"))
    assert len(labels) > 1
    assert labels.text.tolist() == [f"nelbo {total:g}" for total in lines.total.unique()]
    assert (labels.rate + labels.distortion).tolist() == pytest.approx(lines.total.unique().tolist())
    # the text is right-aligned, its middle at its place: half a line of it is 0.018 of the height
    assert labels.rate.between(left + 0.2 * (right - left), right).all()
    assert labels.distortion.between(low + 0.018 * (high - low), high).all()


@pytest.mark.slow
def test_errors_are_drawn_over_the_runs_and_rings_behind_them(tmp_path):
    for beta in (1, 2):
        for seed in (0, 1):
            leave(tmp_path / f"{beta}{seed}", seed=seed, beta=beta, metrics=rates(9.0 / beta + seed, 9.0 * beta))
    frame, _ = read_table(tmp_path)
    marks = [(layer["mark"]["type"], layer.get("name")) for layer in plane(frame, summary(frame)).specs()[0]["layer"]]
    order = [marks.index(("point", "front")), marks.index(("point", "runs")), marks.index(("rule", None))]
    assert order == sorted(order)


@pytest.mark.slow
def test_a_negative_slope_stands_at_the_lower_edge_with_its_value(tmp_path):
    for beta, kl, distortion in ((0.5, 10, 20), (1, 8, 19), (2, 4, 27)):
        leave(tmp_path / f"{beta}", beta=beta, metrics=rates(kl, distortion))
    frame, runs = read_table(tmp_path)
    panels = slope(frame, slopes(frame, runs))
    (spec,) = panels.specs()
    marks = {(row["text"], row["low"]) for row in drawn(spec, "negative")}
    assert marks == {("-0.5", 0.5)}
    bottom, top = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert all(bottom < row["edge"] < min(0.5, top) for row in drawn(spec, "negative"))
    assert "lower edge" in panels.caption
    assert vl_convert.vegalite_to_svg(panels.picture().to_json(), vl_version=VEGA_LITE).count(">-0.5<") == 1


def test_slopes_that_are_all_negative_are_drawn(tmp_path):
    for beta in (1, 2, 4):
        leave(tmp_path / f"{beta}", beta=beta, metrics=rates(10 / beta, 30 / beta))
    frame, runs = read_table(tmp_path)
    (spec,) = slope(frame, slopes(frame, runs)).specs()
    assert {row["low"] for row in drawn(spec, "negative")} == {1, 2}


def test_a_ladder_of_betas_is_a_heat_map_and_a_setting_alone_a_bar_chart(tmp_path):
    for beta in (1, 2):
        leave(tmp_path / f"beta{beta}", beta=beta, metrics=rates(9 / beta, 9 * beta))
        declare(tmp_path / f"beta{beta}", dimension_unit="KL (bits)")
    leave(tmp_path / "ae", "ae", metrics={"mse": 0.1})
    panels = latent_dimensions(*read_table(tmp_path))
    by_title = {" ".join(spec["title"]["text"]): spec for spec in panels.specs()}
    assert {title: spec["mark"]["type"] for title, spec in by_title.items()} == {"beta_vae": "rect", "ae": "bar"}
    assert by_title["beta_vae"]["encoding"]["color"]["title"] == "KL (bits)"
    assert by_title["ae"]["encoding"]["y"]["title"] == "variance of the code"


@pytest.mark.slow
def test_many_settings_alone_share_a_heat_map(tmp_path):
    for width in range(2, 12):
        leave(tmp_path / f"{width}", "ae", latent_dim=width, metrics={"mse": 0.1})
    (spec,) = latent_dimensions(*read_table(tmp_path)).specs()
    assert spec["mark"]["type"] == "rect"
    assert spec["encoding"]["y"]["field"] == "label"


@pytest.mark.slow
def test_a_chart_of_one_setting_or_one_epoch_is_left_out(tmp_path):
    train = {"loss": 1.0, "nelbo": 1.0}
    for seed in (0, 1):
        leave(tmp_path / f"vae{seed}", "vae", seed, metrics=rates(3, 9), train=train)
        leave(tmp_path / f"sparse{seed}", "sparse", seed, metrics={"mse": 0.1, "sparsity": 2.0 + seed})
        pd.DataFrame({"epoch": [1], "train/loss": [2.0]}).to_csv(tmp_path / f"vae{seed}" / "history.csv", index=False)
    frame, runs = read_table(tmp_path)
    assert penalty(frame) is None
    assert learning_curves(frame, runs) is None
    assert set(report(read([tmp_path])).figures) == {"dimensions"}
    assert plane(frame, summary(frame)) is not None  # for a notebook that asks for it


def test_a_mean_curve_ends_where_the_first_of_its_runs_does(tmp_path):
    for seed, epochs in ((0, 4), (1, 2)):
        leave(tmp_path / f"{seed}", "vae", seed, metrics=rates(3, 9))
        curve = {"epoch": range(1, epochs + 1), "train/loss": [10.0 * (1 + seed)] * epochs}
        pd.DataFrame(curve).to_csv(tmp_path / f"{seed}" / "history.csv", index=False)
    (spec,) = learning_curves(*read_table(tmp_path)).specs()
    (rows,) = spec["datasets"].values()
    assert [(row["epoch"], row["value"]) for row in rows] == [(1, 15.0), (2, 15.0)]


def test_slopes_skip_no_beta_that_another_seed_has(tmp_path):
    for seed, betas in ((0, (1, 2, 4)), (1, (1, 4))):
        for beta in betas:
            leave(tmp_path / f"{beta}_{seed}", beta=beta, seed=seed, metrics=rates(8 / beta, 10 + beta))
    found = slopes(*read_table(tmp_path))
    assert found[["low", "high", "n"]].to_numpy().tolist() == [[1, 2, 1], [2, 4, 1]]


def test_rows_of_a_heat_map_are_named_by_what_differs():
    labels = row_labels(f"vae latent_dim={d} learning_rate={rate}" for d in (2, 16) for rate in (0.001, 0.01))
    assert labels["vae latent_dim=2 learning_rate=0.01"] == "latent_dim=2\nlearning_rate=0.01"
    assert len(set(labels.values())) == 4
    assert row_labels(["vae"]) == {"vae": "vae"}


def test_the_title_of_a_panel_is_whole():
    setting = "beta_vae schedule=Cyclical hidden=[1024, 512] learning_rate=0.001 beta=4"
    assert " ".join(panel_title(setting).text) == setting
