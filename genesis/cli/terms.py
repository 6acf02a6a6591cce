"""What trading costs, as the options of every research command say it."""

from typing import Annotated, Any

import attrs
from cyclopts import Parameter


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Terms:
    """What trading costs beside spread and slippage."""

    maker_fee: Annotated[str | None, Parameter(help="What makers pay, as a fraction; 0.001 when not given.")] = None
    taker_fee: Annotated[str | None, Parameter(help="What takers pay, as a fraction; 0.002 when not given.")] = None
    fee_tiers: Annotated[
        bool, Parameter(negative="", help="Let fees fall with the volume of thirty days, as the venue's did.")
    ] = False
    impact: Annotated[
        str | None,
        Parameter(help="What an order as large as its minute's volume pays for its size; smaller ones by the root."),
    ] = None
    participation: Annotated[str | None, Parameter(help="The part of a tick's volume that may be ours.")] = None
    carry_a_day: Annotated[str | None, Parameter(help="Interest a day on what is held, as a fraction.")] = None
    latency_ms: Annotated[int, Parameter(help="How long an order travels.")] = 0
    worst_case: Annotated[
        bool, Parameter(negative="", help="Every minute trades at its low before its high: stops before targets.")
    ] = False

    @property
    def costs(self) -> dict[str, Any]:
        return attrs.asdict(self)
