"""Feed mutated recordings to every reader of the wire until something other than a typed error comes out.

    python -m tools.fuzz_frames [--seconds 60] [--seed 1] [--atheris] [files ...]

Without files the recordings of the repository are the seeds. Prints inputs tried, inputs a second and refusals; on a
finding it prints the inputs that led there, and ends with status 1. With `--atheris` (where that is installed) coverage
steers the mutations instead of chance alone.
"""

import argparse
import gzip
import importlib
import json
import random
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from genesis.simulator.session import Session
from genesis.simulator.settings import ApiKey, ExchangeSettings
from protocols.bitfinex import rest, rest_account
from protocols.bitfinex.account_session import AccountSession
from protocols.bitfinex.auth import AuthClaim
from protocols.bitfinex.errors import InputRefused, RemoteProtocolError
from protocols.bitfinex.events import (
    FLAG_CHECKSUM,
    FLAG_SEQ_ALL,
    FLAG_TIMESTAMP,
    FrameRefused,
    auth_accepted_event,
    conf_answer,
    info_event,
    subscribed_event,
)
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import (
    SubscribeRefused,
    Subscription,
    book,
    candles,
    derivative_status,
    liquidations,
    ticker,
    trades,
)

RECORDED = Path(__file__).parent.parent / "tests" / "recorded"
SESSION_LIFE = 200
"""Inputs that one session hears: long enough for states to build up, short enough to print when something is found."""

STREAMS: tuple[Subscription, ...] = (
    ticker("tBTCUSD"),
    ticker("fUSD"),
    trades("tBTCUSD"),
    trades("fUSD"),
    book("tBTCUSD"),
    book("tBTCUSD", "R0"),
    book("fUSD"),
    book("fUSD", "R0"),
    candles("tBTCUSD", "1m"),
    derivative_status("tBTCF0:USTF0"),
    liquidations(),
)

_encode = msgspec.json.Encoder().encode


@attrs.define
class Target:
    """One reader under test. `heard` are the inputs since its state was new; `refused` counts typed refusals."""

    name: str
    start: Callable[[], Callable[[bytes], bool]]
    refused: int = 0
    heard: list[bytes] = attrs.field(factory=list)
    _read: Callable[[bytes], bool] | None = None

    def feed(self, data: bytes) -> None:
        """Raises what the reader raises, except for typed refusals."""
        if self._read is None or len(self.heard) >= SESSION_LIFE:
            self._read = self.start()
            self.heard.clear()
        self.heard.append(data)
        try:
            self.refused += self._read(data)
        except (RemoteProtocolError, SubscribeRefused):
            self.refused += 1


def _tell(events: Iterable[Any]) -> bool:
    """Whether anything was refused; whatever was not can be written down again."""
    refused = False
    for event in events:
        if isinstance(event, FrameRefused):
            refused = True
        else:
            _encode(event)
    return refused


def _public(flags: int) -> Callable[[], Callable[[bytes], bool]]:
    def start() -> Callable[[bytes], bool]:
        session = PublicSession(session=1)
        session.receive(info_event(server_id="fuzz"), 1)
        session.receive(conf_answer(flags), 1)
        for number, stream in enumerate(STREAMS, 1):
            session.receive(subscribed_event(stream, number), 1)

        def read(data: bytes) -> bool:
            refused = _tell(session.receive(data, 2))
            for stream in session.table.streams:
                session.levels(stream)
            return refused

        return read

    return start


def _account(flags: int) -> Callable[[], Callable[[bytes], bool]]:
    def start() -> Callable[[bytes], bool]:
        session = AccountSession(session=1, api_key="k", api_secret="s")  # noqa: S106 - no secret of anybody
        session.receive(conf_answer(flags), 1)
        session.receive(auth_accepted_event(user_id=1, auth_id="a", caps={}), 1)
        return lambda data: _tell(session.receive(data, 2))

    return start


class _Exchange:
    """An exchange that takes every key and every order, so that all a client may say is read."""

    settings = ExchangeSettings()
    server_id = "fuzz"

    def venue_ms(self) -> int:
        return 1_700_000_000_000

    def check_subscription(self, subscription: Subscription) -> None:
        """Every pair is traded here."""

    def joined(self, session: Session, subscription: Subscription, channel: int) -> None:
        session.channel(channel, "[]")

    def left(self, session: Session, subscription: Subscription) -> None:
        """Nothing is sent of its own accord."""

    def authenticate(self, claim: AuthClaim) -> ApiKey:
        return self.settings.keys[0]

    def authenticated(self, session: Session) -> None:
        session.account("os", [], snapshot=True)

    def operate(self, session: Session, request: object) -> None:
        repr(request)

    def refuse(self, session: Session, error: InputRefused) -> None:
        session.account("n", [error.kind, error.text])


def _client() -> Callable[[bytes], bool]:
    session = Session(_Exchange(), number=1)
    session.receive('{"event":"auth","apiKey":"k","authNonce":1,"authPayload":"AUTH1","authSig":"x"}')

    def read(data: bytes) -> bool:
        # The WebSocket layer hands on whole text only.
        session.outgoing.clear()
        session.receive(data.decode("utf-8", "replace"))
        return any(b'"error"' in frame or frame.startswith(b'[0,"n"') for frame in session.outgoing)

    return read


REST_READERS: tuple[Callable[[Any], Any], ...] = (
    lambda v: rest.read_one_ticker(v, "tBTCUSD", received_ns=1),
    lambda v: rest.read_tickers(v, received_ns=1),
    lambda v: rest.read_ticker_history(v),
    lambda v: rest.read_candle_answer(v, "tBTCUSD", "1m"),
    lambda v: rest.read_trades_answer(v, "tBTCUSD", received_ns=1),
    lambda v: rest.read_funding_trades_answer(v, "fUSD", received_ns=1),
    lambda v: rest.read_book_answer(v, "tBTCUSD", "P0", received_ns=1),
    lambda v: rest.read_book_answer(v, "tBTCUSD", "R0", received_ns=1),
    lambda v: rest.read_book_answer(v, "fUSD", "P0", received_ns=1),
    lambda v: rest.read_pair_infos(rest.read_conf(v, ["a"])["a"]),
    lambda v: rest.read_names(v),
    lambda v: rest.read_map(v),
    lambda v: rest.read_platform_status(v),
    lambda v: rest.read_deriv_statuses(v, received_ns=1),
    lambda v: rest.read_liquidations(v, received_ns=1),
    lambda v: rest.read_statistics(v),
    lambda v: rest.read_funding_statistics(v),
    lambda v: rest.read_rankings(v),
)
ACCOUNT_READERS: tuple[Callable[[Any], Any], ...] = (
    lambda v: rest_account.read_write_answer(v, session=1, received_ns=1),
    lambda v: rest_account.read_orders(v, session=1, received_ns=1),
    lambda v: rest_account.read_own_trades(v, session=1, received_ns=1),
    lambda v: rest_account.read_wallets(v, session=1, received_ns=1),
    lambda v: rest_account.read_positions(v, session=1, received_ns=1),
    lambda v: rest_account.read_past_positions(v),
    lambda v: rest_account.read_margin_answer(v, session=1, received_ns=1),
    lambda v: rest_account.read_offers(v, session=1, received_ns=1),
    lambda v: rest_account.read_loans(v, session=1, received_ns=1, credits=True),
    lambda v: rest_account.read_own_funding_trades(v, session=1, received_ns=1),
    lambda v: rest_account.read_permissions_answer(v),
    lambda v: rest_account.read_fee_rates(v),
    lambda v: rest_account.read_user_info(v),
    lambda v: rest_account.read_ledgers(v),
    lambda v: rest_account.read_movements(v),
    lambda v: rest_account.read_alerts(v),
    lambda v: rest_account.read_logins(v),
    lambda v: rest_account.read_available(v),
)


def _answers(readers: Sequence[Callable[[Any], Any]], *, exact: bool) -> Callable[[], Callable[[bytes], bool]]:
    def start() -> Callable[[bytes], bool]:
        def read(data: bytes) -> bool:
            value = rest.read_answer(200, data, exact=exact)
            refused = 0
            for reader in readers:
                try:
                    _encode(reader(value))
                except RemoteProtocolError:
                    refused += 1
            return refused == len(readers)

        return read

    return start


def targets() -> list[Target]:
    every = FLAG_SEQ_ALL | FLAG_TIMESTAMP | FLAG_CHECKSUM
    return [
        Target("public", _public(0)),
        Target("public, all flags", _public(every)),
        Target("account", _account(0)),
        Target("account, all flags", _account(every)),
        Target("client frames", _client),
        Target("REST public", _answers(REST_READERS, exact=False)),
        Target("REST account", _answers(ACCOUNT_READERS, exact=True)),
    ]


# --- seeds and mutations ------------------------------------------------------------------------------------------


CLIENT_SEEDS: tuple[bytes, ...] = (
    b'[0,"on",null,{"gid":1,"cid":12345,"type":"EXCHANGE LIMIT","symbol":"tBTCUSD","amount":"0.1","price":"10000",'
    b'"flags":4096,"tif":"2026-01-31 10:45:23","meta":{"aff_code":"X"}}]',
    b'[0,"on",null,{"type":"EXCHANGE LIMIT","symbol":"tBTCUSD","amount":"-1","price":"5","price_oco_stop":"4",'
    b'"flags":16384}]',
    b'[0,"ou",null,{"id":1149698545,"delta":"0.1","price":"6500","price_trailing":"45","lev":10}]',
    b'[0,"oc",null,{"cid":12345,"cid_date":"2026-01-31"}]',
    b'[0,"oc_multi",null,{"id":[1234,5678],"cid":[[234,"2026-01-31"]],"gid":[11],"all":1}]',
    b'[0,"ox_multi",null,[["on",{"type":"MARKET","symbol":"tBTCUSD","amount":"1"}],["oc",{"id":5}],["oc_multi",{"all":1}]]'
    b"]",
    b'[0,"calc",null,[["margin_base"],["margin_sym_tBTCUSD"],["wallet_margin_BTC"],["balance"]]]',
    b'[0,"fon",null,{"type":"LIMIT","symbol":"fUSD","amount":"50","rate":"0.0002","period":7,"flags":0}]',
    b'[0,"n",5,{"type":"ucm-test","info":{"a":[1,2]}}]',
    b'{"event":"subscribe","channel":"book","symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"25","subId":"my-1"}',
    b'{"event":"subscribe","channel":"candles","key":"trade:1m:tBTCUSD"}',
    b'{"event":"unsubscribe","chanId":1001}',
    b'{"event":"conf","flags":229376}',
    b'{"event":"ping","cid":1234}',
    b'{"event":"auth","apiKey":"k","authNonce":1,"authPayload":"AUTH1","authSig":"x","dms":4,"filter":["trading"]}',
)
"""What clients send, which recordings hold little of."""


def seeds(paths: Sequence[Path] = ()) -> list[bytes]:
    """Every frame and answer recorded, and frames of every channel under the numbers that the sessions know."""
    found: list[bytes] = []
    for path in paths or sorted((*RECORDED.glob("ws/*.jsonl*"), *RECORDED.glob("rest/*.gz"))):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if path.name.endswith(".json.gz"):
            found += [entry["response"]["body"].encode() for entry in json.loads(data)]
            continue
        for line in data.splitlines():
            value = json.loads(line)
            text = value.get("data", value.get("text")) if isinstance(value, dict) else None
            if text is None:
                found.append(line)
            else:
                found.append(text[text.index("\n[") + 1 :].encode() if "\n[" in text else text.encode())
    # Long ones slow the search down and say nothing new.
    found = [seed for seed in dict.fromkeys(found) if len(seed) <= 4000]
    found += [data for seed in found for data in _renumbered(seed)]
    # One input in ten or so is something that a client says.
    return found + list(CLIENT_SEEDS) * (1 + len(found) // (10 * len(CLIENT_SEEDS)))


def _renumbered(seed: bytes) -> list[bytes]:
    """A channel's frame, said on every channel that the sessions are subscribed to."""
    match = re.match(rb"\[\s*[1-9]\d*\s*,", seed)
    if match is None or len(seed) > 600:
        return []
    return [b"[%d,%s" % (number, seed[match.end() :]) for number in range(1, len(STREAMS) + 1)]


_TOKENS: tuple[bytes, ...] = (
    *b'null true false 0 -0 -1 1 0.0 1e-7 1e308 1e999 -1e999 1e-999 99999999999999999999999 "" "x" "1" "NaN"'.split(),
    *b'[] {} [[]] "hb" "cs" "te" "n" "\\ud800" -9223372036854775809'.split(),
    b"\xff",
    b"9" * 50,
    b"9" * 5000,
    b"[" * 50,
)
_SCALAR = re.compile(rb'"[^"]*"|-?\d[\d.eE+-]*|null|true|false')


def mutate(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """One to four small harms."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.randrange(9)
        place = chance.randrange(len(data) + 1)
        if kind <= 2:
            # The deepest harm: valid JSON with a value of another kind.
            scalars = list(_SCALAR.finditer(data))
            if scalars:
                hit = chance.choice(scalars)
                data = data[: hit.start()] + chance.choice(_TOKENS) + data[hit.end() :]
        elif kind == 3:
            data = data[:place]
        elif kind == 4:
            data = data[:place] + data[place + chance.randint(1, 8) :]
        elif kind == 5:
            data = data[:place] + chance.choice(_TOKENS) + data[place:]
        elif kind == 6:
            data = data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]
        elif kind == 7:
            other = chance.choice(others)
            data = data[:place] + other[chance.randrange(len(other) + 1) :]
        else:
            end = min(len(data), place + chance.randint(1, 20))
            data = data[:end] + b"," + data[place:end] + data[end:]
    return data[:20_000]


class Finding(Exception):
    """A reader raised something else than a typed error."""

    def __init__(self, target: Target, tried: int) -> None:
        self.target = target
        super().__init__(f"{target.name}, input {tried}: {target.heard[-1]!r}")


def fuzz(chance: random.Random, corpus: Sequence[bytes], enough: Callable[[int], bool]) -> tuple[int, list[Target]]:
    """Try inputs until `enough(tried)`; returns how many were tried. Raises Finding."""
    readers = targets()
    tried = 0
    while not enough(tried):
        data = mutate(chance.choice(corpus), chance, corpus)
        for target in readers:
            tried += 1
            try:
                target.feed(data)
            except Exception as error:
                raise Finding(target, tried) from error
    return tried, readers


def _with_coverage(corpus: Sequence[bytes], seconds: float, seed: int) -> None:
    """Never returns: libFuzzer ends the process, with `Done N runs`; each run is one input for every reader."""
    atheris = importlib.import_module("atheris")
    readers = targets()
    print(f"each run feeds {len(readers)} readers", flush=True)

    def one(data: bytes) -> None:
        for target in readers:
            target.feed(data)

    folder = Path(tempfile.mkdtemp(prefix="fuzz-corpus-"))
    for number, data in enumerate(corpus):
        (folder / f"{number:05}").write_bytes(data)
    atheris.instrument_all()
    limits = [f"-max_total_time={seconds:.0f}", f"-seed={seed}", "-max_len=20000", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *limits, str(folder)], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    corpus = seeds(options.files)
    if options.atheris:
        _with_coverage(corpus, options.seconds, options.seed)
        return 0
    began = time.perf_counter()
    try:
        tried, readers = fuzz(
            random.Random(options.seed),  # noqa: S311 - a search, not a secret
            corpus,
            lambda tried: tried % 7_000 == 0 and time.perf_counter() - began >= options.seconds,
        )
    except Finding as finding:
        traceback.print_exc()
        for data in finding.target.heard:
            print(repr(data))
        print(f"found with seed {options.seed}: {finding}")
        return 1
    took = time.perf_counter() - began
    print(f"{tried:,} inputs in {took:.1f} s ({tried / took:,.0f}/s) from {len(corpus):,} seeds, nothing found")
    for target in readers:
        print(f"  {target.name}: {target.refused:,} refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
