import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anomalylib.errors import UserError
from anomalylib.images.reading import (
    FORMATS,
    LEAST,
    SUFFIXES,
    TARGA,
    has_checksums,
    is_deep,
    orientation_of,
    read_image,
    read_values,
    size_of,
)

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


def saved(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def png(width, height, depth, colour, pixels):
    """A PNG of this head and these rows of bytes, each after its filter's."""

    def chunk(kind, data):
        said = kind + data
        return struct.pack(">I", len(data)) + said + struct.pack(">I", zlib.crc32(said))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body


def grey_png_head(width, height):
    """The first bytes of a PNG that claims a size."""
    return png(width, height, 8, 0, bytes(100))


def deep_png(path, values):
    """Save (H, W, C) of 16 bits: grey, with alpha, colour, with alpha."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    path.write_bytes(png(width, height, 16, (0, 4, 2, 6)[channels - 1], rows))
    return path


def deep_tiff(path, values, order, compressed):
    """Save (H, W, 3) of 16 bits in an order of bytes, "<" or ">"."""
    height, width, channels = values.shape
    data = values.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if compressed else data
    entries = 9
    depths = 8 + 2 + 12 * entries + 4  # where the three depths are written
    tags = [(256, width), (257, height), (258, depths), (259, 8 if compressed else 1), (262, 2)]
    tags += [(273, depths + 6), (277, channels), (278, height), (279, len(data))]
    head = b"II*\0" if order == "<" else b"MM\0*"
    head += struct.pack(f"{order}IH", 8, entries)
    for tag, value in tags:
        count = channels if tag == 258 else 1
        kind, form = (4, "I") if tag not in (258, 259, 262, 277) or count > 1 else (3, "Hxx")
        head += struct.pack(f"{order}HHI", tag, 3 if count > 1 else kind, count)
        head += struct.pack(f"{order}{form}", value)
    path.write_bytes(head + struct.pack(f"{order}IHHH", 0, 16, 16, 16) + data)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff", "ppm"])
def test_lossless_colours_come_back(tmp_path, suffix):
    assert (read_image(saved(tmp_path / f"x.{suffix}", COLOUR)) == COLOUR).all()


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_colours_come_back_nearly(tmp_path, suffix):
    smooth = np.indices((40, 40)).sum(axis=0)[..., None].repeat(3, axis=-1).astype(np.uint8)
    got = read_image(saved(tmp_path / f"x.{suffix}", smooth, quality=95))
    assert got.shape == smooth.shape and np.abs(got.astype(int) - smooth).max() < 8


@pytest.mark.parametrize("suffix", ["png", "gif", "pgm"])
def test_a_grey_image_has_three_equal_channels(tmp_path, suffix):
    assert (read_image(saved(tmp_path / f"x.{suffix}", GREY)) == GREY[..., None]).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_of_16_bits_the_upper_8_are_kept(tmp_path, suffix):
    low = RANDOM.integers(0, 256, GREY.shape).astype(np.uint16)
    path = saved(tmp_path / f"x.{suffix}", (GREY.astype(np.uint16) << 8) | low)
    assert (read_image(path) == GREY[..., None]).all()


def test_a_image_is_turned_as_its_camera_was(tmp_path):
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


def test_what_a_camera_adds_to_a_jpeg_is_no_second_image(tmp_path):
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
def test_a_image_cut_short_is_refused(tmp_path, suffix):
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


def test_every_suffix_of_the_formats_is_taken():
    named = {suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS}
    targa = {suffix for suffix, name in Image.registered_extensions().items() if name == "TGA"}
    assert named | targa | {".mpo"} == SUFFIXES and targa == TARGA


@pytest.mark.parametrize("suffix", sorted(TARGA))
def test_targa_is_read_by_its_name_alone(tmp_path, suffix):
    path = saved(tmp_path / f"x{suffix}", COLOUR, format="TGA")
    assert (read_image(path) == COLOUR).all()
    refused(path.rename(tmp_path / "x.png"))
    path.write_bytes((tmp_path / "x.png").read_bytes()[:900])
    refused(path)
    path.write_bytes(b"a text that is no image at all")
    refused(path)


DEEP = RANDOM.integers(0, 65536, (20, 30, 4)).astype(np.uint16)
DEEP[..., 3] = 65535


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_of_the_bits_that_are_used_the_upper_8_are_kept(tmp_path, channels, bits):
    values = DEEP[..., :channels] >> (16 - bits)
    if channels in (2, 4):
        values[..., -1] = 65535  # opaque
    path = deep_png(tmp_path / "x.png", values)
    colours = values[..., : 3 if channels > 2 else 1]
    assert is_deep(path) and (read_values(path) == colours).all()
    assert (read_image(path, bits) == (colours >> (bits - 8))).all()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_tiff_of_deep_colours_keeps_its_bits(tmp_path, order, compressed):
    values = DEEP[..., :3] >> 4
    path = deep_tiff(tmp_path / "x.tif", values, order, compressed)
    assert is_deep(path) and (read_values(path) == values).all()
    assert (read_image(path, 12) == values >> 4).all()
    assert (read_image(path) == values >> 8).all()


def test_what_is_transparent_in_deep_colours_is_black(tmp_path):
    values = DEEP.copy()
    values[:5, :, 3] = 0
    path = deep_png(tmp_path / "x.png", values)
    assert not read_image(path, 16)[:5].any() and not read_values(path)[:5].any()
    values[..., :3] >>= 6
    read = read_image(deep_png(path, values), 10)
    assert not read[:5].any() and (read[5:] == values[5:, :, :3] >> 2).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_value_beyond_the_range_is_named(tmp_path, channels):
    values = DEEP[..., :channels] >> 6
    values[3, 4] = 1024
    path = deep_png(tmp_path / "x.png", values)
    with pytest.raises(UserError, match=rf"{path} .*largest value is 1024, beyond 0 to 1023"):
        read_image(path, 10)
    assert read_image(path, 12)[3, 4, 0] == 1024 >> 4


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_the_size_of_a_turned_image_is_that_of_its_pixels(tmp_path, suffix):
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        path = saved(tmp_path / f"x.{suffix}", COLOUR, exif=exif)
        assert size_of(path) == read_image(path).shape[:2]
        assert orientation_of(path) == turn


def test_a_link_to_nothing_and_a_folder_are_no_images(tmp_path):
    (tmp_path / "x.png").symlink_to("gone")
    assert "a link to nothing" in refused(tmp_path / "x.png")
    (tmp_path / "y.png").mkdir()
    refused(tmp_path / "y.png")
