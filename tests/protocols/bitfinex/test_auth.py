"""Signatures agree with the venue's documented strings, and nothing shows the secret."""

import json

import pytest

from protocols.bitfinex import auth
from protocols.bitfinex.errors import LocalProtocolError

KEY, SECRET, NONCE = "genesis-test-key", "genesis-test-secret", 1700000000000000
AUTH_SIGNATURE = "2062b72fed1f3c74ad1d83483164f04e65002ebb790cd32b3d151e2d87baea2d8c961590ee604ce2155b4a88fe2a1387"
DOUBLED_SIGNATURE = "8a057a780ccae9e71db8dc24dc5a4c152101153311a6d80b6606b9f1b6d8df02af94d6398344d2d41a594354f3075041"
REST_EXAMPLES = [
    (
        "v2/auth/r/wallets",
        b"{}",
        "577b4f0b17110fade4995ea0758235458db5fe8fc17fd2bbe0d2151140d2ea6044f53c82128ca03d9b80158817c94d3c",
    ),
    (
        "v2/auth/r/wallets",
        b"",
        "d5788d9a4bbb64c8f60b33d7ec16aac75dab655cf7963907d96f14480221d76234ad597f77ec4800e09a7867ef1628ab",
    ),
    (
        "v2/auth/w/order/submit",
        b'{"type":"EXCHANGE LIMIT","symbol":"tBTCUSD","amount":"0.1","price":"10000"}',
        "38336828534d9f6ad5d96bf61ef51eeb35d982f777022cd9a0c62401a84c7fcea01a4217db97bf76dcb98d31a10181bc",
    ),
]


def test_the_auth_event_is_the_documented_one() -> None:
    frame = auth.auth_event(KEY, SECRET, NONCE, dead_man_switch=True, filters=("trading", "wallet"))
    assert json.loads(frame) == {
        "event": "auth",
        "apiKey": KEY,
        "authNonce": NONCE,
        "authPayload": f"AUTH{NONCE}",
        "authSig": AUTH_SIGNATURE,
        "dms": 4,
        "filter": ["trading", "wallet"],
    }
    assert SECRET.encode() not in frame


def test_without_switch_and_filter_the_fields_are_left_out() -> None:
    assert set(json.loads(auth.auth_event(KEY, SECRET, NONCE))) == {
        "event",
        "apiKey",
        "authNonce",
        "authPayload",
        "authSig",
    }


@pytest.mark.parametrize(("path", "body", "signature"), REST_EXAMPLES)
def test_rest_signatures_cover_path_nonce_and_the_exact_body(path: str, body: bytes, signature: str) -> None:
    headers = auth.rest_headers(KEY, SECRET, path, NONCE, body)
    assert headers["bfx-signature"] == signature
    assert auth.rest_headers(KEY, SECRET, f"/{path}", NONCE, body) == headers
    assert auth.is_signed(SECRET, auth.rest_message(path, NONCE, body), signature)
    assert SECRET not in "".join(headers.values())


@pytest.mark.parametrize("nonce", [0, -1, auth.LARGEST_NONCE + 1])
def test_a_nonce_out_of_range_is_never_sent(nonce: int) -> None:
    with pytest.raises(LocalProtocolError, match="nonce must be in"):
        auth.auth_event(KEY, SECRET, nonce)


def test_a_server_checks_the_payload_as_it_was_sent() -> None:
    """The official Node client signs the nonce twice, and sends its secret in clear."""
    claim = auth.read_auth_event(
        {
            "event": "auth",
            "apiKey": KEY,
            "apiSecret": SECRET,
            "authNonce": NONCE,
            "authPayload": f"AUTH{NONCE}{NONCE}",
            "authSig": DOUBLED_SIGNATURE,
            "dms": 4,
            "filter": None,
        }
    )
    assert auth.is_signed(SECRET, claim.payload, claim.signature)
    assert claim.dead_man_switch
    assert claim.filters is None
    assert SECRET not in repr(claim)


@pytest.mark.parametrize("signature", ["", "00", AUTH_SIGNATURE[:-1] + "8", "ä" * 96])
def test_a_wrong_signature_is_wrong(signature: str) -> None:
    assert not auth.is_signed(SECRET, f"AUTH{NONCE}", signature)


@pytest.mark.parametrize(
    ("nonce", "read"),
    [(5, 5), ("5", 5), ("x", 0), (None, 0), (True, 0), ("9" * 30, 0), (1.5, 0)],
)
def test_nonces_come_as_numbers_and_as_text(nonce: object, read: int) -> None:
    assert auth.read_auth_event({"authNonce": nonce, "filter": ["trading"], "token": "t"}).nonce == read
