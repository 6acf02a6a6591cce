"""What the project measured about itself: figures that a tool wrote, told on a page and over the API as they stand."""

import msgspec


class ProofTable(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of text under a head. Every row has as many cells as the head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"a row must have {len(self.head)} cells, has {len(row)}: {row}")


class ProofFact(msgspec.Struct, frozen=True, kw_only=True):
    """One figure worth a glance. `good` is None where more is neither better nor worse."""

    label: str
    value: str
    good: bool | None = None


class ProofSheet(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of one tool. `command` writes them anew."""

    name: str
    title: str
    text: str
    command: str
    facts: tuple[ProofFact, ...]
    tables: tuple[ProofTable, ...]
