"""Every dataset: what it holds, and that what is missing or damaged is told in one line."""

import errno
import os
import struct
import time
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from sklearn.datasets import load_digits

from support.datasets import write_cifar10, write_dsprites, write_mnist, write_photos
from vaesweep.data import Digits, DSprites, Folder, Shapes, TorchvisionData
from vaesweep.data.dsprites import FILE
from vaesweep.data.shapes import SIZES, render, templates
from vaesweep.errors import ConfigError
from vaesweep.models import Spec

OPTIONS = {"batch_size": 4, "val_fraction": 0.2, "binarize": "none", "on_device": False, "seed": 0}
SPLIT = OPTIONS | {"test_fraction": 0.2}


def ready(data):
    data.prepare_data()
    data.setup()
    return data


def test_digits_are_scikit_learns():
    data = ready(Digits(**SPLIT))
    assert data.spec[:2] == Spec((1, 8, 8), 10)[:2]
    split = data.splits["test"]
    expected = torch.from_numpy(load_digits().images)[split.indices] / 16
    assert torch.allclose(next(iter(data.test_dataloader())).image[:, 0], expected[:4].float())
    assert sum(len(s.indices) for s in data.splits.values()) == 1797


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_files_are_read_with_their_own_test_split(tmp_path, name, folder):
    _, pixels = write_mnist(tmp_path, folder)
    data = ready(TorchvisionData(name, str(tmp_path), **OPTIONS))
    assert data.spec[:2] == Spec((1, 28, 28), 10)[:2]
    assert {k: len(s.indices) for k, s in data.splits.items()} == {"test": 20, "val": 4, "train": 16}
    assert torch.allclose(next(iter(data.test_dataloader())).image, torch.from_numpy(pixels)[:4, None] / 255)


def test_cifar10_comes_channels_first(tmp_path, monkeypatch):
    rows = write_cifar10(tmp_path, monkeypatch)
    data = ready(TorchvisionData("cifar10", str(tmp_path), **OPTIONS))
    assert data.spec[:2] == Spec((3, 32, 32), 10)[:2]
    red = torch.from_numpy(rows[:4, :1024].reshape(4, 32, 32)) / 255
    assert torch.allclose(next(iter(data.test_dataloader())).image[:, 0], red)


def test_a_truncated_file_is_named_with_the_way_out(tmp_path):
    raw, _ = write_mnist(tmp_path)
    file = raw / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(
        ConfigError, match=rf"data.root: got {tmp_path}, where mnist is missing or damaged .*data=mnist5k"
    ):
        ready(TorchvisionData("mnist", str(tmp_path), **OPTIONS))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_missing_set_without_network_is_told_with_the_way_out(tmp_path, monkeypatch, name):
    def unreachable(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(ConfigError, match=rf"data.root: got {tmp_path}, where {name} is missing .*or data=mnist5k$"):
        ready(TorchvisionData(name, str(tmp_path), **OPTIONS))


@pytest.mark.slow
def test_real_mnist(mnist_root):
    data = ready(TorchvisionData("mnist", mnist_root, **OPTIONS))
    assert {k: len(s.indices) for k, s in data.splits.items()} == {"test": 10_000, "val": 12_000, "train": 48_000}
    labels = data.splits["test"].labels[:10, 0]
    assert labels.tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert data.splits["train"].images.float().mean().item() == pytest.approx(33.3, abs=0.1)


@pytest.mark.slow
def test_shapes_cover_the_grid_of_dsprites():
    assert torch.tensor(SIZES).prod() == 737_280
    corners = render(torch.tensor([0, 737_279]))
    assert corners.shape == (2, 1, 64, 64)
    assert set(corners.unique().tolist()) == {0, 1}


def index(shape, scale, turn, x, y):
    return (((shape * 6 + scale) * 40 + turn) * 32 + x) * 32 + y


def test_position_moves_a_shape_by_whole_pixels_and_nothing_is_cut_off():
    left, right, down = render(torch.tensor([index(2, 5, 7, *p) for p in [(0, 0), (31, 0), (0, 31)]]))[:, 0]
    assert torch.equal(left[:, :33], right[:, 31:])
    assert torch.equal(left[:33], down[31:])
    extent = templates().any(0)
    border = torch.ones(95, 95, dtype=torch.bool)
    border[32:63, 32:63] = False  # a window shows at least rows and columns 31 to 63 of its template
    assert not extent[border].any()


def test_scale_orientation_and_shape_are_as_named():
    areas = render(torch.tensor([index(1, s, 0, 16, 16) for s in range(6)])).sum((1, 2, 3))
    assert (areas.diff() > 0).all()
    assert areas[5] / areas[0] == pytest.approx(4, rel=0.1)  # scale 1 against 0.5
    square = render(torch.tensor([index(0, 5, t, 16, 16) for t in (0, 10, 39)]))
    assert torch.equal(square[0], square[2])  # 0 and 2 pi
    assert square[0].sum() == 19**2
    assert square[1].sum() == pytest.approx(19**2, rel=0.03)
    heart = render(torch.tensor([index(2, 5, 0, 16, 16)]))[0, 0]
    assert torch.equal(heart[:, 1:], heart[:, 1:].flip(1))  # upright, about pixel 32
    assert heart[:32].sum() > heart[33:].sum()  # broad above, pointed below


def test_a_draw_of_shapes_keeps_its_factors():
    data = ready(Shapes(size=50, **SPLIT))
    again, other = ready(Shapes(size=50, **SPLIT)), ready(Shapes(size=50, **SPLIT | {"seed": 1}))
    split = data.splits["train"]
    assert data.spec[:2] == Spec((1, 64, 64), 3)[:2]
    assert torch.equal(split.images, again.splits["train"].images)
    assert not torch.equal(split.images, other.splits["train"].images)
    rows = torch.tensor([index(*row) for row in split.labels.tolist()])
    assert torch.equal(render(rows), split.images)


def test_dsprites_are_read_without_their_pickled_part(tmp_path):
    images = write_dsprites(tmp_path)
    data = ready(DSprites(str(tmp_path), **SPLIT))
    assert data.spec[:2] == Spec((1, 64, 64), 3)[:2]
    assert torch.equal(data.splits["train"].images[:, 0], torch.from_numpy(images))
    assert data.splits["train"].labels.shape == (40, 5)


def test_a_truncated_dsprites_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ConfigError, match=r"data.root: .* is missing or damaged .*or data=shapes"):
        ready(DSprites(str(tmp_path), **SPLIT))


def test_dsprites_that_cannot_be_fetched_leave_nothing_behind(tmp_path, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(ConfigError, match="no route to host"):
        ready(DSprites(str(tmp_path), **SPLIT))
    assert not (tmp_path / FILE).exists()


@pytest.fixture
def photos(tmp_path):
    write_photos(tmp_path / "photos")
    return tmp_path / "photos"


def folder(photos, **options):
    return Folder(str(photos), str(photos.parent / "cache"), **{"size": 16, "color": "rgb"} | SPLIT | options)


def test_a_folder_is_resized_and_classed_by_subfolder(photos):
    data = ready(folder(photos))
    assert data.spec[:2] == Spec((3, 16, 16), 2)[:2]
    assert len(data.spec.class_names) == 2
    assert list(data.spec.class_names) == sorted(data.spec.class_names)
    assert data.splits["train"].labels[:, 0].tolist() == [0] * 6 + [1] * 6
    assert ready(folder(photos, color="grey")).spec[:2] == Spec((1, 16, 16), 2)[:2]


def test_a_flat_folder_has_no_classes(photos):
    assert ready(folder(photos / "cats", batch_size=2)).spec.classes == 1


def test_resized_images_are_kept_until_a_file_changes(photos):
    data = ready(folder(photos))
    kept = data.cache_file(data.files())
    assert kept.exists()
    before = kept.stat().st_mtime_ns
    ready(folder(photos))
    assert kept.stat().st_mtime_ns == before
    Image.new("RGB", (8, 8), "red").save(photos / "cats" / "new.png")
    assert data.cache_file(data.files()) != kept


def test_a_uniform_image_keeps_its_colour(photos):
    Image.new("RGB", (40, 20), (255, 0, 102)).save(photos / "cats" / "aa.png")
    data = ready(folder(photos))
    row = [f.name for f in data.files()].index("aa.png")
    assert torch.equal(data.splits["train"].images[row, :, 8, 8], torch.tensor([255, 0, 102], dtype=torch.uint8))


def test_a_damaged_image_is_named_and_nothing_is_kept(photos):
    (photos / "cats" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ConfigError, match=r"data.path: got .*bad.png, which does not decode"):
        ready(folder(photos))
    assert not list((photos.parent / "cache").iterdir())


def test_what_a_killed_process_left_in_the_cache_is_removed_after_a_day(photos):
    cache = photos.parent / "cache"
    cache.mkdir()
    for name, age in (("old", 90_000), ("new", 0)):
        (cache / f"{name}.1.part").touch()
        os.utime(cache / f"{name}.1.part", (time.time() - age,) * 2)
    ready(folder(photos))
    assert [file.name for file in cache.glob("*.part")] == ["new.1.part"]


def test_a_cache_for_which_there_is_no_room_leaves_nothing(photos, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(
        ConfigError, match=r"^data.cache: got .*No space left on device\); allowed: a folder with room for 1"
    ):
        ready(folder(photos))
    assert not list((photos.parent / "cache").iterdir())


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"data.path: got .*, with no image in it; allowed: a folder of images"):
        ready(folder(tmp_path))
    with pytest.raises(ConfigError, match=r"data.path: got .*nothing, which is no folder"):
        ready(folder(tmp_path / "nothing"))


def test_a_photo_is_turned_upright_and_other_files_are_passed_over(photos):
    left_red = Image.new("RGB", (20, 20), "blue")
    left_red.paste("red", (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright: left becomes top
    left_red.save(photos / "cats" / "turned.jpg", exif=exif, quality=95)
    (photos / "cats" / "notes.pdf").write_bytes(b"%PDF")
    data = ready(folder(photos))
    row = [f.name for f in data.files()].index("turned.jpg")
    top, bottom = data.splits["train"].images[row, :, 2, 8], data.splits["train"].images[row, :, 13, 8]
    assert top[0] > 200 > 50 > top[2]
    assert bottom[2] > 200 > 50 > bottom[0]


def pixel(tmp_path, image, name="a.png", color="rgb", save=None, **options):
    """The colour at the centre of an image file, as the folder of it has it."""
    image.save(tmp_path / name, **save or {})
    data = Folder(str(tmp_path), str(tmp_path / "cache"), 8, color, **SPLIT, **options)
    return data.read(tmp_path / name)[:, 4, 4].tolist()


def uniform(value, dtype):
    return Image.fromarray(np.full((8, 8), value, dtype))


HALF = 128, 0, 255
DEEP = {
    "16-bit PNG": (uniform(40_000, np.uint16), "a.png", 156),
    "16-bit TIFF": (uniform(40_000, np.uint16), "a.tif", 156),
    "16-bit PGM": (uniform(40_000, np.uint16), "a.pgm", 156),
    "signed 32-bit TIFF": (uniform(2**30, np.int32), "a.tif", 128),
    "float TIFF": (uniform(0.6, np.float32), "a.tif", 153),
}


@pytest.mark.parametrize("case", DEEP)
def test_deep_images_are_scaled_by_the_range_of_their_type(tmp_path, case):
    image, name, value = DEEP[case]
    assert pixel(tmp_path, image, name) == [value] * 3
    assert pixel(tmp_path, image, name, color="grey") == [value]


def test_an_unsigned_32_bit_tiff_is_scaled_by_its_range(tmp_path):
    file = tmp_path / "a.tif"
    uniform(-(2**30), np.int32).save(file)  # the bits of 3 * 2**30
    content = bytearray(file.read_bytes())
    at = content.index(bytes([83, 1, 3, 0, 1, 0, 0, 0]))  # the tag of the sample format
    content[at + 8] = 1
    file.write_bytes(content)
    assert folder(tmp_path).read(file)[:, 8, 8].tolist() == [191] * 3


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_floats_that_are_no_greys_are_refused_with_the_file(tmp_path, value):
    with pytest.raises(ConfigError, match=r"data.path: got .*a.tif, .*values from .* are not in \[0, 1\]"):
        pixel(tmp_path, uniform(value, np.float32), "a.tif")


def test_values_that_would_all_be_black_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"a.tif, .*values of at most 200 are black in \[0, 2147483647\]"):
        pixel(tmp_path, uniform(200, np.int32), "a.tif")


def palette(transparency=None):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *HALF])
    return image, ({} if transparency is None else {"transparency": transparency})


def test_transparent_images_are_laid_over_white_or_what_is_asked(tmp_path):
    clear = {
        "RGBA": (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), {}),
        "LA": (Image.new("LA", (8, 8), (0, 0)), {}),
        "P": palette(1),
        "RGB": (Image.new("RGB", (8, 8), HALF), {"transparency": HALF}),
        "L": (Image.new("L", (8, 8), 7), {"transparency": 7}),
    }
    for name, (image, save) in clear.items():
        assert pixel(tmp_path, image, save=save) == [255] * 3, name
        assert pixel(tmp_path, image, save=save, color="grey") == [255], name
        assert pixel(tmp_path, image, save=save, background="black") == [0] * 3, name
        assert pixel(tmp_path, image, save=save, background=0.2) == [51] * 3, name
    half = Image.new("RGBA", (8, 8), (255, 0, 0, 51))
    assert pixel(tmp_path, half) == [255, 204, 204]


def test_the_other_modes_keep_their_colours(tmp_path):
    assert pixel(tmp_path, palette()[0]) == list(HALF)
    assert pixel(tmp_path, palette(0)[0], save={"transparency": 0}) == list(HALF)
    assert pixel(tmp_path, Image.new("1", (8, 8), 1)) == [255] * 3
    assert pixel(tmp_path, Image.new("1", (8, 8), 0), color="grey") == [0]
    assert pixel(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 0, 0)), "a.tif") == [255, 0, 255]
    assert pixel(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 0, 0)), "a.jpg") == pytest.approx([255, 0, 255], abs=3)
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    for name in ("a.gif", "a.png", "a.webp"):
        save = {"save_all": True, "append_images": frames[1:]} | ({"lossless": True} if name == "a.webp" else {})
        assert pixel(tmp_path, frames[0], name, save=save) == [255, 0, 0], name


@pytest.mark.parametrize("background", ["grey", 2, True, None])
def test_a_background_that_is_none_is_refused(tmp_path, background):
    with pytest.raises(ConfigError, match=r"background: got .*; allowed: "):
        folder(tmp_path, background=background)


def test_another_background_is_resized_anew(photos):
    white, black = (folder(photos, background=name) for name in ("white", "black"))
    assert white.cache_file(white.files()) != black.cache_file(black.files())


def test_a_text_chunk_that_is_too_large_is_refused_with_the_file(photos):
    text = PngImagePlugin.PngInfo()
    text.add(b"zTXt", b"note\0\0" + zlib.compress(b"a" * (PngImagePlugin.MAX_TEXT_CHUNK + 1)))
    Image.new("RGB", (8, 8)).save(photos / "cats" / "wordy.png", pnginfo=text)
    with pytest.raises(ConfigError, match=r"^data.path: got .*wordy.png, which does not decode .*; allowed: .*$"):
        ready(folder(photos))


@pytest.mark.parametrize("error", [IndexError("a\nb"), ZeroDivisionError(), MemoryError()])
def test_whatever_a_decoder_raises_is_one_line_with_the_file(photos, monkeypatch, error):
    def broken(*given):
        raise error

    monkeypatch.setattr("PIL.Image.Image.load", broken)
    with pytest.raises(ConfigError, match=r"^data.path: got .*00.png, which does not decode \(.+\)") as refusal:
        ready(folder(photos))
    assert "\n" not in str(refusal.value)


def test_another_folder_of_equal_names_sizes_and_times_is_read(tmp_path):
    for name, grey in (("a", 0), ("b", 255)):
        (tmp_path / name).mkdir()
        for i in range(12):
            file = tmp_path / name / f"{i:02}.pgm"
            Image.new("L", (16, 16), grey).save(file)
            os.utime(file, (1e9, 1e9))
    assert ready(folder(tmp_path / "a", color="grey")).splits["test"].images.max() == 0
    assert ready(folder(tmp_path / "b", color="grey")).splits["test"].images.min() == 255


def test_images_are_found_through_links_and_once(photos, tmp_path):
    (tmp_path / "linked").mkdir()
    for name in ("cats", "birds"):
        (tmp_path / "linked" / name).symlink_to(photos / name)
    (photos / "cats" / "loop").symlink_to(photos / "cats")
    assert len(ready(folder(tmp_path / "linked")).splits["train"].images) == 12


@pytest.mark.parametrize("content", [b"", b"abc", None])
def test_a_damaged_cache_is_written_anew(photos, content):
    expected = ready(folder(photos)).splits["test"].images.clone()
    (cached,) = (photos.parent / "cache").glob("*.npy")
    cached.write_bytes(cached.read_bytes()[:500] if content is None else content)
    assert torch.equal(ready(folder(photos)).splits["test"].images, expected)


def test_data_with_test_images_of_their_own_take_no_share_for_it(tmp_path):
    write_mnist(tmp_path)
    data = TorchvisionData("mnist", str(tmp_path), **OPTIONS, test_fraction=0.5)
    with pytest.raises(ConfigError, match=r"^data.test_fraction: got 0.5; allowed: nothing for mnist, whose test "):
        ready(data)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("train-labels-idx1-ubyte", b"version https://git-lfs.github.com/spec/v1"),
        ("t10k-images-idx3-ubyte", bytes(4)),
        ("t10k-images-idx3-ubyte", b"\x00\x00\x0d\x03" + bytes(12)),
    ],
)
def test_a_file_of_another_format_is_named(tmp_path, part, content):
    raw, _ = write_mnist(tmp_path)
    (raw / part).write_bytes(content)
    with pytest.raises(ConfigError, match=r"^data.root: got .*, where mnist is missing or damaged \(.+\); allowed"):
        TorchvisionData("mnist", str(tmp_path), **OPTIONS).load()


def test_test_images_of_another_size_are_refused(tmp_path):
    raw, _ = write_mnist(tmp_path)
    header = struct.pack(">IIII", 2051, 20, 32, 32)
    (raw / "t10k-images-idx3-ubyte").write_bytes(header + bytes(20 * 32 * 32))
    with pytest.raises(ConfigError, match=r"of \[1, 28, 28\] and \[1, 32, 32\]; allowed: files that belong together"):
        ready(TorchvisionData("mnist", str(tmp_path), **OPTIONS))


@pytest.mark.parametrize("bad", ["short", "flat", "text", "bright"])
def test_dsprites_of_another_shape_or_range_are_refused(tmp_path, bad):
    images, classes = np.zeros((40, 64, 64), np.uint8), np.zeros((40, 6), np.int64)
    changed = {
        "short": (images, classes[:20]), "flat": (images, classes[:, 0]), "text": (images, classes.astype(str)),
        "bright": (images + 255, classes),
    }  # fmt: skip
    imgs, latents = changed[bad]
    np.savez(tmp_path / FILE, imgs=imgs, latents_classes=latents)
    with pytest.raises(ConfigError, match=r"^data.root: got .* is missing or damaged"):
        ready(DSprites(str(tmp_path), **SPLIT))


def test_a_digest_tells_other_test_images_apart(photos):
    digest = ready(folder(photos)).digest
    assert ready(folder(photos)).digest == digest
    assert ready(folder(photos, seed=1)).digest != digest
    Image.new("RGB", (30, 30), "red").save(photos / "cats" / "zz.png")
    assert ready(folder(photos)).digest != digest
