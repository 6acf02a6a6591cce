"""Tokens that stand for an API key for a while, and the record of who came in."""

import random
from collections.abc import Callable

import attrs

from genesis.simulator.settings import ApiKey


@attrs.frozen(kw_only=True)
class Login:
    """One good authentication of a socket."""

    number: int
    account: str
    time_ms: int
    peer: str


@attrs.frozen
class _Token:
    key: ApiKey
    ends: float


class Tokens:
    """Tokens in force. Their text comes from the exchange's chance: they open nothing outside the simulation."""

    def __init__(self, chance: random.Random, now: Callable[[], float]) -> None:
        self._chance = chance
        self._now = now
        self._tokens: dict[str, _Token] = {}

    def issue(self, key: ApiKey, life_s: int, scopes: set[str] | None, *, writes: bool) -> str:
        """A token that may do what the key may, cut to `scopes` if given, and without writing if so wished."""
        permissions = {
            scope: (
                read and (scopes is None or scope in scopes),
                write and writes and (scopes is None or scope in scopes),
            )
            for scope, (read, write) in key.permissions.items()
        }
        text = f"pub:api:{self._chance.getrandbits(256):064x}-caps:s:o:f:w:wd:a-write"
        self._tokens[text] = _Token(attrs.evolve(key, permissions=permissions), self._now() + life_s)
        return text

    def key_of(self, token: str) -> ApiKey | None:
        """None for a token that never was, or is over."""
        found = self._tokens.get(token)
        if found is not None and found.ends <= self._now():
            del self._tokens[token]
            return None
        return None if found is None else found.key

    def withdraw(self, token: str) -> None:
        self._tokens.pop(token, None)
