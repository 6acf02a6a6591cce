"""The market's pool, budget and sourced prices, in the words that the web speaks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from genesis.core.latest import Latest
from genesis.domain.pairs import is_perpetual
from genesis.market_data import MarketData, NoMarketData
from genesis.market_figures import MarketFigures
from protocols.bitfinex.subscriptions import Subscription
from protocols.health import ConnectionView
from protocols.settings import Settings
from protocols.units import Symbol
from web.market_ports import MarketPorts, MarketSilent, PoolSocket, Priced, Symbols


def market_ports(
    data: MarketData,
    *,
    shares: Sequence[Latest[tuple[Subscription, ...]]],
    connections: Mapping[str, Latest[ConnectionView]],
    settings: Latest[Settings],
    budget: Callable[[float], Mapping[str, Any]],
) -> MarketPorts:
    """`connections` holds the view of each socket in the order of `shares`."""

    def pool() -> tuple[PoolSocket, ...]:
        limit = settings.value.connection.channels_per_socket
        return tuple(
            PoolSocket(
                name=name,
                status=view.value.status,
                room=limit - len(share.value),
                reconnects=view.value.reconnects,
                last_error=view.value.last_error,
                streams=tuple(stream.name for stream in share.value),
            )
            for (name, view), share in zip(connections.items(), shares, strict=True)
        )

    async def fresh(symbol: str, timeframe: str | None, limit: int, force: bool) -> Priced:
        try:
            if symbol.startswith("f"):
                funding = await data.get_funding(symbol, force_fresh=force)
                return Priced(source=funding.source, age_s=funding.age_s, funding=funding.value)
            if timeframe is None and is_perpetual(symbol):
                status = await data.get_status(symbol, force_fresh=force)
                return Priced(source=status.source, age_s=status.age_s, contract=status.value)
            if timeframe is None:
                ticker = await data.get_ticker(Symbol(symbol), force_fresh=force)
                return Priced(source=ticker.source, age_s=ticker.age_s, ticker=ticker.value)
            candles = await data.get_candles(Symbol(symbol), timeframe, limit=limit, force_fresh=force)
        except NoMarketData as error:
            raise MarketSilent(str(error)) from None
        return Priced(source=candles.source, age_s=candles.age_s, candles=candles.value)

    async def symbols() -> Symbols:
        try:
            return Symbols(symbols=(await data.symbols()).value, currencies=(await data.currencies()).value)
        except NoMarketData as error:
            raise MarketSilent(str(error)) from None

    return MarketPorts(
        pool=pool,
        budget=lambda: budget(data.door.clock.now()),
        fresh=fresh,
        symbols=symbols,
        figures=MarketFigures(door=data.door, clock=data.clock),
    )
