"""The trading desk over the API: every kind of order, brackets, templates, and a key that makes a repeat harmless."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from genesis.desk import TemplateShelf
from genesis.domain.pairs import pair_specs
from genesis.edge.kept_file import KeptFile
from protocols.orders import Bracket, OrderState, OrderType, Purpose, UpdateIntent
from protocols.reference import LedgerEntry
from protocols.risk import ChangeAnswer, ChangeOrder, EvaluateOrder, ManualOrder, StrategyHolding, TradingState, Verdict
from protocols.units import Side
from tests.web.fakes import BTC, Told, Web, a_risk, a_verdict, a_web, an_account, an_order, some_readers
from web.desk import Desk, VenueSilent

V2 = "/api/v2"
PAIRS = pair_specs(["tBTCUSD", "tETHUSD"])


def a_desk_web(desk: Desk | None = None, **more: Any) -> Web:
    web = a_web(**more)
    web.app.config["API"].desk = desk if desk is not None else Desk(pairs=lambda: PAIRS)
    return web


def a_web_that_can_be_asked() -> Web:
    async def evaluate(question: EvaluateOrder) -> Verdict | None:
        return a_verdict(1)

    web = a_desk_web()
    api = web.app.config["API"]
    api.controls = attrs.evolve(api.controls, evaluate=evaluate)
    return web


async def posted(web: Web, path: str, body: dict[str, Any], **headers: str) -> Any:
    async with web.client() as client:
        return await client.post(V2 + path, json=body, headers=headers)


def intents(told: Told) -> list[Any]:
    return [message.intent for message in told.messages if isinstance(message, ManualOrder)]


@pytest.mark.parametrize(
    ("body", "order_type", "margin"),
    [
        ({"type": "EXCHANGE MARKET"}, OrderType.MARKET, False),
        ({"type": "EXCHANGE LIMIT", "price": "7000"}, OrderType.LIMIT, False),
        ({"type": "exchange stop", "price": "7000"}, OrderType.STOP, False),
        ({"type": "EXCHANGE STOP LIMIT", "price": "7000", "price_aux_limit": "7010"}, OrderType.STOP_LIMIT, False),
        ({"type": "TRAILING STOP", "price_trailing": "50"}, OrderType.TRAILING_STOP, True),
        ({"type": "EXCHANGE FOK", "price": "7000"}, OrderType.FOK, False),
        ({"type": "IOC", "price": "7000", "reduce_only": True}, OrderType.IOC, True),
    ],
)
async def test_every_order_type_becomes_an_intent(body: dict[str, Any], order_type: OrderType, margin: bool) -> None:
    web = a_desk_web()
    answer = await posted(web, "/order", {"symbol": "tBTCUSD", "amount": "0.1", **body})
    assert answer.status_code == 202, answer.text
    (intent,) = intents(web.told)
    assert (intent.order_type, intent.margin, intent.quantity) == (order_type, margin, Decimal("0.1"))


async def test_post_only_is_ignored_for_a_market_order_and_that_is_said() -> None:
    web = a_desk_web()
    answer = await posted(web, "/order", {"symbol": "tBTCUSD", "amount": "0.1", "post_only": True})
    assert answer.json()["notices"] == ["post_only is ignored: a MARKET order does not rest"]
    assert intents(web.told)[0].post_only is False


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"amount": "NaN"}, 422, "amount must be finite and not zero, was NaN"),
        ({"amount": "0"}, 422, "amount must be finite and not zero, was 0"),
        ({"amount": "-1", "side": "buy"}, 422, "amount must be positive when side is given, was -1"),
        ({"amount": "0.123456789"}, 422, "amount must be of at most 8 decimals, was 0.123456789"),
        ({"amount": "0.00000001"}, 422, "amount must be at least 0.00004 BTC, was 0.00000001"),
        ({"amount": "99999"}, 422, "amount must be at most 2000 BTC, was 99999"),
        ({"symbol": "tXYZUSD"}, 422, "symbol must be one of tBTCUSD, tETHUSD, was tXYZUSD"),
        ({"type": "EXCHANGE GUESS"}, 422, "type must be one of"),
        ({"type": "EXCHANGE LIMIT"}, 422, "price must be given for LIMIT, was None"),
        ({"type": "EXCHANGE LIMIT", "price": "7000.123"}, 422, "price must be of at most 5 significant digits"),
        ({"amount": "much"}, 422, 'amount must be a number, was "much"'),
        ({"amounts": "1"}, 422, "a field must be one of symbol, side, quantity, amount, type, price"),
        ({"quantity": "0.1", "side": "buy"}, 422, "quantity must be given, or amount in its place, was given together"),
        ({"amount": None}, 422, "quantity must be given, or amount in its place, was absent, and so was amount"),
        ({"amount": None, "quantity": "-1", "side": "sell"}, 422, "quantity must be finite and above 0"),
        ({"amount": None, "quantity": "NaN", "side": "sell"}, 422, "quantity must be finite and above 0"),
        ({"amount": None, "quantity": "1"}, 422, "side must be buy or sell when quantity is given, was absent"),
        ({"amount": None, "quantity": "99999", "side": "buy"}, 422, "quantity must be at most 2000 BTC, was 99999"),
        ({"type": "EXCHANGE LIMIT", "price": "-5"}, 422, "price must be finite and positive, was -5"),
    ],
)
async def test_bad_input_is_refused_with_what_must_be_and_nothing_is_sent(
    body: dict[str, Any], status: int, text: str
) -> None:
    web = a_desk_web()
    answer = await posted(web, "/order", {"symbol": "tBTCUSD", "amount": "0.1", **body})
    assert answer.status_code == status
    assert text in answer.json()["error"]["message"]
    assert web.told.messages == []


@pytest.mark.parametrize(
    ("size", "side", "quantity"),
    [
        ({"quantity": "0.1", "side": "sell"}, Side.SELL, "0.1"),
        ({"quantity": "0.1", "side": "buy"}, Side.BUY, "0.1"),
        ({"amount": "0.1"}, Side.BUY, "0.1"),
        ({"amount": "-0.1"}, Side.SELL, "0.1"),
        ({"amount": "0.1", "side": "sell"}, Side.SELL, "0.1"),
    ],
)
async def test_a_quantity_with_its_side_and_the_exchanges_amount_mean_the_same(
    size: dict[str, str], side: Side, quantity: str
) -> None:
    web = a_desk_web()
    assert (await posted(web, "/order", {"symbol": "tBTCUSD", **size})).status_code == 202
    (intent,) = intents(web.told)
    assert (intent.side, intent.quantity) == (side, Decimal(quantity))


async def test_what_is_wrong_with_a_size_is_told_under_the_name_that_the_caller_gave_it() -> None:
    web = a_desk_web()
    for size in ({"quantity": "99999", "side": "buy"}, {"amount": "99999"}):
        answer = await posted(web, "/order", {"symbol": "tBTCUSD", **size})
        assert answer.json()["error"]["detail"] == {next(iter(size)): {"must_be": "at most 2000 BTC", "was": "99999"}}


async def test_a_bracket_carries_its_levels() -> None:
    web = a_desk_web()
    body = {"symbol": "tBTCUSD", "amount": "0.1", "stop_price": "6500", "target_distance": "700"}
    assert (await posted(web, "/order/bracket", body)).status_code == 202
    (intent,) = intents(web.told)
    assert intent.bracket == Bracket(stop_price=Decimal(6500), target_distance=Decimal(700))
    wrong = await posted(web, "/order/bracket", {**body, "stop_distance": "5"})
    assert wrong.json()["error"]["message"] == "a stop must be a price or a distance, was both"


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        ({"stop_price": "7000"}, "stop_price must be below the market, which is at 6901, was 7000"),
        ({"stop_price": "6901"}, "stop_price must be below the market, which is at 6901, was 6901"),
        ({"stop_price": "6500", "target_price": "6800"}, "target_price must be above the market, which is at 6901"),
    ],
)
async def test_a_bracket_that_the_market_has_passed_is_refused_when_asked_and_when_placed(
    levels: dict[str, str], text: str
) -> None:
    web = a_web_that_can_be_asked()
    body = {"symbol": "tBTCUSD", "side": "buy", "quantity": "0.1", **levels}
    for path in ("/order/bracket", "/risk/unified/evaluate"):
        answer = await posted(web, path, body)
        assert answer.status_code == 422, path
        assert answer.json()["error"]["message"].startswith(text)
    limit = {**body, "type": "EXCHANGE LIMIT", "price": "6400", "stop_price": "6300", "target_price": "6800"}
    assert (await posted(web, "/order/bracket", limit)).status_code == 202
    assert len(intents(web.told)) == 1


async def test_a_dry_answer_looks_at_the_numbers_as_the_order_itself_would() -> None:
    web = a_web_that_can_be_asked()
    answer = await posted(web, "/risk/unified/evaluate", {"symbol": "tBTCUSD", "side": "buy", "quantity": "0.00000001"})
    assert answer.json()["error"]["message"] == "quantity must be at least 0.00004 BTC, was 0.00000001"


async def test_whose_coins_a_sale_takes_is_told_when_asked_and_when_placed() -> None:
    web = a_web_that_can_be_asked()
    held = StrategyHolding(symbol=BTC, strategy="btc-ema", quantity=Decimal("0.5"))
    api = web.app.config["API"]
    api.readers = some_readers(account=lambda: msgspec.structs.replace(an_account(), owners=(held,)))
    sale = {"symbol": "tBTCUSD", "side": "sell", "quantity": "0.2"}
    async with web.client() as client:
        asked = (await client.post(f"{V2}/risk/unified/evaluate", json=sale)).json()
        placed = (await client.post(f"{V2}/order", json=sale)).json()
        bought = (await client.post(f"{V2}/order", json={**sale, "side": "buy"})).json()
    assert asked["takes"] == [
        {"type": "StrategyHolding", "symbol": "tBTCUSD", "strategy": "btc-ema", "quantity": "0.2"}
    ]
    [notice] = placed["notices"]
    assert notice.startswith("0.2 of it are coins of btc-ema")
    assert bought["notices"] == []


async def test_a_repeated_key_is_one_order_and_one_answer() -> None:
    web = a_desk_web()
    body = {"symbol": "tBTCUSD", "amount": "0.1"}
    first = await posted(web, "/order", body, **{"Idempotency-Key": "abc-1"})
    again = await posted(web, "/order", body, **{"Idempotency-Key": "abc-1"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert [intent.intent_id for intent in intents(web.told)] == ["manual:abc-1"]
    other = await posted(web, "/order", {**body, "amount": "0.2"}, **{"Idempotency-Key": "abc-1"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    bad = await posted(web, "/order", body, **{"Idempotency-Key": "a b"})
    assert bad.status_code == 400


async def test_a_failure_does_not_use_up_its_key() -> None:
    web = a_desk_web()
    web.told.busy = True
    body = {"symbol": "tBTCUSD", "amount": "0.1"}
    assert (await posted(web, "/order", body, **{"Idempotency-Key": "k"})).status_code == 503
    web.told.busy = False
    assert (await posted(web, "/order", body, **{"Idempotency-Key": "k"})).status_code == 202


async def test_one_order_is_shown_with_its_trades_and_changed_by_patch() -> None:
    web = a_desk_web()
    async with web.client() as client:
        answer = (await client.get(f"{V2}/order/2")).json()
        assert answer["order"]["cid"] == 2
        assert (await client.get(f"{V2}/order/999")).status_code == 404
        changed = await client.patch(f"{V2}/order/2", json={"price": "7001"})
        assert changed.status_code == 202
        history = (await client.get(f"{V2}/orders/history")).json()
        assert [row["cid"] for row in history["orders"]] == [1]
    assert [message.update.price for message in web.told.messages if isinstance(message, ChangeOrder)] == [
        Decimal(7001)
    ]


@pytest.mark.parametrize(
    ("purpose", "stop", "change", "answer"),
    [
        (Purpose.STOP, "6000", {"stop_price": "6100"}, 202),
        (Purpose.STOP, "6000", {"price": "7200"}, 202),
        (Purpose.STOP, "6000", {"stop_price": "7000"}, "stop_price must be below the target 6900, was 7000"),
        (Purpose.STOP, "6000", {"price": "5000"}, "stop_price must be below the target 5000, was 6000"),
        (Purpose.STOP, "6000", {"stop_price": "NaN"}, "stop_price must be finite and positive, was NaN"),
        (Purpose.STOP, None, {"stop_price": "6100"}, "stop_price must be absent for an order that is not the stop"),
        (Purpose.MANUAL, "6000", {"stop_price": "6100"}, "stop_price must be absent for an order that is not the stop"),
        (Purpose.STOP, "6000", {}, "price, quantity or stop_price must be given, were all absent"),
    ],
)
async def test_either_half_of_a_stop_with_its_target_is_moved(
    purpose: Purpose, stop: str | None, change: dict[str, str], answer: int | str
) -> None:
    levels = {"price": Decimal(6900), "stop_price": None if stop is None else Decimal(stop)}
    oco = msgspec.structs.replace(an_order(7), purpose=purpose, side=Side.SELL, **levels)
    web = a_desk_web(readers=some_readers(orders=lambda: (oco,)))
    async with web.client() as client:
        told = await client.patch(f"{V2}/order/7", json=change)
    if isinstance(answer, str):
        assert told.status_code in (409, 422)
        assert answer in told.json()["error"]["message"]
        assert web.told.messages == []
        return
    assert told.status_code == answer
    (wish,) = web.told.messages
    assert isinstance(wish, UpdateIntent)
    asked = {"price": wish.price, "stop_price": wish.stop_price}
    assert {name: str(value) for name, value in asked.items() if value is not None} == change


async def test_what_protects_a_position_is_not_cancelled_by_hand() -> None:
    web = a_desk_web(readers=some_readers(orders=lambda: (msgspec.structs.replace(an_order(7), purpose=Purpose.STOP),)))
    async with web.client() as client:
        answer = await client.delete(f"{V2}/order/7")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "protects_position")


async def test_templates_are_kept_placed_and_forgotten(tmp_path: Path) -> None:
    file = KeptFile(tmp_path / "order_templates.json")
    warnings: list[str] = []

    def web_over_the_file() -> Web:
        return a_desk_web(Desk(pairs=lambda: PAIRS, templates=TemplateShelf(file, warnings.append)))

    web = web_over_the_file()
    body = {"name": "dip", "symbol": "tBTCUSD", "amount": "0.1", "type": "EXCHANGE LIMIT", "price": "6900"}
    assert (await posted(web, "/order/templates", body)).status_code == 200
    assert (await posted(web, "/order/templates", {**body, "price": "6800"})).status_code == 200
    assert (await posted(web, "/order/templates", {**body, "price": "6800.123"})).status_code == 422
    assert b"6900" in file.last_version.read_bytes()
    web = web_over_the_file()
    async with web.client() as client:
        kept = (await client.get(f"{V2}/order/templates")).json()["templates"]
        assert [(row["name"], row["price"]) for row in kept] == [("dip", "6800")]
        dip = (await client.get(f"{V2}/order/templates/dip")).json()
        assert (dip["side"], dip["quantity"], "amount" in dip) == ("buy", "0.1", False)
        assert (await client.post(f"{V2}/order/templates/dip")).status_code == 202
        assert (await client.delete(f"{V2}/order/templates/dip")).status_code == 200
        assert (await client.get(f"{V2}/order/templates/dip")).status_code == 404
    assert intents(web.told)[0].price == Decimal(6800)
    assert warnings == []


async def test_a_file_of_old_with_signed_amounts_is_read(tmp_path: Path) -> None:
    file = KeptFile(tmp_path / "order_templates.json")
    file.path.write_bytes(
        b'{"version": 3, "templates": [{"name": "a", "symbol": "tBTCUSD", "amount": "-0.5"},'
        b' {"name": "b", "symbol": "tBTCUSD", "amount": "0.25", "side": "sell", "price": "7000"},'
        b' {"name": "c", "symbol": "tBTCUSD", "amount": 0.1}]}'
    )
    warnings: list[str] = []
    kept = TemplateShelf(file, warnings.append).all()
    assert [(one.name, one.side, one.quantity) for one in kept] == [
        ("a", "sell", Decimal("0.5")),
        ("b", "sell", Decimal("0.25")),
        ("c", "buy", Decimal("0.1")),
    ]
    assert warnings == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 1, "templates": [{"name": 3}]}',
        b"\xff\xfe",
        b'{"templates": [{"name": "a", "symbol": "t", "amount": []}]}',
        b'{"templates": 3}',
        b'{"templates": [1]}',
    ],
)
async def test_a_damaged_file_is_kept_aside_and_the_list_is_empty(tmp_path: Path, damage: bytes) -> None:
    file = KeptFile(tmp_path / "order_templates.json")
    file.path.write_bytes(damage)
    warnings: list[str] = []
    shelf = TemplateShelf(file, warnings.append)
    assert shelf.all() == ()
    assert len(warnings) == 1
    assert (tmp_path / "order_templates.json.damaged-1").read_bytes() == damage
    assert not file.path.exists()


async def test_the_venues_books_are_read_and_its_silence_is_said() -> None:
    entry = LedgerEntry(
        entry_id=1,
        currency="USD",
        wallet_type="exchange",
        time_ms=1,
        amount=Decimal(5),
        balance=Decimal(105),
        description="Exchange",
    )

    async def ledgers(currency: str | None, limit: int) -> tuple[LedgerEntry, ...]:
        if currency == "EUR":
            raise VenueSilent("time-out")
        return (entry,)

    web = a_desk_web(Desk(ledgers=ledgers))
    async with web.client() as client:
        assert (await client.get(f"{V2}/ledgers")).json()["ledgers"][0]["balance"] == "105"
        silent = await client.get(f"{V2}/ledgers", params={"currency": "EUR"})
        assert (silent.status_code, silent.json()["error"]["code"]) == (503, "venue_silent")
        assert (await client.get(f"{V2}/margin")).status_code == 404
        assert (await client.get(f"{V2}/protection")).json()["watch"]["naked"] == 0
    assert BTC in PAIRS


# --- changes -------------------------------------------------------------------------------------------------------


def a_web_with_an_order(verdict: Verdict | None = None, **changes: Any) -> Web:
    """One resting buy of 1 at 7000, and risk that says the same to whatever it is asked."""
    resting = msgspec.structs.replace(an_order(1), price=Decimal(7000), quantity=Decimal(1), **changes)
    web = a_desk_web(readers=attrs.evolve(some_readers(), orders=lambda: (resting,)))
    web.told.change_answer = ChangeAnswer(known=True, verdict=verdict)
    return web


async def changed(web: Web, body: dict[str, Any]) -> Any:
    async with web.client() as client:
        return await client.patch(f"{V2}/order/1", json=body)


@pytest.mark.parametrize(
    "body", [{"quantity": "2"}, {"price": "7001"}, {"quantity": "0.5"}, {"quantity": "0.9", "price": "8000"}]
)
async def test_a_change_goes_to_risk_as_the_order_it_becomes_and_nowhere_else(body: dict[str, Any]) -> None:
    """A PATCH used to go past risk: an order of 140 could become one of 9,000 where 5,000 are allowed."""
    web = a_web_with_an_order()
    assert (await changed(web, body)).status_code == 202
    (asked,) = web.told.messages
    assert isinstance(asked, ChangeOrder)
    price, quantity = Decimal(body.get("price", 7000)), Decimal(body.get("quantity", 1))
    assert (asked.intent.price, asked.intent.quantity, asked.rests) == (price, quantity, Decimal(7000))
    told = {name: str(getattr(asked.update, name)) for name in body}
    assert (asked.update.intent_id, told) == (an_order(1).intent_id, body)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"amount": "-2"}, "amount must be above 0 for an order that buys, was -2"),
        ({"amount": "NaN"}, "amount must be finite and not zero, was NaN"),
        ({"amount": "2", "quantity": "2"}, "quantity must be given, or amount in its place, was given together"),
        ({"quantity": "-1"}, "quantity must be finite and positive, was -1"),
        ({"quantity": "0.123456789"}, "quantity must be of at most 8 decimals, was 0.123456789"),
        ({"quantity": "0.00000001"}, "quantity must be at least 0.00004 BTC, was 0.00000001"),
        ({"price": "7000.123"}, "price must be of at most 5 significant digits (and 8 decimals), was 7000.123"),
        (
            {"prise": "7000"},
            "a field must be one of price, quantity, amount, stop_price, was prise (did you mean price?)",
        ),
    ],
)
async def test_a_change_that_cannot_be_is_refused_with_what_must_be(body: dict[str, str], text: str) -> None:
    web = a_web_with_an_order()
    answer = await changed(web, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(text)
    assert web.told.messages == []


async def test_a_change_takes_the_exchanges_amount_for_the_quantity() -> None:
    web = a_web_with_an_order()
    assert (await changed(web, {"amount": "2"})).status_code == 202
    (asked,) = web.told.messages
    assert isinstance(asked, ChangeOrder)
    assert asked.update.quantity == Decimal(2)


async def test_what_risk_says_to_a_change_is_answered() -> None:
    web = a_web_with_an_order(a_verdict(1, approved=False))
    answer = await changed(web, {"quantity": "2"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "denied")
    web.told.change_answer = ChangeAnswer(known=False, verdict=None)
    answer = await changed(web, {"quantity": "2"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "order_closed")
    web.told.change_answer = None
    answer = await changed(web, {"quantity": "2"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


async def test_an_order_whose_cancel_is_under_way_is_not_changed() -> None:
    web = a_web_with_an_order(a_verdict(1), state=OrderState.PENDING_CANCEL)
    answer = await changed(web, {"price": "6900"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "order_leaving")
    assert web.told.messages == []


async def test_while_trading_is_halted_an_order_is_not_changed_and_that_is_said() -> None:
    """The order actor would drop it, whatever was answered."""
    web = a_web_with_an_order(a_verdict(1))
    api = web.app.config["API"]
    halted = msgspec.structs.replace(a_risk(), state=TradingState.HALTED)
    api.readers = attrs.evolve(api.readers, risk=lambda: halted)
    answer = await changed(web, {"price": "6900"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "halted")
    assert web.told.messages == []
