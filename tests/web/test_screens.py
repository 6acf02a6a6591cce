"""The check of the pictures itself: what is empty is found to be."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.web.screens import EmptyScreen, check


def picture(pixels: "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_one_colour_is_empty_and_so_is_a_line_on_it() -> None:
    pixels = np.full((400, 600, 3), 17, dtype=np.uint8)
    with pytest.raises(EmptyScreen, match=r"was 0\.0 and 1"):
        check(picture(pixels), "blank")
    pixels[200] = 255
    with pytest.raises(EmptyScreen, match="and 2"):
        check(picture(pixels), "a line")


def test_many_colours_are_not() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    check(picture(pixels), "noise")
