"""The routes that give and take tokens. What a proof is, and what it allows, stands in `web.tokens`."""

from web.api import Api, Call, too_many
from web.bodies import MintBody, RevokeBody, TicketBody
from web.errors import ApiError
from web.models import Accepted, TicketAnswer, TokenAnswer
from web.server import is_loopback
from web.tokens import Minted, NoProof, Scope

DEV_WARNING = "dev mode: tokens are given without proof; never use it with real money"


def _answer(api: Api, minted: Minted) -> TokenAnswer:
    return TokenAnswer(
        token=minted.token,
        access_token=minted.token,
        token_type="Bearer",  # noqa: S106 -- the type's name, no secret
        scope=minted.claims.scope.word,
        user_id=minted.claims.subject,
        expires_ms=minted.claims.expires_s * 1000,
        message=DEV_WARNING if api.tokens.dev else "",
    )


def _failed(api: Api, call: Call, error: NoProof) -> ApiError:
    now = api.clock.now()
    wait_s = api.lockout.wait_s(call.address, now)
    if wait_s > 0:
        return too_many(wait_s, "too many failed proofs from this address")
    api.lockout.failed(call.address, now)
    api.metrics.token_failures.inc()
    return ApiError(401, str(error), code="no_proof", headers={"WWW-Authenticate": "Bearer"})


def _is_local(api: Api, call: Call) -> bool:
    """Whether the caller is on this machine, however the page is reached by others."""
    return api.loopback or is_loopback(call.address)


async def mint(api: Api, call: Call) -> TokenAnswer:
    body: MintBody = call.body
    if not _is_local(api, call):
        raise ApiError(403, "tokens are minted over loopback or with `genesis token` only", code="not_on_loopback")
    try:
        minted = api.tokens.mint_for(
            call.bearer,
            subject=body.user_id,
            scope=Scope.named(body.scope),
            life_s=api.tokens.default_life_s if body.expiry_hours is None else body.expiry_hours * 3600,
            loopback=api.loopback,
        )
    except NoProof as error:
        raise _failed(api, call, error) from None
    return _answer(api, minted)


async def ticket(api: Api, call: Call) -> TicketAnswer:
    """For `genesis token --link`: the bootstrap secret buys a link that opens the page signed in."""
    if not _is_local(api, call) or call.bearer is None or not api.tokens.is_bootstrap_secret(call.bearer):
        raise _failed(api, call, NoProof("a ticket is given only against the bootstrap secret, over loopback"))
    made = api.tokens.ticket()
    return TicketAnswer(ticket=made.text, path=f"/?ticket={made.text}", expires_ms=int(made.expires_s * 1000))


async def exchange(api: Api, call: Call) -> TokenAnswer:
    body: TicketBody = call.body
    try:
        return _answer(api, api.tokens.exchange(body.ticket))
    except NoProof as error:
        raise _failed(api, call, error) from None


async def renew(api: Api, call: Call) -> TokenAnswer:
    if call.claims is None:
        raise ApiError(401, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"})
    try:
        return _answer(api, api.tokens.renew(call.claims))
    except NoProof as error:
        raise ApiError(401, str(error), code="session_over", headers={"WWW-Authenticate": "Bearer"}) from None


async def sign_out(api: Api, call: Call) -> Accepted:
    if call.claims is not None:
        api.tokens.revoke(call.claims.jti)
    return Accepted(accepted=True, correlation_id="", message="this token is revoked")


async def revoke(api: Api, call: Call) -> Accepted:
    body: RevokeBody = call.body
    if body.everything == (body.jti is not None):
        raise ApiError(422, "exactly one of jti and everything must be given")
    if body.jti is None:
        api.tokens.revoke_everything()
        return Accepted(accepted=True, correlation_id="", message="every token is revoked, this one too")
    try:
        api.tokens.revoke(body.jti)
    except ValueError as error:
        raise ApiError(422, str(error)) from None
    return Accepted(accepted=True, correlation_id="", message="the token is revoked")
