"""Strips of images side by side: only runs with the same originals share a picture."""

import matplotlib.image
import numpy as np
from PIL import Image

from support.handmade import leave, rates
from vaesweep.report.examples import examples
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import table


def leave_strips(folder, originals, **knobs):
    leave(folder, metrics=rates(5, 5), **knobs)
    (folder / "examples").mkdir()
    for name, grey in (("originals", originals), ("reconstructions", 0.5)):
        matplotlib.image.imsave(folder / "examples" / f"{name}.png", np.full((8, 32, 3), grey))


def test_runs_with_other_validation_images_have_a_picture_of_their_own(tmp_path):
    for beta in (1, 2):
        leave_strips(tmp_path / f"{beta}", 0.2, beta=beta)
    strip = tmp_path / "2" / "examples" / "originals.png"
    with Image.open(strip) as image:
        image.convert("RGB").save(strip)  # the same image in another file
    leave_strips(tmp_path / "others", 0.9, beta=3)
    leave_strips(tmp_path / "mnist", 0.2, beta=1, data="mnist")
    runs = read([tmp_path]).runs
    made = examples(table(runs), runs)
    shown = {name: [run.folder.name for _, run in strips.rows] for name, strips in made.items()}
    assert shown == {"examples_digits": ["1", "2"], "examples_digits_2": ["others"], "examples_mnist": ["mnist"]}
    assert made["examples_digits_2"].title == "digits, images 2"
