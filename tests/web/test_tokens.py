"""Tokens: minted against proof, cut to what it allows, short, and revocable."""

import random
from collections.abc import Mapping
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.fakes import HandClock, a_keyring
from web.keyring import KeyringError, new_keyring, open_keyring, with_signing_secret
from web.tokens import AUDIENCE, ISSUER, LIFE_S, NoProof, Scope, TokenError, Tokens


def a_mint(*, dev: bool = False, clock: HandClock | None = None) -> Tokens:
    return Tokens(
        keyring=a_keyring(),
        clock=clock if clock is not None else HandClock(),
        random_bytes=random.Random(5).randbytes,
        dev=dev,
    )


def test_a_minted_token_says_what_was_minted() -> None:
    tokens = a_mint()
    minted = tokens.mint(subject="me", scope=Scope.TRADE, life_s=60)
    assert tokens.verify(minted.token) == minted.claims
    assert minted.claims.scope is Scope.TRADE
    assert minted.claims.expires_s - minted.claims.issued_s == 60


@pytest.mark.parametrize("scope", list(Scope))
def test_no_token_lives_longer_than_its_scope_allows(scope: Scope) -> None:
    minted = a_mint().mint(subject="me", scope=scope, life_s=1e9)
    assert minted.claims.expires_s - minted.claims.issued_s == LIFE_S[scope]


def test_a_token_expires_by_our_clock() -> None:
    clock = HandClock()
    tokens = a_mint(clock=clock)
    token = tokens.mint(subject="me", scope=Scope.READ, life_s=60).token
    clock.seconds += 59.9
    tokens.verify(token)
    clock.seconds += 0.2
    with pytest.raises(TokenError, match="expired"):
        tokens.verify(token)


def forged(tokens: Tokens, changes: Mapping[str, object], *, key: bytes | None = None, algorithm: str = "HS256") -> str:
    """A token signed as ours, with other claims: None removes one."""
    now = int(tokens.clock.wall_ms() / 1000)
    claims: dict[str, object] = {
        "sub": "me",
        "scope": "admin",
        "jti": "0" * 32,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "auth_time": now,
        "iss": ISSUER,
        "aud": AUDIENCE,
    }
    claims |= changes
    signing = tokens.keyring.signing_key
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        signing.secret if key is None else key,
        algorithm=algorithm,
        headers={"kid": signing.kid},
    )


def test_the_forgery_without_changes_is_good() -> None:
    tokens = a_mint()
    assert tokens.verify(forged(tokens, {})).scope is Scope.ADMIN


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "sub", "aud", "iss", "jti", "scope", "auth_time"])
def test_a_token_without_one_of_its_claims_is_refused(claim: str) -> None:
    tokens = a_mint()
    with pytest.raises(TokenError):
        tokens.verify(forged(tokens, {claim: None}))


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "root"},
        {"scope": 3},
        {"aud": "somebody"},
        {"iss": "somebody"},
        {"exp": "99999999999"},
        {"exp": 99_999_999_999},
        {"exp": True},
        {"iat": 99_999_999_999, "exp": 99_999_999_999 + 60},
        {"nbf": 99_999_999_999},
        {"sub": 7},
    ],
)
def test_a_token_with_claims_of_its_own_making_is_refused(changes: Mapping[str, object]) -> None:
    tokens = a_mint()
    with pytest.raises(TokenError):
        tokens.verify(forged(tokens, changes))


def test_no_other_algorithm_and_no_other_key_is_taken() -> None:
    tokens = a_mint()
    with pytest.raises(TokenError):
        tokens.verify(forged(tokens, {}, algorithm="HS512"))
    with pytest.raises(TokenError):
        tokens.verify(forged(tokens, {}, key=b"x" * 32))
    none = jwt.encode({"sub": "me"}, "", algorithm="none", headers={"kid": tokens.keyring.signing_key.kid})
    with pytest.raises(TokenError):
        tokens.verify(none)


@given(st.text(max_size=200))
def test_any_text_is_a_token_error_and_never_another(text: str) -> None:
    with pytest.raises(TokenError) as caught:
        a_mint().verify(text)
    assert len(text) < 8 or text not in str(caught.value)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("", "must have 3 parts with dots between, had 1"),
        ("abc", "must have 3 parts with dots between, had 1"),
        ("a.b", "must have 3 parts with dots between, had 2"),
        ("a.b.c.d", "must have 3 parts with dots between, had 4"),
        ("x.y.z", "must be base64url JSON in three parts"),
        ("cut", "was changed, or not copied whole"),
        ("changed", "signature must be of this engine's key, was of another"),
        ("no exp", "must have the claim exp, had none"),
        ("other audience", "must be made by this engine for its API"),
        ("other algorithm", "must be signed with HS256, was not"),
    ],
)
def test_who_shows_a_broken_token_is_told_what_a_token_must_be_and_what_his_was(broken: str, told: str) -> None:
    tokens = a_mint()
    good = forged(tokens, {})
    token = {
        "cut": good[:-4],
        "changed": good[:-8] + "AAAA" + good[-4:],
        "no exp": forged(tokens, {"exp": None}),
        "other audience": forged(tokens, {"aud": "somebody"}),
        "other algorithm": forged(tokens, {}, algorithm="HS512"),
    }.get(broken, broken)
    with pytest.raises(TokenError) as caught:
        tokens.verify(token)
    assert told in str(caught.value)
    assert "Error" not in str(caught.value), "no name of a class of ours"


def test_a_mint_without_proof_is_refused_and_with_the_secret_is_not() -> None:
    tokens = a_mint()
    wish = {"subject": "me", "scope": Scope.TRADE, "life_s": 60.0, "loopback": True}
    for proof in (None, "", "wrong", "é" * 40):
        with pytest.raises(NoProof):
            tokens.mint_for(proof, **wish)  # type: ignore[arg-type]
    minted = tokens.mint_for(tokens.keyring.bootstrap_secret, **wish)  # type: ignore[arg-type]
    assert minted.claims.scope is Scope.TRADE


def test_a_token_never_breeds_one_of_its_own_scope_or_above() -> None:
    tokens = a_mint()
    admin = tokens.mint(subject="me", scope=Scope.ADMIN, life_s=60).token
    trade = tokens.mint(subject="me", scope=Scope.TRADE, life_s=60).token
    made = tokens.mint_for(admin, subject="you", scope=Scope.TRADE, life_s=60, loopback=True)
    assert made.claims.scope is Scope.TRADE
    for bearer, scope in ((admin, Scope.ADMIN), (trade, Scope.READ), (trade, Scope.ADMIN)):
        with pytest.raises(NoProof):
            tokens.mint_for(bearer, subject="you", scope=scope, life_s=60, loopback=True)


def test_dev_mints_for_anybody_on_loopback_only() -> None:
    tokens = a_mint(dev=True)
    minted = tokens.mint_for(None, subject="me", scope=Scope.READ, life_s=60, loopback=True)
    # The manual's examples mint a read token and place an order with it.
    assert minted.claims.scope is Scope.ADMIN
    with pytest.raises(NoProof):
        tokens.mint_for(None, subject="me", scope=Scope.READ, life_s=60, loopback=False)


def test_a_ticket_is_good_once_and_not_for_long() -> None:
    clock = HandClock()
    tokens = a_mint(clock=clock)
    first, second = tokens.ticket(), tokens.ticket()
    assert tokens.exchange(first.text).claims.scope is Scope.ADMIN
    with pytest.raises(NoProof):
        tokens.exchange(first.text)
    clock.seconds += 3600
    with pytest.raises(NoProof):
        tokens.exchange(second.text)


def test_a_session_is_renewed_until_its_proof_is_too_old() -> None:
    clock = HandClock()
    tokens = a_mint(clock=clock)
    claims = tokens.exchange(tokens.ticket().text).claims
    for _ in range(71):
        clock.seconds += 600
        claims = tokens.renew(claims).claims
    clock.seconds += 601
    with pytest.raises(NoProof):
        tokens.renew(claims)


def test_a_revoked_token_is_refused_and_the_others_are_not() -> None:
    tokens = a_mint()
    one = tokens.mint(subject="me", scope=Scope.READ, life_s=60)
    other = tokens.mint(subject="me", scope=Scope.READ, life_s=60)
    tokens.revoke(one.claims.jti)
    with pytest.raises(TokenError, match="revoked"):
        tokens.verify(one.token)
    assert tokens.is_revoked(one.claims)
    tokens.verify(other.token)
    tokens.revoke_everything()
    with pytest.raises(TokenError):
        tokens.verify(other.token)
    assert tokens.is_revoked(other.claims)


def test_the_secrets_file_is_made_once_for_its_owner_and_remembers_revocations(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "web.json"
    first = open_keyring(path, random.Random(1).randbytes)
    assert path.stat().st_mode & 0o777 == 0o600
    first.revoke("a" * 32, until_s=100, now_s=1)
    again = open_keyring(path, random.Random(2).randbytes)
    assert again.signing_key == first.signing_key
    assert again.bootstrap_secret == first.bootstrap_secret
    assert again.revoked == {"a" * 32: 100}


def test_a_secrets_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    open_keyring(path, random.Random(1).randbytes)
    path.chmod(0o640)
    with pytest.raises(KeyringError, match="0600"):
        open_keyring(path, random.Random(1).randbytes)


@pytest.mark.parametrize("text", ["", "{", '{"version":1}', "\x00\xff"])
def test_a_damaged_secrets_file_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "web.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyringError, match="move it away"):
        open_keyring(path, random.Random(1).randbytes)


def test_weak_and_well_known_secrets_are_refused() -> None:
    keyring = new_keyring(random.Random(1).randbytes)
    for secret in ("byt_till_en_stark_hemlighet", "short", "x" * 31):
        with pytest.raises(KeyringError):
            with_signing_secret(keyring, secret)
    assert with_signing_secret(keyring, "x" * 32).signing_key.secret == b"x" * 32


def test_secrets_are_not_shown_by_repr() -> None:
    keyring = a_keyring()
    assert keyring.bootstrap_secret not in repr(keyring)
    assert keyring.signing_key.secret_hex not in repr(keyring)
