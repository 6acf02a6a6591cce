"""What `genesis doctor` asks of the venue: is it there, what time is it there, and what may the key do."""

import random
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import trio

from genesis.cli.findings import Finding
from genesis.core.clock import TrioClock
from genesis.domain.rest_budget import RestBudget
from genesis.edge.errors import EdgeError, SecretRefused
from genesis.edge.http import HttpAnswer, HttpClient
from genesis.edge.key_check import check_key
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor, RestKey
from genesis.edge.secrets import Secret
from genesis.edge.user_dir import UserDir
from protocols.bitfinex.errors import BitfinexError
from protocols.settings import Settings

TIMEOUT_S: Final = 4.0
SKEW_OK_S: Final = 2.0
"""The Date header counts whole seconds; the engine itself measures in milliseconds over its socket."""


def online(user_dir: UserDir, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Asks over the network, for a few seconds at most. Trouble there is a warning: mode sim needs none of it."""
    yield from trio.run(_ask, user_dir, settings, environment)


async def _ask(user_dir: UserDir, settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    venue = settings.venue
    key, secret = environment.get("BITFINEX_API_KEY"), environment.get("BITFINEX_API_SECRET")
    async with (
        HttpClient(venue.public_rest_url, timeout_s=TIMEOUT_S) as public,
        HttpClient(venue.private_rest_url, timeout_s=TIMEOUT_S) as private,
    ):
        found = await _reach(public)
        if found[0].level == "ok" and key and secret:
            nonce = NonceOwner(user_dir.secrets / "nonce-live", lambda: time.time_ns() // 1000)
            try:
                door = RestDoor(
                    public=public,
                    private=private,
                    budget=RestBudget(),
                    clock=TrioClock(),
                    chance=random.Random(),  # noqa: S311 - jitter of retries
                    key=RestKey(key=key, secret=Secret(secret), nonce=nonce),
                )
                found.append(await _key(door))
            finally:
                nonce.close()
    return found


async def _reach(http: HttpClient) -> list[Finding]:
    asked = time.time()
    try:
        with trio.fail_after(TIMEOUT_S):
            answer: HttpAnswer = await http.exchange("GET", "/v2/platform/status")
    except (EdgeError, trio.TooSlowError) as error:
        detail = f"{http.base_url} was not reached: {type(error).__name__}"
        return [Finding(name="venue", level="warn", detail=detail, advice="modes paper and live need it; sim does not")]
    took = time.time() - asked
    if answer.status != 200:
        detail = f"{http.base_url} answered {answer.status}"
        return [Finding(name="venue", level="warn", detail=detail, advice="its status page; wait after 429")]
    operative = answer.body.strip() == b"[1]"
    found = [
        Finding(
            name="venue",
            level="ok" if operative else "warn",
            detail=f"{http.base_url}, {took * 1000:.0f} ms" + ("" if operative else ", in maintenance"),
        )
    ]
    try:
        there = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return found
    # Its second began somewhere within the one that is told.
    skew = there + 0.5 - (asked + took / 2)
    well = abs(skew) <= SKEW_OK_S
    advice = "" if well else "run chrony or systemd-timesyncd: trading is refused above market.clock_skew_max_ms"
    found.append(
        Finding(name="clock", level="ok" if well else "bad", detail=f"{skew:+.1f} s against the venue", advice=advice)
    )
    return found


async def _key(door: RestDoor) -> Finding:
    try:
        with trio.fail_after(3 * TIMEOUT_S):
            permissions = await check_key(door)
    except SecretRefused as error:
        return Finding(name="key", level="bad", detail=str(error), advice="docs/keys.md")
    except (EdgeError, BitfinexError, trio.TooSlowError) as error:
        detail = f"what it may do was not told: {type(error).__name__} {error}".rstrip()
        return Finding(name="key", level="warn", detail=detail, advice="live asks again and refuses until it is told")
    may = ", ".join(one.scope for one in permissions if one.write) or "nothing"
    return Finding(name="key", level="ok", detail=f"may write {may}; cannot withdraw")
