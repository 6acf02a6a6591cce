"""What was sent and cannot be taken is answered with what must be and what was, field by field."""

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.web.fakes import a_web
from web.bodies import BracketBody, ListQuery, NoBody, OrderBody
from web.config_bodies import RolloutBody, SetKeyBody
from web.faults import refusal, sent_in, shown
from web.job_routes import BacktestBody, SearchBody
from web.risk_bodies import LimitsBody, LockBody, WindowsBody
from web.routes import ROUTES
from web.strategy_models import ParametersBody

V2 = "/api/v2"
BODIES: tuple[type[msgspec.Struct], ...] = tuple(
    dict.fromkeys(route.body for route in ROUTES if route.body is not NoBody)
)


def told(kind: type, raw: bytes) -> tuple[str, dict[str, Any]]:
    """The message and the detail of the refusal of a body."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(raw, type=kind)
    error = refusal(caught.value, sent_in(raw), kind, whole="the body")
    assert error.status == 422
    return error.message, dict(error.detail)


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        (OrderBody, '{"symbol": 5}', "symbol must be a trading symbol such as tBTCUSD, was 5"),
        (OrderBody, '{"symbol": "BTCUSD"}', "symbol must be a trading symbol such as tBTCUSD, was BTCUSD"),
        (OrderBody, '{"symbol": ""}', 'symbol must be a trading symbol such as tBTCUSD, was ""'),
        (OrderBody, "{}", "symbol must be a trading symbol such as tBTCUSD, was absent"),
        (OrderBody, '{"symbol": "tBTCUSD", "side": "long"}', "side must be one of buy, sell, was long"),
        (OrderBody, '{"symbol": "tBTCUSD", "quantity": "abc"}', 'quantity must be a number, was "abc"'),
        (OrderBody, '{"symbol": "tBTCUSD", "quantity": [1]}', "quantity must be a number, was [1]"),
        (OrderBody, '{"symbol": "tBTCUSD", "quantity": true}', "quantity must be a number, was true"),
        (OrderBody, '{"symbol": "tBTCUSD", "hidden": "no"}', 'hidden must be true or false, was "no"'),
        (OrderBody, "[]", "the body must be an object, was []"),
        (SetKeyBody, "{}", "value must be any value, was absent"),
        (OrderBody, "7" * 5000, f"the body must be an object, was {'7' * 60}…"),
        (
            LockBody,
            '{"reason": "x", "duration_s": -1}',
            "duration_s must be a number above 0 and at most 31536000, was -1",
        ),
        (LockBody, '{"reason": ""}', 'reason must be text of 1 to 200 characters, was ""'),
        (
            LimitsBody,
            '{"changes": {"max daily": 1}}',
            "each name in changes must be 1 to 120 letters, digits and _.@:/-, was max daily",
        ),
        (LimitsBody, '{"changes": {}}', "changes must be an object of 1 to 100 fields, was {}"),
        (
            WindowsBody,
            '{"windows": {"mon": [["8"]]}}',
            'windows.mon[0] must be a list of 2 items, was ["8"]',
        ),
        (
            WindowsBody,
            '{"windows": {"mon": [["8:00", "9:00"]], "tue": [["8:00", "9:00"], ["10:00", 7]], "wed": 5}}',
            "windows.tue[1][1] must be text",
        ),
        (
            ParametersBody,
            '{"parameters": {"slow": 20, "fast": "x", "atr": "y"}}',
            'parameters.fast must be a number, was "x"',
        ),
        (
            ParametersBody,
            '{"parameters": {"slow": 20, "members[0].weight": [1]}}',
            'parameters["members[0].weight"] must be a number, was [1]',
        ),
        (
            ParametersBody,
            '{"parameters": {"slow": 1, "": 5}}',
            "each name in parameters must be a parameter such as fast, members[0].parameters.fast or"
            ' members[0].weight, was ""',
        ),
        (
            BacktestBody,
            '{"strategies": [{}, {"parameters": {"a": 1, "b": true}}]}',
            "strategies[1].parameters.b must be a number of -1000000000000 to 1000000000000, was true",
        ),
        (RolloutBody, '{"name": "a", "changes": {}, "metric": "x"}', "metric must be one of"),
        (
            BacktestBody,
            '{"timeframe": "7m"}',
            "timeframe must be one of 1m, 5m, 15m, 30m, 1h, 3h, 6h, 12h, 1D, 1W, 14D",
        ),
        (
            BacktestBody,
            '{"strategies": [{"kind": 5}]}',
            "strategies[0].kind must be text of at most 60 characters, was 5",
        ),
        (BacktestBody, '{"strategies": [{}, 1]}', "strategies[1] must be an object, was 1"),
        (
            BacktestBody,
            '{"strategies": [{"kinds": "x"}]}',
            "a field of strategies[0] must be one of name, kind, symbol, timeframe, parameters, was kinds"
            " (did you mean kind?)",
        ),
        (SearchBody, '{"vary": {"a": 1}}', "vary must be a list of 1 to 20 items, was {"),
    ],
)
def test_every_kind_of_complaint_says_what_must_be_and_what_was(kind: type, raw: str, message: str) -> None:
    text, detail = told(kind, raw.encode())
    assert text.startswith(message)
    ((field, said),) = detail.items()
    assert text.startswith(f"{field} must be {said['must_be']}, was {said['was']}")


class Maps(msgspec.Struct):
    before: dict[str, Any] = {}
    maps: dict[str, dict[Annotated[str, msgspec.Meta(max_length=6)], list[int]]] = {}


@given(
    keys=st.lists(st.text('ab. "\\\\[]', max_size=5), min_size=1, max_size=12, unique=True),
    inner=st.lists(st.text('ab. "\\\\[]', max_size=5), min_size=1, max_size=9, unique=True),
    wrong=st.sets(st.tuples(st.integers(0, 11), st.integers(0, 8)), min_size=1),
    in_name=st.booleans(),
)
def test_the_first_wrong_value_or_name_of_maps_in_maps_is_named(
    keys: list[str], inner: list[str], wrong: set[tuple[int, int]], *, in_name: bool
) -> None:
    """Whatever stands before and behind it, and however many are wrong."""
    here = sorted((x, y) for x, y in wrong if x < len(keys) and y < len(inner))
    assume(here)

    def row(x: int) -> dict[str, Any]:
        bad = [(x, y) in here for y in range(len(inner))]
        if in_name:
            return {f"{name}_too_long" if wrong else name: [1] for name, wrong in zip(inner, bad, strict=True)}
        return {name: [1, f"bad{y}" if bad[y] else 2] for y, name in enumerate(inner)}

    sent = {"before": {"x": {"y": ["bad0"]}}, "maps": {key: row(x) for x, key in enumerate(keys)}, "behind": [{}]}
    text, _ = told(Maps, json.dumps(sent).encode())
    x, y = here[0]
    outer, name = (f".{one}" if one.isalpha() else f"[{json.dumps(one)}]" for one in (keys[x], inner[y]))
    if in_name:
        assert text == f"each name in maps{outer} must be text of at most 6 characters, was {inner[y]}_too_long"
    else:
        assert text == f'maps{outer}{name}[1] must be a whole number, was "bad{y}"'


@pytest.mark.parametrize("body", BODIES)
def test_an_unknown_field_is_refused_with_those_that_are_known(body: type[msgspec.Struct]) -> None:
    text, detail = told(body, b'{"nobody_knows_it": 1}')
    known = [field.encode_name for field in msgspec.structs.fields(body)]
    assert text == f"a field must be one of {', '.join(known)}, was nobody_knows_it"
    assert detail == {"a field": {"must_be": f"one of {', '.join(known)}", "was": "nobody_knows_it"}}


def test_the_nearest_known_field_is_named() -> None:
    text, _ = told(BracketBody, b'{"symbol": "tBTCUSD", "stop_prise": "1"}')
    assert text.endswith("was stop_prise (did you mean stop_price?)")


async def test_every_route_with_a_body_refuses_an_unknown_field() -> None:
    refused = 0
    async with a_web().client() as client:
        for route in ROUTES:
            if route.method == "GET":
                continue
            path = route.path.replace("{", "").replace("}", "")
            answer = await client.request(route.method, path, json={"nobody_knows_it": 1})
            error = answer.json()["error"]
            if error["code"] == "no_such_control":
                # This web has no such part; the body's own test is above.
                continue
            assert (answer.status_code, error["code"]) == (422, "invalid"), route.path
            assert error["message"].startswith("a field must be "), route.path
            assert error["message"].endswith("was nobody_knows_it"), route.path
            refused += 1
    assert refused > 30


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit must be a whole number of 1 to 1000, was 0"),
        ("limit=abc", "limit must be a whole number of 1 to 1000, was abc"),
        ("symbol=BTC", "symbol must be a trading symbol such as tBTCUSD, was BTC"),
        ("state=bad", "state must be one of open, closed, all, was bad"),
        ("sate=open", "a field must be one of symbol, limit, offset, state, was sate (did you mean state?)"),
    ],
)
async def test_a_query_is_refused_in_the_same_words(query: str, message: str) -> None:
    async with a_web().client() as client:
        answer = await client.get(f"{V2}/orders?{query}")
        assert (answer.status_code, answer.json()["error"]["message"]) == (422, message)


async def test_a_body_that_fails_at_once_and_is_no_json_at_all_is_told_so() -> None:
    async with a_web().client() as client:
        for raw in (b"[" * 60_000, b"[1, 2", b'["a", nonsense]'):
            answer = await client.post(f"{V2}/order", content=raw, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400
            assert answer.json()["error"]["message"].startswith("the body must be JSON")


async def test_a_method_that_an_address_does_not_take_is_answered_with_those_it_does() -> None:
    async with a_web().client() as client:
        put = await client.put(f"{V2}/order", json={})
        assert (put.status_code, put.headers["Allow"]) == (405, "POST")
        assert put.json()["error"]["message"] == "the method must be one of POST, was PUT"
        post = await client.post(f"{V2}/status", json={})
        assert (post.status_code, post.headers["Allow"]) == (405, "GET, HEAD")
        options = await client.options(f"{V2}/status")
        assert (options.status_code, options.headers["Allow"]) == (405, "GET, HEAD, POST, PATCH, DELETE")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = sorted({field.encode_name for body in BODIES for field in msgspec.structs.fields(body)})


@given(
    kind=st.sampled_from((*BODIES, ListQuery)),
    sent=JSON | st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6),
)
def test_whatever_is_sent_the_refusal_can_be_made_and_is_short(kind: type[msgspec.Struct], sent: Any) -> None:
    raw = json.dumps(sent).encode()
    try:
        msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        made = refusal(error, sent_in(raw), kind, whole="the body")
        assert made.status == 422
        assert " must be " in made.message
        assert len(made.message) < 1200
        msgspec.json.encode(made.answer("id"))


def test_of_what_names_something_twice_no_name_is_guessed() -> None:
    """JSON's reader keeps the last of the two, the decoder complains about the first."""
    text, _ = told(ParametersBody, b'{"parameters": {"fast": "x", "fast": 1}}')
    assert text == "parameters[...] must be a number, was another one"


@given(sent=JSON)
def test_what_was_sent_is_told_back_cut_short(sent: Any) -> None:
    assert 0 < len(shown(sent)) <= 61
