"""Trouble on demand: each fault looks to a client as it does in life."""

from typing import Any

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed

from genesis.simulator.control import ControlPort
from genesis.simulator.faults import FaultKind, FaultRule
from protocols.units import Symbol

BTC = Symbol("tBTCUSD")


def tick(world: Any, price: float) -> None:
    exchange = world.exchange
    time_ms = exchange.time_ms + 5_000
    exchange.tick(BTC, exchange.print_of(BTC, price, 1.0, time_ms), None, time_ms)


async def a_listener(talker: Any, flags: int = 65536) -> int:
    await talker.ask({"event": "conf", "flags": flags})
    number, _ = await talker.subscribe("trades", symbol="tBTCUSD")
    return int(number)


async def test_a_lost_frame_leaves_a_hole_in_the_numbers(world: Any) -> None:
    async with world.talker() as talker:
        await a_listener(talker)
        world.exchange.faults.add(FaultRule(kind=FaultKind.LOSE, contains='"te"'))
        tick(world, 8000.0)
        # te had number 2; its candle-making trade is not confirmed here, so the next frame is the next tick's.
        tick(world, 8001.0)
        assert (await talker.hear())[-1] == 3


async def test_a_frame_comes_twice_or_in_another_order(world: Any) -> None:
    async with world.talker() as talker:
        await a_listener(talker)
        world.exchange.faults.add(FaultRule(kind=FaultKind.DUPLICATE))
        tick(world, 8000.0)
        assert await talker.hear() == await talker.hear()
        world.exchange.faults.add(FaultRule(kind=FaultKind.REORDER))
        tick(world, 8001.0)
        tick(world, 8002.0)
        assert [(await talker.hear())[2][3] for _ in range(2)] == [8002, 8001]


async def test_an_answer_is_lost_after_the_request_was_carried_out(world: Any) -> None:
    order = {"type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "price": "10", "cid": 7}
    world.exchange.faults.add(FaultRule(kind=FaultKind.LOST_ANSWER, contains="order/submit"))
    assert (await world.post("auth/w/order/submit", order, nonce=1)).status_code == 502
    assert set(world.exchange.snapshot("alice").orders_by_cid) == {7}
    assert (await world.post("auth/w/order/submit", order | {"cid": 8}, nonce=2)).status_code == 200


async def test_a_connection_ends_without_an_answer_after_the_request_was_carried_out(world: Any) -> None:
    order = {"type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "price": "10", "cid": 7}
    world.exchange.faults.add(FaultRule(kind=FaultKind.LOST_ANSWER, contains="order/submit", value=1.0))
    with pytest.raises(httpx.RemoteProtocolError):
        await world.post("auth/w/order/submit", order, nonce=1)
    assert set(world.exchange.snapshot("alice").orders_by_cid) == {7}
    assert (await world.post("auth/w/order/submit", order | {"cid": 8}, nonce=2)).status_code == 200


async def test_a_late_frame_holds_up_what_is_behind_it(world: Any) -> None:
    async with world.talker() as talker:
        await a_listener(talker)
        world.exchange.faults.add(FaultRule(kind=FaultKind.DELAY, value=0.05))
        began = trio.current_time()
        tick(world, 8000.0)
        tick(world, 8001.0)
        assert [(await talker.hear())[2][3] for _ in range(2)] == [8000, 8001]
        assert trio.current_time() - began >= 0.05


async def test_a_stalled_socket_is_silent_and_open(world: Any) -> None:
    async with world.talker() as talker:
        await a_listener(talker)
        world.exchange.faults.add(FaultRule(kind=FaultKind.STALL))
        tick(world, 8000.0)
        await talker.say({"event": "ping"})
        with trio.move_on_after(0.1) as scope:
            await talker.socket.get_message()
        assert scope.cancelled_caught
        assert talker.socket.closed is None


async def test_a_checksum_can_be_wrong(world: Any) -> None:
    async with world.talker() as talker:
        await talker.ask({"event": "conf", "flags": 131072})
        await talker.subscribe("book", symbol="tBTCUSD")
        tick(world, 8010.0)
        right = await talker.hear_until(lambda frame: frame[1] == "cs")
        world.exchange.faults.add(FaultRule(kind=FaultKind.BAD_CHECKSUM))
        tick(world, 8020.0)
        tick(world, 8010.0)
        wrong = await talker.hear_until(lambda frame: frame[1] == "cs")
        again = await talker.hear_until(lambda frame: frame[1] == "cs")
        assert again[2] == right[2]
        assert wrong[2] != right[2]


@pytest.mark.parametrize("kind", [FaultKind.TEAR, "drop"])
async def test_a_connection_is_cut(world: Any, kind: str) -> None:
    async with world.talker() as talker:
        await a_listener(talker)
        if kind == "drop":
            assert world.exchange.faults.drop(private=True) == 0
            assert world.exchange.faults.drop() == 1
        else:
            world.exchange.faults.add(FaultRule(kind=FaultKind.TEAR))
            tick(world, 8000.0)
        with pytest.raises(ConnectionClosed), trio.fail_after(60):
            await talker.socket.get_message()
        assert talker.socket.closed.code == 1006


async def test_a_lost_acknowledgement_is_not_a_lost_order(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        world.exchange.faults.add(FaultRule(kind=FaultKind.LOST_ACK))
        await talker.say([0, "on", None, {"cid": 9, "type": "EXCHANGE MARKET", "symbol": "tBTCUSD", "amount": "0.1"}])
        assert (await talker.hear())[1] == "on"


@pytest.mark.parametrize("in_a_batch", [False, True])
async def test_a_ghost_order_is_carried_out_late_even_after_its_session(world: Any, in_a_batch: bool) -> None:
    """Of several in one frame all are late: an order's coins must not be freed before it is there."""
    async with world.talker() as talker:
        await talker.authenticate()
        world.exchange.faults.add(FaultRule(kind=FaultKind.GHOST, value=0.5))
        new = {"cid": 9, "type": "EXCHANGE MARKET", "symbol": "tBTCUSD", "amount": "0.1"}
        frame = [0, "ox_multi", None, [["oc", {"id": 1}], ["on", new]]] if in_a_batch else [0, "on", None, new]
        await talker.say(frame)
        assert (await talker.ask({"event": "ping"}))["event"] == "pong"
        assert world.exchange.snapshot("alice").open_orders == {}
    with trio.fail_after(60):
        while not world.exchange.snapshot("alice").open_orders:  # noqa: ASYNC110 - what is waited for has no event
            await trio.sleep(0.02)


async def test_requests_fail_in_the_venues_ways(world: Any) -> None:
    desk = world.exchange.faults
    desk.add(FaultRule(kind=FaultKind.RATE_LIMIT))
    desk.add(FaultRule(kind=FaultKind.SERVER_ERROR, contains="/book/"))
    assert (await world.get("platform/status")).status_code == 429
    assert (await world.get("platform/status")).status_code == 200
    answer = await world.get("book/tBTCUSD/P0")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    desk.add(FaultRule(kind=FaultKind.NONCE))
    assert (await world.post("auth/r/wallets", {}, nonce=1)).json() == ["error", 10114, "nonce: small"]
    assert (await world.post("auth/r/wallets", {}, nonce=1)).status_code == 200


async def test_a_handshake_is_refused(world: Any) -> None:
    world.exchange.faults.add(FaultRule(kind=FaultKind.HANDSHAKE))
    asked = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "a" * 24,
    }
    async with httpx.AsyncClient(base_url=world.address.rest) as client:
        assert (await client.get("/ws/2", headers=asked)).status_code == 429
    async with world.talker() as talker:
        assert talker.heard


async def test_stop_and_maintenance_are_announced(world: Any) -> None:
    async with world.talker() as talker:
        world.exchange.faults.maintenance(True)
        assert (await talker.hear())["code"] == 20060
        assert (await world.get("platform/status")).json() == [0]
        assert (await world.post("auth/r/wallets", {}, nonce=1)).json() == ["error", 20060, "maintenance"]
        world.exchange.faults.maintenance(False)
        assert (await talker.hear())["code"] == 20061
        world.exchange.faults.stop()
        assert (await talker.hear())["code"] == 20051
        with pytest.raises(ConnectionClosed), trio.fail_after(60):
            await talker.socket.get_message()
        assert talker.socket.closed.code == 1012


async def test_equal_seeds_make_equal_trouble(open_world: Any) -> None:
    async def heard() -> list[float]:
        async with open_world() as world, world.talker() as talker:
            await a_listener(talker)
            world.exchange.faults.add(FaultRule(kind=FaultKind.LOSE, probability=0.5, times=None, contains='"te"'))
            for number in range(40):
                tick(world, 8000.0 + number)
            await talker.say({"event": "ping"})
            await talker.event("pong")
            return [frame[2][3] for frame in talker.heard if isinstance(frame, list) and frame[1] == "te"]

    first = await heard()
    assert 5 < len(first) < 35
    assert await heard() == first


async def test_the_control_port_makes_trouble_and_steers(world: Any) -> None:
    port = await world.nursery.start(ControlPort(world.exchange).serve)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post("/faults", json={"kind": "rate limit", "times": 2})
        assert answer.json()["rules"][0]["kind"] == "rate limit"
        assert (await world.get("platform/status")).status_code == 429
        assert (await client.request("DELETE", "/faults")).json()["rules"] == []
        assert (await world.get("platform/status")).status_code == 200
        for body in ({"kind": "mischief"}, {"kind": "lose", "probability": 2}, {"kind": "lose", "where": "here"}):
            assert (await client.post("/faults", json=body)).status_code == 400
        assert (await client.get("/nope")).status_code == 404
        assert (await client.get("/replay")).json()["ended"] is False
        assert (await client.post("/replay", json={"speed": 5})).status_code == 400
        assert (await client.get("/accounts/alice")).json()["wallets"]["exchange BTC"] == "10"
        assert (await client.get("/accounts/nobody")).status_code == 404
        assert (await client.post("/maintenance", json={"on": True})).json()["operative"] is False
        assert (await client.get("/sockets", headers={"Origin": "http://evil"})).status_code == 403
        assert (await client.get("/sockets", headers={"Host": "evil.example:80"})).status_code == 403
