"""Who may ask: bearer tokens that are minted only against a proof, live shortly, and can be taken back.

A token is a JWT signed with HS256 and nothing else. PyJWT on its own takes tokens without an expiry or with one in the
next century, so every claim is required and `exp - iat` is bounded here as well. What the asker wishes (scope, hours)
is cut to what the proof allows.

Proofs: the bootstrap secret (its file has mode 0600, so whoever shows it is the owner), an admin token, or a single-use
ticket that the engine printed on the owner's terminal. With `dev` no proof is needed; the roof may set that only for a
simulation on loopback.
"""

import hmac
import re
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import attrs
import jwt

from web.keyring import Keyring

if TYPE_CHECKING:
    # A command that only makes a token does not wait for trio.
    from genesis.core.clock import Clock

ISSUER: Final = "genesis"
AUDIENCE: Final = "genesis-api"
ALGORITHM: Final = "HS256"
REQUIRED_CLAIMS: Final = ["exp", "iat", "nbf", "sub", "aud", "iss", "jti", "scope", "auth_time"]
TICKET_LIFE_S: Final = 900.0
SESSION_LIFE_S: Final = 12 * 3600.0
"""A page may renew its token this long after its owner last proved himself; then it has to be opened anew."""
LEEWAY_S: Final = 5.0
MAX_TICKETS: Final = 100
_JTI = re.compile(r"^[0-9a-f]{32}$")


DEFAULT_LIFE_S: Final = 3600.0
"""How long a token lives whose asker did not say."""


class Scope(IntEnum):
    """What a token may do; each scope includes the ones below it."""

    READ = 1
    TRADE = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def named(cls, word: str) -> "Scope":
        return cls[word.upper()]


LIFE_S: Final = {Scope.READ: 24 * 3600.0, Scope.TRADE: 8 * 3600.0, Scope.ADMIN: 15 * 60.0}
"""The longest life of a token of each scope."""


TOKEN_PARTS: Final = 3
"""Header, claims and signature (RFC 7519)."""


class TokenError(Exception):
    """This is no token of ours, or no longer. The text never repeats the token."""


class NoProof(Exception):
    """A mint was asked for without a proof that allows it."""


@attrs.frozen(kw_only=True)
class Claims:
    """What a valid token says. `auth_s` is when its owner last proved himself, in seconds UTC."""

    subject: str
    scope: Scope
    jti: str
    issued_s: int
    expires_s: int
    auth_s: int
    kid: str


@attrs.frozen(kw_only=True)
class Minted:
    token: str
    claims: Claims


@attrs.frozen(kw_only=True)
class Ticket:
    text: str
    expires_s: float


@attrs.define(kw_only=True)
class Tokens:
    """The one mint of the process. `random_bytes` is the operating system's generator, or a seed's in a simulation.

    `ticket_scope` is what the printed link opens with: admin is fit for a simulation; with real money `trade` is, and
    admin acts ask for the secret again.
    """

    keyring: Keyring
    clock: "Clock"
    random_bytes: Callable[[int], bytes]
    dev: bool = False
    ticket_scope: Scope = Scope.ADMIN
    max_scope: Scope = Scope.ADMIN
    default_life_s: float = DEFAULT_LIFE_S
    _tickets: dict[str, float] = attrs.field(factory=dict, init=False)

    def _now_s(self) -> float:
        return self.clock.wall_ms() / 1000

    def mint(self, *, subject: str, scope: Scope, life_s: float, auth_s: float | None = None) -> Minted:
        """Sign a token; scope and life are cut to what is allowed at all. The caller has checked the proof."""
        scope = min(scope, self.max_scope)
        key = self.keyring.signing_key
        now = self._now_s()
        issued = int(now)
        life = max(1, int(min(life_s, LIFE_S[scope])))
        claims = Claims(
            subject=subject,
            scope=scope,
            jti=self.random_bytes(16).hex(),
            issued_s=issued,
            expires_s=issued + life,
            auth_s=int(now if auth_s is None else auth_s),
            kid=key.kid,
        )
        payload = {
            "sub": subject,
            "scope": scope.word,
            "jti": claims.jti,
            "iat": claims.issued_s,
            "nbf": claims.issued_s,
            "exp": claims.expires_s,
            "auth_time": claims.auth_s,
            "iss": ISSUER,
            "aud": AUDIENCE,
        }
        token = jwt.encode(payload, key.secret, algorithm=ALGORITHM, headers={"kid": key.kid})
        return Minted(token=token, claims=claims)

    def verify(self, token: str) -> Claims:
        """What the token says, or TokenError with the reason.

        The clock is ours: PyJWT's own time checks read the operating system's, which a simulated world must not.
        """
        key = self.keyring.signing_key
        try:
            header = jwt.get_unverified_header(token)
            if header.get("kid") != key.kid:
                raise TokenError("the token is signed with a key that is not in use")
            payload = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={
                    "require": REQUIRED_CLAIMS,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise TokenError(_what_is_wrong(token, error)) from None
        claims = _claims(payload, key.kid)
        now = self._now_s()
        if now >= claims.expires_s:
            raise TokenError("the token has expired")
        if claims.issued_s > now + LEEWAY_S or _seconds(payload, "nbf") > now + LEEWAY_S:
            raise TokenError("the token is not valid yet")
        if claims.expires_s - claims.issued_s > LIFE_S[claims.scope]:
            raise TokenError("the token lives longer than any token may")
        if claims.jti in self.keyring.revoked:
            raise TokenError("the token was revoked")
        return claims

    def is_revoked(self, claims: Claims) -> bool:
        """True once a token that was valid has been taken back, alone or with every other."""
        return claims.jti in self.keyring.revoked or claims.kid != self.keyring.signing_key.kid

    def is_bootstrap_secret(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.keyring.bootstrap_secret.encode())

    def mint_for(self, proof: str | None, *, subject: str, scope: Scope, life_s: float, loopback: bool) -> Minted:
        """Mint over the network. `proof` is the bearer text of the request; raises NoProof when it does not allow it.

        A dev engine gives admin to anybody on loopback: the market, the money and the exchange are all make-believe,
        and the examples of the manual place an order with the token they minted.
        """
        if proof is not None and self.is_bootstrap_secret(proof):
            return self.mint(subject=subject, scope=scope, life_s=life_s)
        if proof is not None:
            try:
                claims = self.verify(proof)
            except TokenError:
                if not self.dev:
                    raise NoProof("the proof must be the bootstrap secret or a valid admin token") from None
            else:
                # An admin token proves scopes below its own only: a stolen one must not breed for ever.
                if claims.scope is Scope.ADMIN and scope < Scope.ADMIN:
                    return self.mint(subject=subject, scope=scope, life_s=life_s, auth_s=claims.auth_s)
                if not self.dev:
                    raise NoProof(f"a token of {claims.scope.word} scope must not mint one of {scope.word} scope")
        if self.dev and loopback:
            return self.mint(subject=subject, scope=Scope.ADMIN, life_s=life_s)
        raise NoProof("a token is minted only against the bootstrap secret or an admin token")

    def renew(self, claims: Claims) -> Minted:
        """A fresh token of the same scope, as long as the owner's last proof is not too old; raises NoProof."""
        left = claims.auth_s + SESSION_LIFE_S - self._now_s()
        if left < 1:
            raise NoProof(f"a session must be opened anew after {SESSION_LIFE_S / 3600:.0f} hours")
        return self.mint(
            subject=claims.subject, scope=claims.scope, life_s=min(left, LIFE_S[claims.scope]), auth_s=claims.auth_s
        )

    def ticket(self) -> Ticket:
        """A single-use ticket for the link that the engine prints: `/?ticket=...`."""
        now = self._now_s()
        self._tickets = {text: until for text, until in self._tickets.items() if until > now}
        while len(self._tickets) >= MAX_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        text = self.random_bytes(24).hex()
        self._tickets[text] = now + TICKET_LIFE_S
        return Ticket(text=text, expires_s=now + TICKET_LIFE_S)

    def exchange(self, ticket: str) -> Minted:
        """Spend a ticket; raises NoProof when it is unknown, spent or too old."""
        # Tickets are 192 random bits looked up by hash: there is nothing for a timing attack to walk along.
        until = self._tickets.pop(ticket, None)
        if until is None or until <= self._now_s():
            raise NoProof("the ticket is unknown, was used before, or is too old")
        return self.mint(subject="page", scope=self.ticket_scope, life_s=LIFE_S[self.ticket_scope])

    def revoke(self, jti: str) -> None:
        if not _JTI.match(jti):
            raise ValueError(f"jti must be 32 hex digits, was {len(jti)} characters")
        self.keyring.revoke(jti, until_s=int(self._now_s() + max(LIFE_S.values())), now_s=int(self._now_s()))

    def revoke_everything(self) -> None:
        """Change the signing key: no token that exists is valid any more."""
        self._tickets.clear()
        self.keyring.rotate(self.random_bytes)


def _what_is_wrong(token: str, error: jwt.PyJWTError) -> str:
    """What a token must be and was, in words for its owner; never the token, nor a part of it."""
    match error:
        case jwt.MissingRequiredClaimError():
            return f"the token must have the claim {error.claim}, had none"
        case jwt.InvalidAudienceError() | jwt.InvalidIssuerError():
            return "the token must be made by this engine for its API, was made by or for somebody else"
        case jwt.InvalidSignatureError():
            return "the token's signature must be of this engine's key, was of another, or the token was changed"
        case jwt.InvalidAlgorithmError():
            return f"the token must be signed with {ALGORITHM}, was not"
    parts = len(token.split("."))
    if parts != TOKEN_PARTS:
        return f"the token must have {TOKEN_PARTS} parts with dots between, had {parts}"
    return "the token must be base64url JSON in three parts, as this engine makes it, was changed, or not copied whole"


def _seconds(payload: dict[str, object], name: str) -> int:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TokenError(f"{name} must be a whole number of seconds")
    return value


def _claims(payload: dict[str, object], kid: str) -> Claims:
    subject, scope, jti = payload.get("sub"), payload.get("scope"), payload.get("jti")
    if not isinstance(subject, str) or not isinstance(jti, str):
        raise TokenError("sub and jti must be text")
    if scope not in ("read", "trade", "admin"):
        raise TokenError("scope must be read, trade or admin")
    return Claims(
        subject=subject,
        scope=Scope.named(str(scope)),
        jti=jti,
        issued_s=_seconds(payload, "iat"),
        expires_s=_seconds(payload, "exp"),
        auth_s=_seconds(payload, "auth_time"),
        kid=kid,
    )
