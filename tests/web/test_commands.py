"""Commands over HTTP: made into messages and handed on, or refused with a reason before anybody hears of them."""

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
    RuleResult,
    SetPaused,
    SetTradingState,
    TradingState,
    Verdict,
)
from protocols.units import Side
from tests.web.fakes import Told, a_risk, a_verdict, a_web, some_readers
from web.app import MAX_BODY_BYTES
from web.controls import Controls
from web.models import EngineStatus
from web.tokens import Scope

V2 = "/api/v2"


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


@pytest.mark.parametrize("state", TradingState)
async def test_who_resumes_is_told_that_the_drawdown_so_far_is_forgiven(state: TradingState) -> None:
    readers = some_readers(risk=lambda: msgspec.structs.replace(a_risk(), state=state))
    async with a_web(readers=readers, told=Told()).client() as client:
        said = (await client.post(f"{V2}/risk/unified/resume-trading", json={})).json()["message"]
    assert ("drawdown is measured from here on" in said) == (state is not TradingState.ACTIVE), said


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


async def test_a_flatten_of_what_is_not_there_is_refused() -> None:
    """A slip of the pen was told "closing", and the position that was meant stayed."""
    told = Told()
    async with a_web(told=told).client() as client:
        body = {"confirm": "flatten", "symbol": "tBTCUST"}
        answer = await client.post(f"{V2}/risk/unified/flatten", json=body)
        assert answer.status_code == 404
        assert "nothing of tBTCUST is held or ordered; there is: tBTCUSD" in answer.json()["error"]["message"]
        assert told.messages == []
        assert (await client.post(f"{V2}/risk/unified/flatten", json=body | {"symbol": "tBTCUSD"})).is_success
    assert len(told.messages) == 1


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
