"""The report as a W&B run."""

import math

import pandas as pd

from vaesweep.report.wandb_report_run import plane_charts


def test_the_plane_of_a_report_has_a_point_per_run_and_a_line_per_series():
    columns = ["series", "setting", "beta", "seed", "run", "status", "rate", "distortion"]
    rows = [
        ("a", "a beta=1", 1.0, 0, "r0", "completed", 10.0, 90.0),
        ("a", "a beta=1", 1.0, 1, "r1", "completed", 12.0, 88.0),
        ("a", "a beta=4", 4.0, 0, "r2", "completed", 5.0, 99.0),
        ("a", "a beta=4", 4.0, 1, "r3", "failed", math.nan, math.nan),
        ("ae", "ae", math.nan, 0, "r4", "completed", math.nan, 70.0),
    ]
    charts = plane_charts(pd.DataFrame(rows, columns=columns))
    points, means = (charts[name].table.get_dataframe() for name in ("plane", "plane_means"))
    assert list(points["run"]) == ["r0", "r1", "r2"]
    assert means.to_numpy().tolist() == [["a", "a beta=4", 5.0, 99.0], ["a", "a beta=1", 11.0, 89.0]]
    assert charts["plane"].spec.fields == {"x": "rate (nats per image)", "y": "distortion (nats per image)"}
    assert charts["plane_means"].spec.fields["stroke"] == "series"
    assert plane_charts(pd.DataFrame(rows[3:], columns=columns)) == {}
