import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images.reading import LEAST, has_checksums, read_image, size_of

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def grey_png_head(width, height):
    """The first bytes of a PNG that claims a size."""

    def chunk(kind, data):
        said = kind + data
        return struct.pack(">I", len(data)) + said + struct.pack(">I", zlib.crc32(said))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "ppm"])
def test_lossless_colours_come_back(tmp_path, suffix):
    assert (read_image(saved(tmp_path / f"x.{suffix}", COLOUR)) == COLOUR).all()


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_colours_come_back_nearly(tmp_path, suffix):
    smooth = np.indices((40, 40)).sum(axis=0)[..., None].repeat(3, axis=-1).astype(np.uint8)
    got = read_image(saved(tmp_path / f"x.{suffix}", smooth, quality=95))
    assert got.shape == smooth.shape and np.abs(got.astype(int) - smooth).max() < 8


@pytest.mark.parametrize("suffix", ["png", "gif", "pgm"])
def test_a_grey_picture_has_three_equal_channels(tmp_path, suffix):
    assert (read_image(saved(tmp_path / f"x.{suffix}", GREY)) == GREY[..., None]).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_of_16_bits_the_upper_8_are_kept(tmp_path, suffix):
    low = RANDOM.integers(0, 256, GREY.shape).astype(np.uint16)
    path = saved(tmp_path / f"x.{suffix}", (GREY.astype(np.uint16) << 8) | low)
    assert (read_image(path) == GREY[..., None]).all()


def test_a_picture_is_turned_as_its_camera_was(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    path = saved(tmp_path / "x.png", COLOUR, exif=exif)
    assert (read_image(path) == np.rot90(COLOUR, -1)).all()
    assert size_of(path) == (30, 20)


def test_palette_transparency_cmyk_and_one_bit(tmp_path):
    palette = Image.fromarray(COLOUR).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert (read_image(tmp_path / "palette.png") == np.asarray(palette.convert("RGB"))).all()
    clear = np.dstack([COLOUR, np.where(GREY > 127, 255, 0).astype(np.uint8)])
    shown = np.where(GREY[..., None] > 127, COLOUR, 0)
    assert (read_image(saved(tmp_path / "clear.png", clear)) == shown).all()
    Image.new("CMYK", (30, 20), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    red = read_image(tmp_path / "cmyk.jpg").mean(axis=(0, 1))
    assert red[0] > 200 and red[1] < 60 and red[2] < 60
    Image.fromarray(GREY > 127).save(tmp_path / "bit.png")
    assert (read_image(tmp_path / "bit.png")[..., 0] == np.where(GREY > 127, 255, 0)).all()


def test_what_a_camera_adds_to_a_jpeg_is_no_second_picture(tmp_path):
    preview = Image.fromarray(COLOUR[:10])
    options = {"format": "MPO", "save_all": True, "append_images": [preview]}
    path = saved(tmp_path / "x.jpg", COLOUR, **options)
    assert read_image(path).shape == COLOUR.shape


def refused(path):
    with pytest.raises(UserError) as caught:
        read_image(path)
    said = str(caught.value)
    assert str(path) in said and "\n" not in said and len(said) < 400
    return said


def test_empty_foreign_and_misnamed_files(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(b"")
    assert "the file is empty" in refused(path)
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n")  # Pillow would call Ghostscript
    refused(path)
    assert (read_image(saved(path, COLOUR, format="BMP")) == COLOUR).all()
    assert str(tmp_path / "gone.png") in refused(tmp_path / "gone.png")


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "png"])
def test_several_images_in_a_file_are_refused(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    more = [Image.fromarray(np.roll(COLOUR, i, axis=0)) for i in (1, 2)]
    Image.fromarray(COLOUR).save(path, save_all=True, append_images=more)
    assert "several images" in refused(path)


def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "x.png"
    for width, height in ((20_000, 20_000), (9_000, 9_000), (2**31 - 1, 2**31 - 1)):
        path.write_bytes(grey_png_head(width, height))
        refused(path)
    path.write_bytes(grey_png_head(9_000, 9_000))
    assert "9000 x 9000 pixels, more than 80,000,000" in refused(path)


def test_too_small_to_show_a_part(tmp_path):
    assert "1 x 1 pixels" in refused(saved(tmp_path / "x.png", COLOUR[:1, :1]))
    refused(saved(tmp_path / "y.png", COLOUR[:, : LEAST - 1]))
    assert read_image(saved(tmp_path / "z.png", COLOUR[:LEAST, :LEAST])).shape == (8, 8, 3)


def test_pixels_of_no_known_range_are_refused(tmp_path):
    path = saved(tmp_path / "x.tif", GREY.astype(np.float32))
    assert "floating-point" in refused(path)
    assert "16 bits" in refused(saved(path, GREY.astype(np.int32) * 70_000))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif", "ppm"])
def test_a_picture_cut_short_is_refused(tmp_path, suffix):
    path = saved(tmp_path / f"x.{suffix}", COLOUR)
    whole = path.read_bytes()
    for share in (0.2, 0.6, 0.95):
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path)


def test_only_png_has_checksums(tmp_path):
    assert has_checksums(saved(tmp_path / "x.png", COLOUR))
    assert not has_checksums(saved(tmp_path / "x.jpg", COLOUR))


@settings(max_examples=200)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_of_a_png_changes_a_pixel_unnoticed(tmp_path_factory, where, bit):
    path = saved(tmp_path_factory.getbasetemp() / "flipped.png", COLOUR)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        assert (read_image(path) == COLOUR).all()
    except UserError as error:
        assert "cannot read" in str(error)


def test_the_warning_filters_stay_as_they_are(tmp_path):
    before = list(warnings.filters)
    with pytest.raises(UserError, match="more than"), warnings.catch_warnings():
        warnings.simplefilter("error")
        (tmp_path / "large.png").write_bytes(grey_png_head(12_000, 10_000))
        read_image(tmp_path / "large.png")
    assert warnings.filters == before
