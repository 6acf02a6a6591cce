"""Money between the account's wallets: moved by a person who confirms it, listed with what came of each."""

from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

from protocols.transfers import Transfer, TransferState, TransferWish
from protocols.units import ZERO, base_currency, plain
from web.api import Api, Call, Route
from web.bodies import CurrencyText, NameText, ShortText, Strict
from web.desk import Transfers, VenueSilent
from web.errors import ApiError
from web.faults import own_fault
from web.intents import invalid
from web.tokens import Scope
from web.venue_faults import venue_fault

Wallet = Literal["exchange", "margin", "funding"]
CONFIRM: Final = "transfer"
MOST_DECIMALS: Final = 8
LARGEST: Final = Decimal(10) ** 12
PATH: Final = "/api/v2/transfers"


class TransferBody(Strict, frozen=True, kw_only=True):
    """`confirm` must be the word transfer. `transfer_id` (or the header Idempotency-Key) names it: the same one again
    moves nothing, and is answered with what came of the first. `currency_to` is for money that changes its name on the
    way, UST and USTF0."""

    confirm: ShortText
    from_wallet: Wallet
    to_wallet: Wallet
    currency: CurrencyText
    amount: Decimal
    currency_to: CurrencyText | None = None
    transfer_id: Annotated[NameText, msgspec.Meta(max_length=60)] | None = None
    reason: ShortText = "asked over the API"


class TransferAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`transfer.state` says what is known: done, or asked when no answer came; then the ledger will tell."""

    transfer: Transfer
    message: str


class TransferList(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    transfers: tuple[Transfer, ...]


def _desk(api: Api) -> Transfers:
    assert api.desk.transfers is not None, "the route needs this port"
    return api.desk.transfers


async def transfers(api: Api, call: Call) -> TransferList:
    return TransferList(transfers=tuple(await _desk(api).all()))


async def make(api: Api, call: Call) -> TransferAnswer:
    """Raises ApiError: 409 when the venue says no, or coins of a position would go; 503 when nothing could be asked."""
    body: TransferBody = call.body
    if body.confirm != CONFIRM:
        raise invalid("confirm", f"the word {CONFIRM}", body.confirm[:60])
    _check_amount(body.amount)
    try:
        wish = TransferWish(
            transfer_id=body.transfer_id or call.idempotency_key or api.new_id(),
            from_wallet=body.from_wallet,
            to_wallet=body.to_wallet,
            currency=body.currency,
            currency_to=body.currency_to or body.currency,
            amount=body.amount,
            actor=call.subject,
            reason=body.reason,
        )
    except ValueError as error:
        raise own_fault(str(error)) from None
    try:
        made = await _desk(api).make(wish, lambda: _free(api, body))
    except VenueSilent as error:
        raise venue_fault(error) from None
    if made.state in (TransferState.REFUSED, TransferState.ABSENT):
        raise ApiError(409, f"nothing was moved: {made.text}", code="venue_refused")
    what = f"{plain(wish.amount)} {wish.currency} from {wish.from_wallet} to {wish.to_wallet}"
    told = f"moved: {what}" if made.state is TransferState.DONE else f"whether it was moved is not known yet: {what}"
    return TransferAnswer(transfer=made, message=told)


def _check_amount(amount: Decimal) -> None:
    if not (amount.is_finite() and 0 < amount < LARGEST):
        raise invalid("amount", "a number above zero and below 1e12", str(amount)[:40])
    if amount != round(amount, MOST_DECIMALS):
        raise invalid("amount", f"of at most {MOST_DECIMALS} decimals", plain(amount)[:40])


def _free(api: Api, body: TransferBody) -> Decimal | None:
    """What of the currency is no position's, as the account shows it; None where no position holds any. Coins that
    positions are made of stay where their stops can sell them."""
    account = api.readers.account()
    if account is None or body.from_wallet != "exchange":
        return None
    held = sum(
        (
            view.quantity - view.margin_quantity
            for view in account.positions
            if base_currency(view.symbol) == body.currency
        ),
        ZERO,
    )
    if held <= 0:
        return None
    there = sum(
        (
            wallet.balance
            for wallet in account.wallets
            if (wallet.wallet_type, wallet.currency) == ("exchange", body.currency)
        ),
        ZERO,
    )
    return max(there - held, ZERO)


TRANSFERS: Final = (
    Route(
        method="GET",
        path=PATH,
        scope=Scope.READ,
        handler=transfers,
        answer=TransferList,
        needs="transfers",
        tag="account",
        summary="Transfers between wallets that were made here, newest first; open ones are looked up in the ledger.",
        statuses=(503,),
    ),
    Route(
        method="POST",
        path=PATH,
        scope=Scope.ADMIN,
        handler=make,
        answer=TransferAnswer,
        body=TransferBody,
        needs="transfers",
        tag="account",
        summary="Move money between two wallets of the account, once, whatever happens to the answer.",
        statuses=(409, 503),
    ),
)
