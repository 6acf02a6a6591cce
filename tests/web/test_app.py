"""The API: readings answered, commands made and handed on, mistakes of the caller refused with a reason."""

from typing import Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from protocols.orders import CancelIntent, Flatten, OrderIntent, OrderType
from protocols.risk import (
    ChangeOrder,
    DenialCode,
    ManualOrder,
    RiskStatus,
    RuleResult,
    SetPaused,
    SetTradingState,
    TradingState,
    Verdict,
)
from protocols.units import Side
from tests.web.fakes import BASE, Told, Web, a_risk, a_verdict, a_web, some_readers
from web.app import MAX_BODY_BYTES
from web.controls import Controls
from web.limits import RateLimit
from web.models import EngineStatus
from web.quick import FRESH_S, health_answer
from web.tokens import Scope

V2 = "/api/v2"


async def got(web: Web, path: str, **query: Any) -> Any:
    async with web.client(Scope.READ) as client:
        answer = await client.get(V2 + path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_readings_are_answered() -> None:
    web = a_web()
    assert (await got(web, "/status"))["mode"] == "sim"
    assert (await got(web, "/actors"))["tree"]["children"][0]["name"] == "risk"
    wallets = await got(web, "/wallets")
    assert wallets["equity"] == "10000"
    assert wallets["wallets"][0]["currency"] == "USD"
    assert (await got(web, "/positions"))["positions"][0]["quantity"] == "0.5"
    assert len((await got(web, "/market/ticker"))["tickers"]) == 2
    assert (await got(web, "/market/ticker", symbol="tETHUSD"))["tickers"][0]["last"] == 690.0
    assert len((await got(web, "/market/candles", symbol="tBTCUSD", limit=3))["candles"]) == 3
    assert (await got(web, "/signals"))["signals"][0]["recommendation"] == "buy"
    assert (await got(web, "/risk/unified/status"))["risk"]["state"] == "ACTIVE"
    assert (await got(web, "/notifications"))["notices"][0]["code"] == "start"


async def test_lists_are_newest_first_filtered_and_paged() -> None:
    web = a_web()
    trades = await got(web, "/trades", limit=2, offset=1)
    assert trades["total"] == 5
    assert [trade["trade_id"] for trade in trades["trades"]] == [4, 3]
    assert [order["cid"] for order in (await got(web, "/orders", state="open"))["orders"]] == [4, 3, 2]
    assert [order["cid"] for order in (await got(web, "/orders", state="closed"))["orders"]] == [1]
    assert (await got(web, "/orders", symbol="tETHUSD"))["total"] == 2
    denied = await got(web, "/decisions", verdict="denied")
    assert denied["decisions"][0]["trace"][0]["numbers"]["notional"] == "6000"
    assert (await got(web, "/decisions", signal_id="s1"))["total"] == 1
    assert (await got(web, "/signals", hold="false"))["total"] == 1
    assert (await got(web, "/trades", offset=99))["trades"] == []


async def test_the_equity_line_is_thinned_with_its_ends_kept() -> None:
    points = (await got(a_web(), "/equity", limit=7))["points"]
    assert len(points) == 7
    assert points[0]["equity"] == 10_000.0
    assert points[-1]["equity"] == 10_049.0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/market/ticker?symbol=tXYZUSD", 404),
        ("/market/candles?symbol=tXYZUSD", 404),
        ("/market/candles", 422),
        ("/market/candles?symbol=btc", 422),
        ("/trades?limit=0", 422),
        ("/trades?limit=x", 422),
        ("/trades?limit=5&limit=6", 422),
        ("/trades?colour=red", 422),
        ("/orders?state=some", 422),
        ("/nothing", 404),
    ],
)
async def test_a_wrong_query_is_told_what_is_wrong(path: str, status: int) -> None:
    async with a_web().client() as client:
        answer = await client.get(V2 + path)
        assert answer.status_code == status
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "detail", "id"}
        assert len(error["id"]) == 16


async def test_what_is_not_known_yet_is_503_or_empty_and_never_zero() -> None:
    bare = a_web(readers=some_readers(account=lambda: None, risk=lambda: None, actors=lambda: None))
    async with bare.client() as client:
        for path in ("/wallets", "/positions"):
            answer = await client.get(V2 + path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
        assert (await client.get(f"{V2}/risk/unified/status")).json() == {"known": False, "risk": None}
        assert (await client.get(f"{V2}/actors")).json()["tree"] is None
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/health")).status_code == 200


# --- commands ---------------------------------------------------------------------------------------------------


async def placed(body: dict[str, Any], told: Told | None = None) -> tuple[int, Any, list[object]]:
    told = told if told is not None else Told()
    async with a_web(told=told).client(Scope.TRADE) as client:
        answer = await client.post(f"{V2}/order", json=body)
        return answer.status_code, answer.json(), told.messages


def the_intent(messages: list[object]) -> OrderIntent:
    (message,) = messages
    assert isinstance(message, ManualOrder)
    assert message.actor == "tester"
    return message.intent


async def test_the_manuals_market_order_becomes_an_intent() -> None:
    status, answer, messages = await placed({"symbol": "tBTCUSD", "amount": "0.0001", "type": "EXCHANGE MARKET"})
    assert status == 202
    intent = the_intent(messages)
    assert (intent.side, str(intent.quantity), intent.order_type) == (Side.BUY, "0.0001", OrderType.MARKET)
    assert not intent.margin
    assert answer["intent_id"] == intent.intent_id


async def test_a_negative_amount_sells_and_a_number_is_exact() -> None:
    _, _, messages = await placed({"symbol": "tBTCUSD", "amount": -0.1, "type": "EXCHANGE LIMIT", "price": 7000.1})
    intent = the_intent(messages)
    assert intent.side is Side.SELL
    assert (str(intent.quantity), str(intent.price)) == ("0.1", "7000.1")


async def test_the_same_intent_id_is_the_same_wish() -> None:
    _, answer, _ = await placed({"symbol": "tBTCUSD", "amount": "1", "intent_id": "abc"})
    assert answer["intent_id"] == "manual:abc"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "0"},
        {"amount": "NaN"},
        {"amount": "Infinity"},
        {"amount": True},
        {"amount": None},
        {"amount": "-1", "side": "buy"},
        {"side": "up"},
        {"type": "EXCHANGE WISH"},
        {"type": "EXCHANGE LIMIT"},
        {"type": "EXCHANGE LIMIT", "price": "-5"},
        {"type": "EXCHANGE MARKET", "price": "5"},
        {"type": "EXCHANGE STOP LIMIT", "price": "5"},
        {"type": "EXCHANGE TRAILING STOP"},
        {"symbol": "BTC"},
        {"symbol": "tBTCUSD; drop"},
        {"leverage": 10},
        {"live": True},
        {"post_only": 1},
        {"intent_id": "a b"},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_before_anybody_hears_of_it(changes: dict[str, Any]) -> None:
    status, answer, messages = await placed({"symbol": "tBTCUSD", "amount": "1", **changes})
    assert status == 422, answer
    assert messages == []


async def test_an_order_that_risk_denies_says_why_in_words_and_numbers() -> None:
    status, answer, _ = await placed({"symbol": "tBTCUSD", "amount": "1"}, Told(verdict=a_verdict(1, approved=False)))
    assert status == 409
    assert answer["error"]["code"] == "denied"
    assert "max_order_notional" in answer["error"]["message"]
    assert answer["error"]["detail"]["max_order_notional"] == {"notional": "6000", "max_order_notional": "5000"}


def a_late_candle() -> Verdict:
    """Refused for what passes by itself."""
    return msgspec.structs.replace(
        a_verdict(1, approved=False),
        trace=(
            RuleResult(
                rule="fresh_data",
                passed=False,
                code=DenialCode.STALE_DATA,
                numbers={"overdue_ms": "122000", "allowed_ms": "120000", "stale_ms": "0"},
            ),
        ),
    )


async def test_an_order_refused_for_what_passes_by_itself_may_be_sent_again_with_its_key() -> None:
    """The next candle is late on a busy machine: nothing is wrong with the order, and a retry is judged afresh. The
    journal knows each verdict by its order's id, so the second try has one of its own."""
    told = Told(verdict=a_late_candle())
    web = a_web(told=told)
    headers = {"Idempotency-Key": "k1"}
    async with web.client() as client:
        refused = await client.post(f"{V2}/order", json={"symbol": "tBTCUSD", "amount": "1"}, headers=headers)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["error"]["code"] == "not_now"
        assert "the next candle is 122000 ms late" in refused.json()["error"]["message"]
        told.verdict = a_verdict(2)
        for _ in range(2):
            answer = await client.post(f"{V2}/order", json={"symbol": "tBTCUSD", "amount": "1"}, headers=headers)
            assert answer.status_code == 202, answer.text
            assert answer.json()["intent_id"] == "manual:k1~2"
    names = [message.intent.intent_id for message in told.messages if isinstance(message, ManualOrder)]
    assert names == ["manual:k1", "manual:k1~2"]


async def test_a_refusal_that_is_heard_when_the_next_try_is_on_its_way_does_not_make_an_order_twice() -> None:
    """A client that is in doubt sends its order a second time before the first answer is there: both are one order."""
    told = Told()
    judged: dict[str, list[trio.Event]] = {}
    answers: dict[str, Verdict] = {"manual:mine": a_late_candle(), "manual:mine~2": a_verdict(2)}

    async def order(message: ManualOrder) -> Verdict:
        told.messages.append(message)
        heard = trio.Event()
        judged.setdefault(message.intent.intent_id, []).append(heard)
        await heard.wait()
        return answers[message.intent.intent_id]

    controls = attrs.evolve(told.controls(), order=order)
    statuses: list[int] = []
    async with a_web(told=told, controls=controls).client() as client:

        async def send() -> None:
            body = {"symbol": "tBTCUSD", "amount": "1", "intent_id": "mine"}
            statuses.append((await client.post(f"{V2}/order", json=body)).status_code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            nursery.start_soon(send)
            await wait_all_tasks_blocked()
            first, second = judged["manual:mine"]
            first.set()
            await wait_all_tasks_blocked()
            nursery.start_soon(send)
            await wait_all_tasks_blocked()
            second.set()
            await wait_all_tasks_blocked()
            judged["manual:mine~2"][0].set()
            await wait_all_tasks_blocked()
            nursery.start_soon(send)
            await wait_all_tasks_blocked()
            assert list(judged) == ["manual:mine", "manual:mine~2"]
            judged["manual:mine~2"][1].set()
    assert statuses == [503, 503, 202, 202]


async def test_a_key_that_another_caller_gave_to_another_order_is_refused() -> None:
    """Risk says again what it said to the first one, which would read as if this one had been ordered."""
    web = a_web()
    body = {"symbol": "tBTCUSD", "amount": "1"}
    async with web.client() as client:
        await client.post(f"{V2}/order", json=body, headers={"Idempotency-Key": "1"})
        (first,) = [message.intent for message in web.told.messages if isinstance(message, ManualOrder)]
        web.told.verdict = msgspec.structs.replace(a_verdict(1), intent=first)
        other = {
            "Idempotency-Key": "1",
            "Authorization": f"Bearer {web.tokens.mint(subject='other', scope=Scope.ADMIN, life_s=600).token}",
        }
        for changed, status in (
            ({"amount": "2"}, 422),
            ({"symbol": "tETHUSD"}, 422),
            ({"side": "sell"}, 422),
            ({}, 202),
        ):
            answer = await client.post(f"{V2}/order", json=body | changed, headers=other)
            assert answer.status_code == status, answer.text
            if status == 422:
                assert answer.json()["error"]["code"] == "idempotency_key_reused"


async def test_an_order_refused_for_good_keeps_its_name() -> None:
    told = Told(verdict=a_verdict(1, approved=False))
    async with a_web(told=told).client() as client:
        for _ in range(2):
            body = {"symbol": "tBTCUSD", "amount": "1", "intent_id": "mine"}
            assert (await client.post(f"{V2}/order", json=body)).status_code == 409
    names = {message.intent.intent_id for message in told.messages if isinstance(message, ManualOrder)}
    assert names == {"manual:mine"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"symbol":"tBTCUSD","amount":"1"', b"[" * 50_000]
)
async def test_a_body_that_is_no_json_object_is_refused(raw: bytes) -> None:
    async with a_web().client() as client:
        answer = await client.post(f"{V2}/order", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), answer.text
        assert "error" in answer.json()


@pytest.mark.parametrize(
    "raw",
    [b'{"symbol":"tBTCUSD","amount":"0.01","amount":"5"}', b'{"symbol":"tBTCUSD","amount":"1","amo\\u0075nt":"1"}'],
)
async def test_a_name_that_stands_twice_is_refused_and_named(raw: bytes) -> None:
    """Readers differ in which of the two they take: what a proxy let pass may not be what is ordered."""
    web = a_web()
    async with web.client() as client:
        answer = await client.post(f"{V2}/order", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "'amount' stands twice" in answer.json()["error"]["message"]
    assert web.told.messages == []


@pytest.mark.parametrize("amount", ["1e400", "-1e999999999", "1e-999999999", "0e999999"])
@pytest.mark.parametrize("name", ["amount", "price_oco_stop"])
async def test_a_number_beyond_all_sense_is_refused_before_it_is_reckoned_with(name: str, amount: str) -> None:
    web = a_web()
    body = {"symbol": "tBTCUSD", "amount": "0.01", name: amount}
    async with web.client() as client:
        answer = await client.post(f"{V2}/order", json=body)
    assert answer.status_code == 422, answer.text
    if amount != "0e999999":
        assert f"{name} must be smaller than 1e20" in answer.json()["error"]["message"]
    assert web.told.messages == []


async def test_a_body_above_the_limit_is_refused() -> None:
    async with a_web().client() as client:
        answer = await client.post(
            f"{V2}/order", content=b" " * (MAX_BODY_BYTES + 1), headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize("name", ["btc-ema:tBTCUSD:5m:2:entry", "2", "1002"])
async def test_an_order_is_cancelled_by_any_of_its_names(name: str) -> None:
    told = Told()
    async with a_web(told=told).client() as client:
        answer = await client.delete(f"{V2}/order/{name}")
        assert answer.status_code == 202
        (message,) = told.messages
        assert isinstance(message, CancelIntent)
        assert message.intent_id == "btc-ema:tBTCUSD:5m:2:entry"


@pytest.mark.parametrize(("name", "status"), [("77", 404), ("1", 409), ("4", 409)])
async def test_unknown_closed_and_foreign_orders_are_left_alone(name: str, status: int) -> None:
    told = Told()
    async with a_web(told=told).client() as client:
        assert (await client.delete(f"{V2}/order/{name}")).status_code == status
        update = await client.post(f"{V2}/order/{name}/update", json={"price": "1"})
        assert update.status_code == status
    assert told.messages == []


async def test_every_command_says_what_its_route_says() -> None:
    told = Told()
    async with a_web(told=told).client() as client:
        for path, body in (
            ("/orders/cancel/all", None),
            ("/order/2/update", {"price": "6800"}),
            ("/positions/tBTCUSD/close", {"reason": "enough"}),
            ("/risk/unified/pause", {}),
            ("/risk/unified/resume", None),
            ("/risk/unified/halt", {"reason": "storm"}),
            ("/risk/unified/halt", {"reducing": True}),
            ("/risk/unified/resume-trading", {}),
            ("/risk/unified/flatten", {"confirm": "flatten"}),
        ):
            answer = await client.post(V2 + path, json=body) if body is not None else await client.post(V2 + path)
            assert answer.status_code == 202, (path, answer.text)
            assert answer.json()["accepted"] is True
    cancel, update, close, pause, resume, halt, reduce, release, flatten = told.messages
    assert isinstance(cancel, CancelIntent)
    assert cancel.intent_id is None
    assert isinstance(update, ChangeOrder)
    assert str(update.update.price) == "6800"
    assert isinstance(close, Flatten)
    assert close.symbol == "tBTCUSD"
    assert "enough" in close.reason
    assert isinstance(pause, SetPaused)
    assert pause.paused
    assert pause.actor == "tester"
    assert isinstance(resume, SetPaused)
    assert not resume.paused
    assert isinstance(halt, SetTradingState)
    assert halt.state is TradingState.HALTED
    assert halt.reason == "storm"
    assert isinstance(reduce, SetTradingState)
    assert reduce.state is TradingState.REDUCING
    assert isinstance(release, SetTradingState)
    assert release.state is TradingState.ACTIVE
    assert isinstance(flatten, Flatten)
    assert flatten.symbol is None


async def test_flatten_wants_the_word_and_close_wants_a_position() -> None:
    told = Told()
    async with a_web(told=told).client() as client:
        assert (await client.post(f"{V2}/risk/unified/flatten", json={"confirm": "yes"})).status_code == 422
        assert (await client.post(f"{V2}/risk/unified/flatten")).status_code == 400
        assert (await client.post(f"{V2}/positions/tETHUSD/close", json={})).status_code == 404
        assert (await client.post(f"{V2}/order/2/update", json={})).status_code == 422
    assert told.messages == []


async def test_a_switch_that_risk_has_not_answered_is_under_way() -> None:
    told = Told(slow=True)
    async with a_web(told=told).client() as client:
        for path in ("risk/unified/halt", "risk/unified/pause", "stopentry"):
            answer = await client.post(f"{V2}/{path}", json={})
            assert answer.is_success
            text = answer.json().get("message") or answer.json()["status"]
            assert text.startswith("under way: risk has it and has not answered yet"), path
    assert len(told.messages) == 3


async def test_a_full_mailbox_is_503_with_a_time_to_come_back() -> None:
    async with a_web(told=Told(busy=True)).client() as client:
        answer = await client.post(f"{V2}/risk/unified/halt", json={})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert answer.json()["error"]["code"] == "busy"


async def test_controls_that_do_not_exist_are_404() -> None:
    async with a_web(controls=Controls()).client() as client:
        answer = await client.post(f"{V2}/risk/unified/halt", json={})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "no_such_control"


async def test_chaos_kills_in_sim_and_nowhere_else() -> None:
    told = Told()
    async with a_web(told=told).client() as client:
        assert (await client.post(f"{V2}/chaos", json={"kill": "engine/risk"})).status_code == 202
        assert (await client.post(f"{V2}/chaos", json={"kill": "engine/nobody"})).status_code == 404
    live = a_web(readers=some_readers(status=lambda: EngineStatus(mode="live", version="1")), told=told)
    async with live.client() as client:
        assert (await client.post(f"{V2}/chaos", json={"kill": "engine/risk"})).status_code == 409
    assert told.killed == ["engine/risk", "engine/nobody"]


async def test_a_reader_that_breaks_is_a_500_with_an_id_and_no_inside(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("a secret inside")

    async with a_web(readers=some_readers(risk=broken)).client() as client:
        answer = await client.get(f"{V2}/risk/unified/status")
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert answer.json()["error"]["id"] in caplog.text


# --- tokens over HTTP -------------------------------------------------------------------------------------------


async def test_the_mint_answers_401_without_proof_and_mints_with_it() -> None:
    web = a_web()
    wish = {"user_id": "frontend_user", "scope": "read", "expiry_hours": 1}
    async with web.client(None) as client:
        assert (await client.post(f"{V2}/auth/ws-token", json=wish)).status_code == 401
        proof = {"Authorization": f"Bearer {web.tokens.keyring.bootstrap_secret}"}
        answer = (await client.post(f"{V2}/auth/ws-token", json=wish, headers=proof)).json()
        assert answer["token"] == answer["access_token"]
        assert answer["scope"] == "read"
        good = {"Authorization": f"Bearer {answer['token']}"}
        assert (await client.get(f"{V2}/wallets", headers=good)).status_code == 200
        assert (await client.post(f"{V2}/orders/cancel/all", headers=good)).status_code == 403


async def test_the_mint_is_closed_to_the_network() -> None:
    web = a_web(loopback=False)
    proof = {"Authorization": f"Bearer {web.tokens.keyring.bootstrap_secret}"}
    web.caller = "192.0.2.7"
    async with web.client(None) as client:
        assert (await client.post(f"{V2}/auth/ws-token", json={}, headers=proof)).status_code == 403
        assert (await client.post(f"{V2}/auth/link", json={}, headers=proof)).status_code == 401
    # Its owner sits at the machine.
    web.caller = "127.0.0.1"
    async with web.client(None) as client:
        assert (await client.post(f"{V2}/auth/ws-token", json={}, headers=proof)).status_code == 200
        assert (await client.post(f"{V2}/auth/link", json={}, headers=proof)).status_code == 200


async def test_the_manuals_examples_work_in_dev_mode() -> None:
    told = Told()
    async with a_web(told=told, dev=True).client(None) as client:
        wish = {"user_id": "frontend_user", "scope": "read", "expiry_hours": 1}
        answer = (await client.post(f"{V2}/auth/ws-token", json=wish)).json()
        assert "dev" in answer["message"]
        good = {"Authorization": f"Bearer {answer['token']}"}
        assert (await client.get(f"{V2}/wallets", headers=good)).status_code == 200
        order = {"symbol": "tBTCUSD", "amount": "0.0001", "type": "EXCHANGE MARKET"}
        assert (await client.post(f"{V2}/order", headers=good, json=order)).status_code == 202
        assert (await client.post(f"{V2}/orders/cancel/all", headers=good)).status_code == 202
        assert (await client.get("/health")).json()["dev"] is True


async def test_a_ticket_opens_the_page_once() -> None:
    web = a_web()
    ticket = web.tokens.ticket().text
    async with web.client(None) as client:
        first = await client.post(f"{V2}/auth/ticket", json={"ticket": ticket})
        assert first.json()["scope"] == "admin"
        assert (await client.post(f"{V2}/auth/ticket", json={"ticket": ticket})).status_code == 401
        proof = {"Authorization": f"Bearer {web.tokens.keyring.bootstrap_secret}"}
        link = (await client.post(f"{V2}/auth/link", headers=proof)).json()
        assert (await client.post(f"{V2}/auth/ticket", json={"ticket": link["ticket"]})).status_code == 200
        assert (await client.post(f"{V2}/auth/link")).status_code == 401


async def test_signing_out_and_revoking_end_tokens() -> None:
    web = a_web()
    async with web.client(Scope.READ) as client:
        assert (await client.post(f"{V2}/auth/renew")).status_code == 200
        assert (await client.post(f"{V2}/auth/sign-out")).status_code == 200
        assert (await client.get(f"{V2}/status")).status_code == 401
    async with web.client(Scope.ADMIN) as client:
        assert (await client.post(f"{V2}/auth/revoke", json={"jti": "zz"})).status_code == 422
        assert (await client.post(f"{V2}/auth/revoke", json={})).status_code == 422
        assert (await client.post(f"{V2}/auth/revoke", json={"everything": True})).status_code == 200
        assert (await client.get(f"{V2}/status")).status_code == 401


async def test_guessing_tokens_is_slowed_down_and_the_owner_is_not() -> None:
    web = a_web()
    async with web.client(None) as client:
        statuses = [
            (await client.get(f"{V2}/status", headers={"Authorization": "Bearer x.y.z"})).status_code for _ in range(12)
        ]
        assert statuses[:5] == [401] * 5
        assert statuses[-1] == 429
        assert (await client.get(f"{V2}/status", headers=web.bearer())).status_code == 200


async def test_a_flood_from_one_token_is_told_to_wait() -> None:
    web = a_web()
    async with web.client(Scope.READ) as client:
        statuses = {(await client.get(f"{V2}/notifications")).status_code for _ in range(205)}
        assert statuses == {200, 429}
        web.clock.seconds += 10
        assert (await client.get(f"{V2}/status")).status_code == 200


# --- around the API ---------------------------------------------------------------------------------------------


async def test_health_tells_strangers_little_and_the_owner_everything() -> None:
    web = a_web()
    async with web.client(None) as client:
        stranger = await client.get("/health")
        told = {"status": "ok", "mode": "sim", "version": "0.1.0", "dev": False, "auth_required": True, "parts": []}
        assert stranger.json() == told
        owner = (await client.get("/health", headers=web.bearer())).json()
        assert {part["name"] for part in owner["parts"]} >= {
            "actor engine/risk",
            "connection public",
            "data",
            "trading",
        }
        web.app.config["API"].stopping.set()
        assert (await client.get("/health")).status_code == 503


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


async def test_metrics_carry_the_engines_and_the_manuals_names() -> None:
    async with a_web().client(Scope.READ) as client:
        text = (await client.get("/metrics")).text
        for line in (
            'genesis_actor_restarts_total{actor="engine/risk"} 2.0',
            'genesis_mailbox_depth{actor="engine/risk",channel="scores"} 3.0',
            "tradingbot_marketdata_ws_percent 0.0",
            "tradingbot_trading_circuit_breaker_active 0.0",
            "ws_auth_success_total 0.0",
            "genesis_account_equity 10000.0",
            'genesis_risk_denials_total{code="paused"} 2.0',
            'genesis_connection_up{connection="public"} 1.0',
            'genesis_connection_recover_seconds_bucket{connection="public",le="0.5"} 3.0',
            'genesis_connection_recover_seconds_count{connection="public"} 4.0',
            'genesis_connection_recover_seconds_sum{connection="public"} 2.5',
            'genesis_connection_detect_seconds_count{connection="public"} 1.0',
        ):
            assert line in text, line
        assert "legacy_endpoints_total" in text
        openmetrics = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert openmetrics.text.endswith("# EOF\n")


async def test_readers_are_asked_on_the_event_loop_only() -> None:
    def only_here() -> RiskStatus:
        trio.lowlevel.current_task()
        return a_risk()

    async with a_web(readers=some_readers(risk=only_here)).client(Scope.READ) as client:
        assert (await client.get("/metrics")).status_code == 200


async def test_metrics_are_private() -> None:
    async with a_web().client(None) as client:
        assert (await client.get("/metrics")).status_code == 401


async def test_the_page_and_its_files_are_served_under_a_strict_policy() -> None:
    async with a_web().client(None) as client:
        for path, kind in (
            ("/", "text/html"),
            ("/docs", "text/html"),
            ("/static/page.css", "text/css"),
            ("/static/js/main.js", "text/javascript"),
            ("/static/vendor/uplot.js", "text/javascript"),
        ):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(kind)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "server" not in answer.headers
        page = await client.get("/")
        assert "<script>" not in page.text
        assert "onclick" not in page.text
        assert "style=" not in page.text
        again = await client.get(
            "/static/page.css", headers={"If-None-Match": (await client.get("/static/page.css")).headers["etag"]}
        )
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/js/"])
async def test_no_path_leaves_the_static_folder(path: str) -> None:
    async with a_web().client(None) as client:
        answer = await client.get(BASE + path)
        assert answer.status_code in (404, 308)


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
