"""What the pages looked like in this run: one picture each in build/screens, and none of them is an empty page."""

import io
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

SCREENS: Final = Path(os.environ.get("SCREENS_FOLDER", "") or Path(__file__).parents[2] / "build" / "screens")
LEAST_DEVIATION: Final = 4.0
"""Of the brightness over a picture, 0 to 255. A page of one colour has 0, a sign-in form alone about 10."""
LEAST_COLOURS: Final = 24


class EmptyScreen(AssertionError):
    """A picture that shows nothing, or hardly anything."""


def keep(page: Any, name: str, **options: Any) -> Path:
    """Take a picture of the page and keep it as `name`. Raises EmptyScreen when nothing is on it."""
    shot: bytes = page.screenshot(**options)
    SCREENS.mkdir(parents=True, exist_ok=True)
    path = SCREENS / f"{name}.png"
    path.write_bytes(shot)
    check(shot, name)
    return path


def check(shot: bytes, name: str) -> None:
    """Raises EmptyScreen when the picture is of one colour, or nearly so."""
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=np.uint8)
    deviation = float(pixels.mean(axis=2).std())
    colours = len(np.unique(pixels.reshape(-1, 3)[:: max(1, pixels.size // 600_000)], axis=0))
    if deviation < LEAST_DEVIATION or colours < LEAST_COLOURS:
        raise EmptyScreen(
            f"{name} must show something: the brightness must deviate by {LEAST_DEVIATION:g} and there must be"
            f" {LEAST_COLOURS} colours, was {deviation:.1f} and {colours}"
        )


def note_errors(page: Any, errors: list[str]) -> None:
    """Note what a page's console warns of, with the address: a failed request's own line has none."""

    def heard(said: Any) -> None:
        if said.type in ("error", "warning"):
            errors.append(f"{said.text} {(said.location or {}).get('url', '')}".rstrip())

    page.on("console", heard)
    page.on("pageerror", lambda error: errors.append(str(error)))
