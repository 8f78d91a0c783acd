"""Tables for terminals of any width."""

import pytest

from compare import main as compare
from support.handmade import leave, rates
from vaesweep.report import terminal


@pytest.mark.slow
def test_what_compare_prints_can_be_read_without_the_report(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    leave(tmp_path / "collapsed", beta=16, metrics=rates(0, 29, active=0), images={"distortion": [28.0, 30.0]})
    leave(tmp_path / "fine", beta=1, metrics=rates(5, 20), images={"distortion": [19.0, 21.0]})
    assert compare([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    places = [
        said.index(text)
        for text in (
            "From beta 16 to 1, ",
            "beta_vae beta=1 ",
            "nelbo = distortion + KL",
            "*: the lowest of a column",
            "before you believe it:\n- beta_vae beta=16: posterior collapse",
            "report     ",
        )
    ]
    assert places == sorted(places)


def test_the_best_numbers_are_bold_in_a_terminal_and_have_a_star_in_a_file(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    for beta, distortion in ((1, 20), (4, 30)):
        images = {"distortion": [distortion - 1.0, distortion + 1.0]}
        leave(tmp_path / f"beta{beta}", beta=beta, metrics=rates(5, distortion), images=images)
    terminal.print_study(tmp_path)
    in_a_file = capsys.readouterr().out
    assert "*20.00 ± 1.00" in in_a_file
    assert "30.00 ± 1.00" in in_a_file
    assert "*30.00" not in in_a_file
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal.print_study(tmp_path)
    in_a_terminal = capsys.readouterr().out
    assert "\x1b[1m20.00 ± 1.00" in in_a_terminal
    assert "\x1b[1m30.00" not in in_a_terminal
    assert "Bold: the lowest of a column" in in_a_terminal
    assert "*" not in in_a_terminal
