"""A search through the journal: what is asked for, what is found, and the condition that SQLite looks by."""

import attrs

from protocols.journal import Record


@attrs.frozen(kw_only=True)
class FindRecords:
    """Records of one kind; None is any. Times are those of the records, both included; `fragments` are bytes that a
    payload must all contain, `any_of` some of which it must contain one. With `newest_of_each` only the newest
    counts of those whose keys are alike up to their colon."""

    kind: str
    key: str | None = None
    correlation_id: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    fragments: tuple[bytes, ...] = ()
    any_of: tuple[bytes, ...] = ()
    newest_of_each: bool = False
    limit: int = 100
    offset: int = 0


@attrs.frozen(kw_only=True)
class FoundRecords:
    """`records` is a page, newest first, of the `total` that fit among the `of_kind`."""

    total: int
    of_kind: int
    records: tuple[Record, ...]


def clauses(request: FindRecords) -> tuple[str, list[object]]:
    """The condition in SQL with its placeholders, and the values for them."""
    where, values = "kind = ?", list[object]([request.kind])
    for clause, value in (
        ("key = ?", request.key),
        ("corr = ?", request.correlation_id),
        ("time >= ?", request.from_ms),
        ("time <= ?", request.to_ms),
    ):
        if value is not None:
            where += f" AND {clause}"
            values.append(value)
    for fragment in request.fragments:
        where += " AND instr(payload, ?) > 0"
        values.append(fragment)
    if request.any_of:
        where += f" AND ({' OR '.join(['instr(payload, ?) > 0'] * len(request.any_of))})"
        values += request.any_of
    if request.newest_of_each:
        head = "substr(key, 1, instr(key, ':'))"
        where = f"seq IN (SELECT max(seq) FROM log WHERE {where} GROUP BY {head})"  # noqa: S608 - placeholders
    return where, values
