"""Every dataset: what it holds, and that what is missing or damaged is told in one line."""

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from support.datasets import write_cifar10, write_dsprites, write_mnist, write_photos
from vaesweep.checks import ConfigError
from vaesweep.data import Digits, DSprites, Folder, Shapes, TorchvisionData
from vaesweep.data.dsprites import FILE
from vaesweep.data.shapes import SIZES, render, templates
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
        ConfigError, match=rf"data.root: got {tmp_path}, where mnist is missing or damaged .*data=digits"
    ):
        ready(TorchvisionData("mnist", str(tmp_path), **OPTIONS))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_missing_set_without_network_is_told_with_the_way_out(tmp_path, monkeypatch, name):
    def unreachable(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(ConfigError, match=rf"data.root: got {tmp_path}, where {name} is missing .*or data=digits$"):
        ready(TorchvisionData(name, str(tmp_path), **OPTIONS))


def test_real_mnist(mnist_root):
    data = ready(TorchvisionData("mnist", mnist_root, **OPTIONS))
    assert {k: len(s.indices) for k, s in data.splits.items()} == {"test": 10_000, "val": 12_000, "train": 48_000}
    labels = data.splits["test"].labels[:10, 0]
    assert labels.tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert data.splits["train"].images.float().mean().item() == pytest.approx(33.3, abs=0.1)


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
