"""Channel 0 over a real socket: authentication, orders, answers, filters, the dead-man switch."""

import json
from typing import Any

import pytest

from genesis.simulator.replay_driver import MAX_SPEED
from protocols.bitfinex.auth import auth_event, sign
from protocols.units import Symbol

BTC = Symbol("tBTCUSD")


def tick(world: Any, price: float, *, after_ms: int = 1_000, volume: float = 1.0) -> None:
    """Let the market trade once."""
    exchange = world.exchange
    time_ms = exchange.time_ms + after_ms
    exchange.tick(BTC, type(exchange).print_of(BTC, price, volume, time_ms), None, time_ms)


async def test_the_snapshots_follow_the_answer_in_the_venues_order(world: Any) -> None:
    async with world.talker() as talker:
        answer = await talker.authenticate()
        assert (answer["status"], answer["chanId"]) == ("OK", 0)
        assert answer["caps"]["orders"] == {"read": 1, "write": 1}
        assert answer["caps"]["withdraw"] == {"read": 0, "write": 0}
        assert [frame[1] for frame in talker.heard if isinstance(frame, list)] == [
            "ps",
            "ws",
            "os",
            "fos",
            "fcs",
            "fls",
        ]
        wallets = next(frame[2] for frame in talker.heard if isinstance(frame, list) and frame[1] == "ws")
        assert ["exchange", "USD", 100_000, 0, None, None, None] in wallets


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"apiKey": "nobody"}, 10100, "apikey: invalid"),
        ({"authSig": "00"}, 10100, "apikey: digest invalid"),
        ({"authNonce": 0}, 10114, "nonce: small"),
        ({"authPayload": "other"}, 10111, "payload: invalid"),
    ],
)
async def test_a_bad_authentication_is_refused_and_the_socket_stays(
    world: Any, change: dict[str, Any], code: int, text: str
) -> None:
    import json

    async with world.talker() as talker:
        claim = json.loads(auth_event("alice-key", "alice-secret", 5)) | change
        answer = await talker.ask(claim)
        assert (answer["status"], answer["code"], answer["msg"]) == ("FAILED", code, text)
        assert (await talker.authenticate(nonce=6))["status"] == "OK"


async def test_a_nonce_is_used_up_for_socket_and_rest_together(world: Any) -> None:
    async with world.talker() as talker:
        assert (await talker.authenticate(nonce=10))["status"] == "OK"
        answer = await world.post("auth/r/wallets", {}, nonce=10)
        assert (answer.status_code, answer.json()) == (500, ["error", 10114, "nonce: small"])
        assert (await world.post("auth/r/wallets", {}, nonce=11)).status_code == 200


async def test_the_node_clients_doubled_nonce_and_open_secret_are_accepted_and_not_echoed(world: Any) -> None:
    async with world.talker() as talker:
        payload = "AUTH55"
        claim = {
            "event": "auth",
            "apiKey": "alice-key",
            "apiSecret": "alice-secret",
            "authNonce": "5",
            "authPayload": payload,
            "authSig": sign("alice-secret", payload),
        }
        assert (await talker.ask(claim))["status"] == "OK"
        assert "alice-secret" not in "".join(talker.raw)


async def test_a_market_order_from_request_to_fee(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        notice = await talker.order(cid=77)
        assert (notice[1], notice[4][2], notice[6]) == ("on-req", 77, "SUCCESS")
        assert notice[7] == "Submitting exchange market buy order for 0.1 BTC."
        assert len(notice[4]) == 32
        assert (await talker.account("on"))[13] == "ACTIVE"
        tick(world, 8000.0)
        frames = [await talker.hear() for _ in range(5)]
        assert [frame[1] for frame in frames] == ["oc", "te", "wu", "wu", "tu"]
        order, executed, confirmed = frames[0][2], frames[1][2], frames[4][2]
        assert (order[6], order[13]) == (0, "EXECUTED @ 8000.9(0.1)")
        assert executed[9:12] == [None, None, 77]
        assert confirmed[8:11] == [-1, -0.0002, "BTC"]
        assert [frame[2][:3] for frame in frames[2:4]] == [
            ["exchange", "USD", 99199.91],
            ["exchange", "BTC", 10.0998],
        ]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"amount": "100"}, "Invalid order: not enough exchange balance for 100.0 BTCUSD at 8000.4"),
        ({"amount": "0.00001"}, "Invalid order: minimum size for BTCUSD is 0.00004"),
        ({"cid": "77"}, "cid: invalid"),
        ({"symbol": "tNOPEUSD"}, "symbol: invalid"),
        ({"symbol": "tTESTBTC:TESTUSD"}, "symbol: invalid"),
        ({"type": "EXCHANGE WISH"}, "type: invalid"),
        ({"type": "EXCHANGE LIMIT"}, "price: invalid"),
        ({"amount": "NaN"}, "amount: invalid"),
    ],
)
async def test_refusals_carry_the_cid_and_are_padded(world: Any, fields: dict[str, Any], text: str) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        tick(world, 8000.0)
        notice = await talker.order(**({"cid": 5} | fields))
        assert (notice[6], notice[7], len(notice[4])) == ("ERROR", text, 32)
        assert notice[4][2] == (None if isinstance(fields.get("cid"), str) else 5)
        assert world.exchange.snapshot("alice").open_orders == {}


async def test_cancel_update_and_many_operations(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        await talker.order(cid=1, type="EXCHANGE LIMIT", price="7000", gid=9)
        order = await talker.account("on")
        await talker.say([0, "ou", None, {"id": order[0], "price": "7100", "amount": "0.2"}])
        assert (await talker.account("n"))[7] == "Submitting update to exchange limit buy order for 0.2 BTC."
        changed = await talker.account("ou")
        assert (changed[0], changed[6], changed[9], changed[16]) == (order[0], 0.2, "EXCHANGE LIMIT", 7100)
        await talker.say([0, "oc", None, {"id": order[0]}])
        notice = await talker.account("n")
        assert notice[7] == f"Submitted for cancellation; waiting for confirmation (ID: {order[0]})."
        assert (await talker.account("oc"))[13] == "CANCELED"
        await talker.say([0, "oc", None, {"id": order[0]}])
        assert (await talker.account("n"))[6:8] == ["ERROR", "Order not found."]
        new = {"type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "price": "7000"}
        operations = [["on", new | {"cid": 2}], ["on", new | {"cid": 3, "gid": 4}], ["on", new | {"cid": "x"}]]
        await talker.say([0, "ox_multi", None, operations])
        assert (await talker.account("n"))[1:8:6] == ["ox_multi-req", "Submitting 3 order operations."]
        results = [(await talker.account("n"))[6] for _ in operations]
        assert results == ["SUCCESS", "SUCCESS", "ERROR"]
        await talker.say([0, "oc_multi", None, {"all": 1}])
        assert (await talker.account("n"))[7] == "Submitting 2 order cancellations."
        assert {(await talker.account("oc"))[2] for _ in range(2)} == {2, 3}


async def test_calculations_come_as_frames_of_their_kind(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        await talker.order(cid=1, type="EXCHANGE LIMIT", price="7000")
        await talker.account("on")
        await talker.say(
            [0, "calc", None, [["wallet_exchange_USD"], ["balance"], ["margin_base"], ["margin_sym_tBTCUSD"]]]
        )
        assert (await talker.account("wu"))[4] == 100_000 - 700
        assert len(await talker.account("bu")) == 2
        assert (await talker.account("miu"))[0] == "base"
        assert (await talker.account("miu"))[:2] == ["sym", "tBTCUSD"]


async def test_two_sockets_of_one_account_hear_the_same_and_others_nothing(world: Any) -> None:
    async with world.talker() as one, world.talker() as two, world.talker() as stranger:
        await one.authenticate()
        await two.authenticate("alice-key-2", "alice-secret-2")
        await stranger.authenticate("bob-key", "bob-secret")
        await one.order(cid=6)
        assert (await two.account("on"))[2] == 6
        await one.say([0, "n", 15, {"type": "ucm-test", "info": {"a": 1}}])
        assert (await two.account("n"))[1:5] == ["ucm-test", 15, None, {"a": 1}]
        await stranger.say({"event": "ping"})
        await stranger.event("pong")
        assert not [frame for frame in stranger.heard if isinstance(frame, list) and frame[1] in ("on", "n")]


async def test_a_read_only_key_sees_but_does_not_trade(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate("alice-read", "alice-read-secret")
        notice = await talker.order(cid=4)
        assert (notice[4][2], notice[6], notice[7]) == (4, "ERROR", "api_key: permission invalid")


async def test_a_filter_lets_through_what_it_names(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate(filters=("wallet", "trading-tETHUSD", "notify"))
        await talker.order()
        tick(world, 8000.0)
        await talker.account("wu")
        kinds = {frame[1] for frame in talker.heard if isinstance(frame, list)}
        assert kinds == {"ws", "n", "wu"}


@pytest.mark.parametrize("switched", [True, False])
async def test_the_dead_man_switch_cancels_all_orders_when_the_socket_goes(world: Any, switched: bool) -> None:
    async with world.talker() as witness:
        await witness.authenticate("alice-key-2", "alice-secret-2")
        async with world.talker() as talker:
            await talker.authenticate(dead_man_switch=switched)
            await talker.order(cid=8, type="EXCHANGE LIMIT", price="7000")
            await talker.account("on")
        if switched:
            assert (await witness.account("oc"))[2] == 8
        while len(world.exchange.sessions) > 1:
            await witness.ask({"event": "ping"})
        assert len(world.exchange.snapshot("alice").open_orders) == (0 if switched else 1)


async def test_open_orders_are_in_the_next_sessions_snapshot(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate()
        await talker.order(cid=8, type="EXCHANGE LIMIT", price="7000")
        await talker.account("on")
    async with world.talker() as talker:
        await talker.authenticate(nonce=2)
        snapshot = next(frame[2] for frame in talker.heard if isinstance(frame, list) and frame[1] == "os")
        assert [row[2] for row in snapshot] == [8]


async def test_paper_accounts_trade_the_test_pairs_only(world: Any) -> None:
    async with world.talker() as talker:
        await talker.authenticate("paper-key", "paper-secret")
        assert (await talker.order(cid=1))[7] == "symbol: invalid"
        assert (await talker.order(cid=2, symbol="tTESTBTC:TESTUSD"))[6] == "SUCCESS"
        number, _ = await talker.subscribe("ticker", symbol="tTESTBTC:TESTUSD")
        world.nursery.start_soon(lambda: world.exchange.replay(MAX_SPEED, wait_for_clients=False))
        assert (await talker.account("tu"))[10] == "TESTBTC"
        await talker.hear_until(lambda frame: frame[0] == number and frame[1] != "hb")


async def test_account_numbers_rise_only_after_the_snapshots(world: Any) -> None:
    async with world.talker() as talker:
        await talker.ask({"event": "conf", "flags": 65536})
        await talker.authenticate()
        assert [frame[3:] for frame in talker.heard if isinstance(frame, list)] == [
            [number, 0] for number in range(1, 7)
        ]
        await talker.order()
        # A notification of a request is not numbered, which satisfies every known audit.
        assert len(talker.heard[-1]) == 3
        await talker.account("on")
        assert talker.heard[-1][3:] == [7, 1]


async def test_two_customers_trade_with_each_other(open_world: Any) -> None:
    from genesis.domain.matching import FillModel, FillWhen

    async with (
        open_world(model=FillModel(when=FillWhen.AT_ONCE)) as world,
        world.talker() as alice,
        world.talker() as bob,
    ):
        tick(world, 8000.0)
        await alice.authenticate()
        await bob.authenticate("bob-key", "bob-secret")
        number, _ = await bob.subscribe("trades", symbol="tBTCUSD")
        book, _ = await bob.subscribe("book", symbol="tBTCUSD")
        await alice.order(cid=1, type="EXCHANGE LIMIT", amount="-1", price="8000.2")
        await bob.hear_until(lambda frame: frame[:2] == [book, [8000.2, 1, -1]])
        await bob.order(cid=2, type="EXCHANGE LIMIT", amount="0.4", price="8000.2")
        told = [frame[2][2:] for frame in bob.heard if isinstance(frame, list) and frame[:2] == [number, "te"]]
        assert told == [[0.4, 8000.2]]
        mine = await alice.account("tu")
        assert (mine[4], mine[5], mine[8]) == (-0.4, 8000.2, 1)
        assert world.exchange.snapshot("alice").open_orders.popitem()[1].status == "PARTIALLY FILLED @ 8000.2(-0.4)"


async def test_the_go_clients_sub_id_is_echoed_with_the_authentication(world: Any) -> None:
    async with world.talker() as talker:
        for secret, status in (("wrong", "FAILED"), ("alice-secret", "OK")):
            claim = json.loads(auth_event("alice-key", secret, 1)) | {"subId": 17}
            await talker.say(claim)
            answer = await talker.event("auth")
            assert (answer["status"], answer["subId"]) == (status, "17")
