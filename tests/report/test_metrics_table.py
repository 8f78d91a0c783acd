"""What stands around the table of settings."""

from support.handmade import leave, rates
from vaesweep.report.metrics_table import notes
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table


def test_a_model_for_a_range_of_weights_is_said_to_be_at_one(tmp_path):
    leave(tmp_path / "one", "beta_vae", beta=4, metrics=rates(5, 20))
    means = summary(table(read([tmp_path]).runs))
    (alone,) = notes(means)
    leave(tmp_path / "range", "multi_rate", beta=2.5, metrics=rates(8, 18))
    means = summary(table(read([tmp_path]).runs))
    curve = "Trained for a range of betas: multi_rate is shown at beta 2.5; the rate-distortion plane shows the curve."
    assert notes(means) == [alone, curve]
