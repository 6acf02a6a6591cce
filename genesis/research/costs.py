"""What trading costs beside the price: as somebody asks for it, as the venue's matching takes it, and made worse."""

from decimal import Decimal
from typing import Final

import attrs
import msgspec

from genesis.domain.matching import VENUE_TIERS, FeeTier, FillModel
from genesis.domain.venue_state import Account
from protocols.units import ZERO, plain

LARGEST_FRACTION: Final = Decimal("0.1")


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What trading costs. Fractions of the price, or of what was received for fees; `participation` of a tick's volume.

    `maker_fee` and `taker_fee` are the venue's usual 0.1 and 0.2 % when not given; `fee_tiers` lets them fall with the
    volume of thirty days instead. `impact` is what an order as large as its minute's volume pays for its size,
    `carry_a_day` the interest on what is held, `worst_case` lets every minute trade at its low before its high.
    """

    half_spread: Decimal = FillModel().half_spread
    slippage: Decimal = FillModel().slippage
    latency_ms: int = 0
    participation: Decimal | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    fee_tiers: bool = False
    impact: Decimal = ZERO
    carry_a_day: Decimal = ZERO
    worst_case: bool = False

    def model(self) -> FillModel:
        """Raises ValueError on a number that no market has."""
        for name in ("half_spread", "slippage", "maker_fee", "taker_fee", "impact", "carry_a_day"):
            number: Decimal | None = getattr(self, name)
            if number is not None and not (number.is_finite() and 0 <= number <= LARGEST_FRACTION):
                raise ValueError(f"costs.{name} must be from 0 to {LARGEST_FRACTION}, was {number}")
        if not 0 <= self.latency_ms <= 60_000:
            raise ValueError(f"costs.latency_ms must be from 0 to 60000, was {self.latency_ms}")
        part = self.participation
        if part is not None and not (part.is_finite() and 0 < part <= 1):
            raise ValueError(f"costs.participation must be above 0 and at most 1, was {part}")
        own = self.maker_fee is not None or self.taker_fee is not None
        if own and self.fee_tiers:
            raise ValueError("costs.fee_tiers and a fee of one's own must not be given together, were")
        model = FillModel(
            half_spread=self.half_spread,
            slippage=self.slippage,
            latency_ms=self.latency_ms,
            participation=part,
            fee_tiers=VENUE_TIERS if self.fee_tiers else (),
            low_first=self.worst_case,
            impact=self.impact,
            carry_a_day=self.carry_a_day,
        )
        if own:
            taker, maker = flat_fees(model)
            model = with_fees(
                model,
                maker if self.maker_fee is None else self.maker_fee,
                taker if self.taker_fee is None else self.taker_fee,
            )
        return model

    def words(self) -> str:
        """What a run assumed, for who reads its figures: fees, spread and slippage always, the rest where it is not
        nothing. Raises ValueError as `model` does."""
        taker, maker = flat_fees(self.model())
        said = [
            "fees by the volume of thirty days"
            if self.fee_tiers
            else f"fees {_share(maker)} maker, {_share(taker)} taker",
            f"half spread {_share(self.half_spread)}",
            f"slippage {_share(self.slippage)}",
            f"latency {self.latency_ms} ms",
        ]
        if self.participation is not None:
            said.append(f"at most {_share(self.participation)} of a tick's volume")
        if self.impact:
            said.append(f"impact {_share(self.impact)}")
        if self.carry_a_day:
            said.append(f"interest {_share(self.carry_a_day)} a day")
        if self.worst_case:
            said.append("every minute at its low first")
        return "; ".join(said)


def _share(fraction: Decimal) -> str:
    return f"{plain(fraction * 100)} %"


def flat_fees(model: FillModel) -> tuple[Decimal, Decimal]:
    """(taker's, maker's) before any volume."""
    if model.fee_tiers:
        return model.fee_tiers[0].taker, model.fee_tiers[0].maker
    account = Account(name="", user_id=0)
    return account.taker_fee, account.maker_fee


def with_fees(model: FillModel, maker: Decimal, taker: Decimal) -> FillModel:
    """The same market with these fees whatever is traded."""
    return attrs.evolve(model, fee_tiers=(FeeTier(volume=ZERO, maker=maker, taker=taker),))


def worsened(
    model: FillModel,
    *,
    fees: Decimal = Decimal(1),
    slippage: Decimal = Decimal(1),
    carry: Decimal = Decimal(1),
    latency_ms: int = 0,
) -> FillModel:
    """The same market with fees, spread with slippage and impact, and interest so many times as large, and with more
    latency."""
    if fees != 1:
        taker, maker = flat_fees(model)
        tiers = model.fee_tiers or (FeeTier(volume=ZERO, maker=maker, taker=taker),)
        model = attrs.evolve(
            model, fee_tiers=tuple(attrs.evolve(one, maker=one.maker * fees, taker=one.taker * fees) for one in tiers)
        )
    return attrs.evolve(
        model,
        half_spread=model.half_spread * slippage,
        slippage=model.slippage * slippage,
        impact=model.impact * slippage,
        carry_a_day=model.carry_a_day * carry,
        latency_ms=model.latency_ms + latency_ms,
    )
