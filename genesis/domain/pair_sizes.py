"""What the venue says of its pairs while the engine runs: sizes and margins change, pairs are renamed or delisted."""

from collections.abc import Container, Iterable

import attrs

from genesis.domain.pairs import PairSpec, PairSpecs, pair_specs
from protocols.reference import PairInfo
from protocols.units import ZERO, Symbol, plain


@attrs.frozen(kw_only=True)
class PairNews:
    """What a trader must hear of a pair: that it is gone, is there again, or takes orders of other sizes."""

    symbol: Symbol
    is_alarm: bool
    text: str


def said_by_venue(
    infos: Iterable[PairInfo],
    known: PairSpecs,
    symbols: Iterable[Symbol],
    guessed: frozenset[Symbol] = frozenset(),
    unclear: Container[str] = (),
) -> tuple[dict[Symbol, PairSpec], tuple[PairNews, ...]]:
    """The specs of `symbols` by the venue's word, the others of `known` as they are, and what is news.

    A pair that the venue does not list keeps its least size and gets a largest of 0: nothing is opened in it, and what
    is held can be sold as long as the venue takes the order. Sizes that no pair can have change nothing, nor do rows
    that cannot be (`unclear`, by symbol; "" may be of any). Of `guessed` pairs the venue was never heard, so that their
    first sizes are no news.
    """
    told = {info.symbol: info for info in infos}
    specs, news = dict(known), []
    for symbol in symbols:
        before = known.get(symbol) or pair_specs((symbol,))[symbol]
        info = told.get(symbol)
        is_unclear = info is None and (symbol in unclear or "" in unclear)
        after = before if is_unclear else _spec(before, info)
        specs[symbol] = after
        if (after.minimum, after.maximum) != (before.minimum, before.maximum):
            if not after.is_listed or not before.is_listed or symbol not in guessed:
                news.append(_news(before, after))
    return specs, tuple(news)


def _spec(before: PairSpec, info: PairInfo | None) -> PairSpec:
    if info is None:
        return attrs.evolve(before, maximum=ZERO)
    if not ZERO < info.minimum_size <= info.maximum_size:
        return before
    return attrs.evolve(
        before,
        minimum=info.minimum_size,
        maximum=info.maximum_size,
        initial_margin=info.initial_margin,
        minimum_margin=info.minimum_margin,
    )


def _news(before: PairSpec, after: PairSpec) -> PairNews:
    if not after.is_listed:
        text = "the venue does not list this pair (renamed or delisted): nothing is opened in it, exits are still sent"
        return PairNews(symbol=after.symbol, is_alarm=True, text=f"{after.symbol}: {text}")
    sizes = f"{plain(after.minimum)} to {plain(after.maximum)} {after.base}"
    was = f"{plain(before.minimum)} to {plain(before.maximum)}" if before.is_listed else "not listed"
    return PairNews(
        symbol=after.symbol, is_alarm=False, text=f"{after.symbol}: the venue takes orders of {sizes} now, was {was}"
    )
