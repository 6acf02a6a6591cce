"""The secrets of the web: the key that signs tokens, the bootstrap secret that proves the owner, and revocations.

All three stand in one JSON file with mode 0600 in the user's secrets directory, made at the first start. There is no
default secret: a well-known one has opened other people's engines before.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import msgspec

MIN_SECRET_BYTES: Final = 32
WELL_KNOWN: Final = frozenset(
    {
        "byt_till_en_stark_hemlighet",
        "change_me",
        "changeme",
        "secret",
        "super-secret",
        "somethingrandom",
        "somethingRandomSomethingRandom123",
    }
)
"""Example values from manuals (ours and others'); whoever kept one has no secret."""


class KeyringError(Exception):
    """The secrets file cannot be used; the text says what must be done about it."""


class SigningKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kid: str
    secret_hex: str

    @property
    def secret(self) -> bytes:
        return bytes.fromhex(self.secret_hex)

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r}, secret=***)"


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    signing_key: SigningKey
    bootstrap_secret: str
    revoked: dict[str, int]


@attrs.define(kw_only=True)
class Keyring:
    """`revoked` maps a token's id to the second after which it needs no remembering."""

    signing_key: SigningKey
    bootstrap_secret: str = attrs.field(repr=False)
    revoked: dict[str, int] = attrs.field(factory=dict)
    path: Path | None = None

    def __attrs_post_init__(self) -> None:
        for name, secret in (("signing key", self.signing_key.secret), ("bootstrap", self.bootstrap_secret.encode())):
            if len(secret) < MIN_SECRET_BYTES:
                raise KeyringError(f"the {name} secret must have at least {MIN_SECRET_BYTES} bytes, was {len(secret)}")
        if self.bootstrap_secret in WELL_KNOWN or self.signing_key.secret.decode("latin1") in WELL_KNOWN:
            raise KeyringError("the secret must not be a well-known example value")

    def revoke(self, jti: str, *, until_s: int, now_s: int) -> None:
        self.revoked = {old: until for old, until in self.revoked.items() if until > now_s}
        self.revoked[jti] = until_s
        self._save()

    def rotate(self, random_bytes: Callable[[int], bytes]) -> None:
        self.signing_key = _new_key(random_bytes)
        self.revoked = {}
        self._save()

    def _save(self) -> None:
        if self.path is not None:
            _write(self.path, self)


def _new_key(random_bytes: Callable[[int], bytes]) -> SigningKey:
    return SigningKey(kid=random_bytes(4).hex(), secret_hex=random_bytes(32).hex())


def new_keyring(random_bytes: Callable[[int], bytes], path: Path | None = None) -> Keyring:
    """A keyring with fresh secrets, kept in memory only when no path is given."""
    return Keyring(signing_key=_new_key(random_bytes), bootstrap_secret=random_bytes(32).hex(), path=path)


def with_signing_secret(keyring: Keyring, secret: str) -> Keyring:
    """The same keyring, signing with a secret from the environment (`JWT_SECRET_KEY`); raises KeyringError if weak."""
    if secret in WELL_KNOWN:
        raise KeyringError("JWT_SECRET_KEY must not be the example value of a manual")
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise KeyringError(f"JWT_SECRET_KEY must have at least {MIN_SECRET_BYTES} bytes, was {len(secret.encode())}")
    key = SigningKey(kid="environment", secret_hex=secret.encode().hex())
    return attrs.evolve(keyring, signing_key=key, path=None)


def open_keyring(path: Path, random_bytes: Callable[[int], bytes]) -> Keyring:
    """Read the secrets file, or make it. Raises KeyringError when others can read it or it makes no sense."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        keyring = new_keyring(random_bytes, path)
        _write(path, keyring)
        return keyring
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise KeyringError(f"{path} must be readable by its owner only (mode 0600), was {mode:04o}")
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        return Keyring(
            signing_key=file.signing_key, bootstrap_secret=file.bootstrap_secret, revoked=file.revoked, path=path
        )
    except (msgspec.DecodeError, ValueError) as error:
        # The error's text could quote the file.
        was = "other JSON" if isinstance(error, msgspec.ValidationError) else "no JSON, or cut short"
        raise KeyringError(
            f"{path} must be the secrets file that this engine wrote, was {was}; move it away to have a new one made"
        ) from None


def _write(path: Path, keyring: Keyring) -> None:
    """Replace the file as a whole: a crash leaves the old one or the new one, never half of one."""
    file = _File(
        version=1,
        signing_key=keyring.signing_key,
        bootstrap_secret=keyring.bootstrap_secret,
        revoked=keyring.revoked,
    )
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(file)))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
