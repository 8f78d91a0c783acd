"""Rows of a figure of draws."""

from types import SimpleNamespace

import pytest
import torch

from vaesweep.evaluation.sample_figure_rows import COLUMNS, ROWS, row_names, rows_left_out, rows_of_labels


def context(classes, conditional):
    label = torch.tensor([[3, 7]])
    return SimpleNamespace(
        model=SimpleNamespace(classes=classes, class_names=()),
        declaration=SimpleNamespace(conditional=conditional),
        examples=lambda count: SimpleNamespace(label=label),
    )


@pytest.mark.parametrize(("classes", "rows"), [(10, 10), (800, 20)])
def test_each_row_is_a_class_and_there_are_at_most_twenty(classes, rows):
    label = rows_of_labels(context(classes, conditional=True)).unflatten(0, (-1, COLUMNS))
    assert row_names(context(classes, conditional=True)) == [f"class {i}" for i in range(rows)]
    assert label[:, :, 0].equal(torch.arange(rows)[:, None].expand(rows, COLUMNS))
    assert (label[:, :, 1] == 7).all()
    assert rows_left_out(context(classes, conditional=True)) == ("20 of 800 classes" if classes == 800 else "")


def test_rows_are_no_classes_where_the_model_has_no_condition():
    assert row_names(context(10, conditional=False)) == []
    assert rows_left_out(context(10, conditional=False)) == ""
    assert (rows_of_labels(context(10, conditional=False)) == torch.tensor([3, 7])).all()
    assert len(rows_of_labels(context(10, conditional=False))) == ROWS * COLUMNS
