"""What whoever watches the engine asks most: its health, on the short way and the long one."""

from typing import Any

import msgspec
import pytest

from tests.web.fakes import a_web, some_readers
from web.limits import RateLimit
from web.models import EngineStatus
from web.quick import FRESH_S, health_answer

V2 = "/api/v2"


async def test_health_tells_strangers_little_and_the_owner_everything() -> None:
    web = a_web()
    async with web.client(None) as client:
        stranger = await client.get("/health")
        told = {"status": "ok", "mode": "sim", "version": "0.1.0", "dev": False, "auth_required": True, "parts": []}
        assert stranger.json() == {**told, "waits": None}
        owner = (await client.get("/health", headers=web.bearer())).json()
        assert {part["name"] for part in owner["parts"]} >= {
            "actor engine/risk",
            "connection public",
            "data",
            "trading",
        }
        web.app.config["API"].stopping.set()
        assert (await client.get("/health")).status_code == 503


@pytest.mark.parametrize(
    "status", ["dialling", "connected", "waiting 3.0 s", "maintenance", "stops and closes leave over REST"]
)
async def test_a_line_that_is_not_up_is_a_part_that_is_not_well(status: str) -> None:
    line = msgspec.structs.replace(some_readers().connections()[0], name="connection_private", status=status)
    web = a_web(readers=some_readers(connections=lambda: (line,)))
    async with web.client(None) as client:
        told = (await client.get("/health", headers=web.bearer())).json()
    assert told["status"] == "degraded"
    part = {"name": "connection connection_private", "ok": False, "detail": status}
    assert [one for one in told["parts"] if not one["ok"]] == [part]


async def test_an_engine_that_ran_and_is_not_ready_says_so() -> None:
    """It is not starting: who reads that waits for a start that is long over."""
    status = EngineStatus(mode="live", version="1", state="not_ready")
    async with a_web(readers=some_readers(status=lambda: status)).client(None) as client:
        answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")


async def test_the_short_way_to_health_says_what_the_long_way_says() -> None:
    """A query of any kind goes the long way, through the framework."""
    async with a_web().client(None) as client:
        short, long = await client.get("/health"), await client.get("/health?long")
        assert short.json() == long.json()
        assert dict(short.headers) == dict(long.headers)
        assert (await client.post("/health", json={})).status_code == 405
        for question in ("/health", "/health?long"):
            refused = await client.get(question, headers={"Host": "evil.example"})
            assert refused.status_code == 421


async def test_the_short_way_to_health_counts_how_often_one_asks() -> None:
    web = a_web()
    web.app.config["API"].requests = RateLimit(per_s=0.01, burst=2)
    async with web.client(None) as client:
        answers = [await client.get("/health") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["Retry-After"] == "100"
        assert answers[2].json()["error"]["code"] == "too_many_requests"


async def test_a_mistake_on_the_short_way_to_health_is_answered_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_: object) -> None:
        raise RuntimeError("the test says so")

    monkeypatch.setattr("web.quick.health_answer", wrong)
    async with a_web().client(None) as client:
        assert (await client.get("/health")).status_code == 200


async def test_who_asks_for_health_again_at_once_is_told_the_same_and_later_the_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = 0

    def looking(*arguments: Any) -> tuple[int, bytes]:
        nonlocal looked
        looked += 1
        return health_answer(*arguments)

    monkeypatch.setattr("web.quick.health_answer", looking)
    web = a_web()
    async with web.client(None) as client:
        for _ in range(5):
            assert (await client.get("/health")).status_code == 200
        assert looked == 1
        web.clock.seconds += FRESH_S
        assert (await client.get("/health")).status_code == 200
        assert looked == 2
        web.app.config["API"].stopping.set()
        assert (await client.get("/health")).status_code == 503
