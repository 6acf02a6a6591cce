"""The chain of settings versions: each says how it differs from the one before and is sealed together with its seal.

A record that was edited no longer has its hash; one that was taken out leaves a number and a hash that do not follow;
a patch that does not lead from one version to the next shows that one of the two is not what was in force.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from protocols.config import SettingsVersion

_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="string")


def document_of(version: SettingsVersion | None) -> dict[str, Any]:
    """The JSON document that patches are about: the whole settings, the flags and the rollout."""
    if version is None:
        return {}
    told: dict[str, Any] = dict(version.settings)
    told["flags"] = msgspec.to_builtins(version.flags)
    told["rollout"] = msgspec.to_builtins(version.rollout)
    plain: dict[str, Any] = msgspec.json.decode(_ENCODER.encode(told))
    return plain


def patch_between(old: SettingsVersion | None, new: SettingsVersion) -> tuple[dict[str, Any], ...]:
    """The JSON Patch (RFC 6902) from one version's document to another's; none leads to a first version."""
    return () if old is None else diff(document_of(old), document_of(new))


def diff(old: Any, new: Any) -> tuple[dict[str, Any], ...]:
    """The JSON Patch (RFC 6902) between two JSON documents, in the order of their paths."""
    # Fifty milliseconds of imports that a command which prints a number need not wait for.
    import jsonpatch

    operations: list[dict[str, Any]] = list(jsonpatch.make_patch(old, new).patch)
    return tuple(operations)


def applied(document: Any, patch: Iterable[dict[str, Any]]) -> Any:
    """The document after a patch. Raises ValueError when the patch does not fit it."""
    import jsonpatch

    try:
        return jsonpatch.apply_patch(document, list(patch))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise ValueError(f"the patch must fit the document, did not: {error}") from None


def sealed(version: SettingsVersion) -> SettingsVersion:
    """The record with its hash, which covers everything in it and the hash of the one before."""
    return msgspec.structs.replace(version, hash=seal_of(version))


def seal_of(version: SettingsVersion) -> str:
    """SHA-256 over the record's canonical JSON without its own hash, as hex."""
    return hashlib.sha256(_ENCODER.encode(msgspec.structs.replace(version, hash=""))).hexdigest()


def chain_faults(versions: Sequence[SettingsVersion]) -> list[str]:
    """Everything that is wrong with these versions, oldest first, in sentences; none when they are what was written.

    Records of programs that sealed nothing yet are believed as far as their numbers follow.
    """
    faults: list[str] = []
    before: SettingsVersion | None = None
    for version in versions:
        what = f"settings version {version.version}"
        expected = 1 if before is None else before.version + 1
        if version.version != expected:
            faults.append(f"{what} must be number {expected} in its row: a version is missing or there twice")
        if version.hash and version.hash != seal_of(version):
            faults.append(f"{what} is not what was written: its hash differs")
        if before is not None and before.hash:
            if not version.hash:
                faults.append(f"{what} must have a hash, had none")
            elif version.previous_hash != before.hash:
                faults.append(f"{what} does not continue version {before.version}: its previous hash differs")
            elif not _leads(before, version):
                faults.append(f"{what} is not what its patch makes of version {before.version}")
        before = version
    return faults


def _leads(before: SettingsVersion, version: SettingsVersion) -> bool:
    try:
        return bool(applied(document_of(before), version.patch) == document_of(version))
    except ValueError:
        return False
