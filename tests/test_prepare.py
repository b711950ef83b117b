"""Pictures of digits made as MNIST's images are. The oracle is MNIST itself: its images, changed, must come back."""

import numpy as np
import pytest
from clear_digits import is_clear
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from ladder.exceptions import LadderError
from ladder.models import prepare as steps
from ladder.models.pictures import read_png
from ladder.models.prepare import prepare

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def picture(share, figure=BLACK, ground=WHITE):
    """Return uint8 [height, width, 4]: colours mixed by `share`, how much of a pixel is digit, from 0 to 1."""
    share = np.asarray(share, dtype=float)[..., None]
    mixed = np.rint(share * np.array(figure) + (1 - share) * np.array(ground))
    return np.concatenate([mixed, np.full(share.shape, 255)], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def images(digits):
    """Return 200 clear images of MNIST, uint8 [200, 28, 28]."""
    return np.array([image for image in digits[0][:1500, 0].numpy() if is_clear(image)][:200])


@pytest.mark.parametrize(
    ("figure", "ground", "within"),
    [(WHITE, BLACK, 1), (BLACK, WHITE, 1), ((200, 30, 40), (40, 160, 60), 3), ((90, 90, 90), (250, 240, 210), 3)],
    ids=["as MNIST's", "black on white", "red on green", "grey on cream"],
)
def test_an_image_of_mnist_comes_back_from_any_colours(images, figure, ground, within):
    for image in images:
        found = prepare(picture(image / 255, figure, ground)).image
        assert np.abs(found.astype(int) - image).max() <= within


def test_an_image_of_mnist_comes_back_from_anywhere_and_five_times_as_large(images):
    rng = np.random.default_rng(0)
    for image in images[:50]:
        large = np.zeros((220, 300), dtype=np.uint8)
        top, left = rng.integers(0, 80), rng.integers(0, 160)
        large[top : top + 140, left : left + 140] = image.repeat(5, 0).repeat(5, 1)
        found = prepare(picture(large / 255)).image
        assert np.abs(found.astype(int) - image).max() <= 1


def test_only_transparency_may_tell_the_digit_from_the_background(images):
    for figure in (BLACK, WHITE):
        pixels = picture(np.ones((28, 28)), figure)
        pixels[..., 3] = images[0]
        assert np.abs(prepare(pixels).image.astype(int) - images[0]).max() <= 1


def test_what_was_done_is_told():
    share = np.zeros((200, 300))
    share[20:140, 180:240] = 1
    done = prepare(picture(share))
    assert (done.size, done.box, done.fitted, done.dark_on_light) == ((300, 200), (180, 20, 60, 120), (10, 20), True)
    assert done.told() == "dark on light; the digit, 60×120 of 300×200 pixels, made 10×20 and centred by mass"
    kept = np.zeros((28, 28))
    kept[4:24, 9:19] = 1
    told = prepare(picture(kept, WHITE, BLACK)).told()
    assert told == "light on dark; the digit, 10×20 of 28×28 pixels, kept and centred by mass"


@settings(deadline=None, max_examples=50)
@given(
    part=arrays.arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.floats(0, 1)),
    width=st.integers(1, 20),
    height=st.integers(1, 20),
)
def test_a_new_pixel_is_the_mean_of_what_it_covers(part, width, height):
    """The oracle repeats each old pixel until old and new ones have a common measure, and takes means of blocks."""
    fine = part.repeat(height, 0).repeat(width, 1)
    expected = fine.reshape(height, part.shape[0], width, part.shape[1]).mean((1, 3))
    np.testing.assert_allclose(steps.reduce(part, width, height), expected, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(
    digit=arrays.arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.floats(0.01, 1)),
)
def test_the_centre_of_mass_is_where_mnist_has_it(digit):
    field = steps.place(digit)
    assert field.max() == 255
    exact = np.zeros((28, 28))
    rows, columns = np.flatnonzero(field.any(1)), np.flatnonzero(field.any(0))
    exact[rows[0] : rows[0] + digit.shape[0], columns[0] : columns[0] + digit.shape[1]] = digit
    for centre, side in zip(ndimage.center_of_mass(exact), digit.shape, strict=True):
        on_the_edge = side == 20 and not 5.5 < centre < 22.5
        assert 13.5 - 1e-9 <= centre < 14.5 + 1e-9 or on_the_edge


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 90), (500, 2), (3, 3)])
def test_the_smallest_and_thinnest_things_are_prepared(height, width):
    share = np.zeros((height + 4, width + 4))
    share[2:-2, 2:-2] = 1
    image = prepare(picture(share)).image
    assert image.shape == (28, 28)
    assert image.max() == 255


def test_uneven_paper_is_not_taken_for_ink(images):
    """The digit is found where it is, but for one of its own pixels, each of which is 5 x 5 here."""
    shade = np.linspace(0.0, 0.1, 140)[:, None] + np.random.default_rng(0).normal(0, 0.01, (140, 140))
    for image in images[:50]:
        large = image.repeat(5, 0).repeat(5, 1) / 255
        left, top, width, height = prepare(picture(np.clip(0.8 * large + shade, 0, 1))).box
        rows, columns = (np.flatnonzero((image > 0).any(axis)) * 5 for axis in (1, 0))
        found, exact = (left, top, left + width, top + height), (columns[0], rows[0], columns[-1] + 5, rows[-1] + 5)
        assert np.abs(np.array(found) - exact).max() <= 5


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_a_picture_without_a_digit_is_refused(share):
    pixels = np.zeros((30, 30))
    pixels[10:20, 10:20] = share
    with pytest.raises(LadderError, match="no digit"):
        prepare(picture(pixels))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, (255, 255, 255, 255)),
        ("L", 7, (7, 7, 7, 255)),
        ("LA", (7, 9), (7, 7, 7, 9)),
        ("RGB", (1, 2, 3), (1, 2, 3, 255)),
        ("RGBA", (1, 2, 3, 4), (1, 2, 3, 4)),
        ("I;16", 0x1234, (0x12, 0x12, 0x12, 255)),
    ],
)
def test_a_png_of_any_kind_is_read(tmp_path, mode, colour, expected):
    Image.new(mode, (3, 2), colour).save(tmp_path / "a.png")
    pixels = read_png(tmp_path / "a.png")
    assert pixels.shape == (2, 3, 4)
    assert pixels.dtype == np.uint8
    assert (pixels == expected).all()


def test_a_png_with_a_palette_is_read(tmp_path):
    Image.new("RGB", (3, 2), (1, 2, 3)).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.png")
    assert (read_png(tmp_path / "a.png") == (1, 2, 3, 255)).all()


@pytest.mark.filterwarnings("error")
def test_what_is_no_png_is_refused_in_one_line(tmp_path):
    Image.new("L", (40, 40), 7).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    Image.new("L", (40, 40), 7).save(tmp_path / "other.jpeg")
    Image.new("1", (10_000, 9_500)).save(tmp_path / "huge.png")  # so large that Pillow warns
    faults = {
        "cut.png": (content[:60], "damaged"),
        "empty.png": (b"", "not a PNG"),
        "other.png": ((tmp_path / "other.jpeg").read_bytes(), "not a PNG"),
        "huge.png": ((tmp_path / "huge.png").read_bytes(), "at most 16,000,000 will do"),
    }
    for name, (written, said) in faults.items():
        (tmp_path / name).write_bytes(written)
        with pytest.raises(LadderError, match=said) as caught:
            read_png(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(LadderError, match=r"directory"):
            read_png(path)
