"""What a check of the installation found."""

import attrs


@attrs.frozen(kw_only=True)
class Finding:
    """`level` is ok, warn or bad; bad keeps the engine from starting. `advice` says what to do."""

    name: str
    level: str
    detail: str
    advice: str = ""
