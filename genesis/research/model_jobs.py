"""The probability model's work in a process of its own: judging it on candles that are handed over."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from genesis.domain.probability import read_model
from genesis.research.model import validate, verdict


def validate_job(
    request: Mapping[str, Any],
    folder: Path,
    load_market: Callable[..., object],
    on_progress: Callable[[float, str], None],
) -> dict[str, Any]:
    """`request` holds model (a path), rows (candles, oldest first) and max_samples. Raises ValueError."""
    path = Path(str(request["model"]))
    try:
        model = read_model(path.read_bytes(), source=path.name)
    except OSError as error:
        raise ValueError(f"{path.name} must be readable, was not: {error.strerror}") from None
    rows = np.array(request["rows"], dtype=np.float64).reshape(-1, 6)
    samples = int(request["max_samples"])
    place = max(0, len(rows) - samples - model.label.horizon)
    figures = validate(model, rows, from_ms=int(rows[place, 0]) if len(rows) else 0)
    return {"figures": msgspec.to_builtins(figures), "verdict": list(verdict(figures)), "candles": len(rows)}
