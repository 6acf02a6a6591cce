"""What the engine is meant to reach, and which figure shows it."""

from typing import Final

import attrs


@attrs.frozen
class Goal:
    """`figure` names what is measured, or is empty: then `why_not` says why nothing is. `of_ratio`: the bound is on the
    ratio to the limit of the same run."""

    area: str
    text: str
    figure: str = ""
    at_most: float | None = None
    at_least: float | None = None
    of_ratio: bool = False
    why_not: str = ""


GOALS: Final = (
    Goal(
        "market data in", "all caches, mixed feed: at most 2.5 us CPU a message", "decode, mixed feed, all caches", 2.5
    ),
    Goal("market data in", "from the socket to the caches: at most 2.5 us", "feed, socket to caches", 2.5),
    Goal("market data in", "from the socket to the actors: at most 4 us", "feed, socket to actors", 4.0),
    Goal("market data in", "20,000 messages a second: within one core", "feed, at 20,000 messages/s", 100.0),
    Goal(
        "market data in",
        "cheaper than bitfinex-api-py on the same feed",
        "feed, bitfinex-api-py",
        at_least=1.0,
        of_ratio=True,
    ),
    Goal("market data in", "cheaper than ccxt.pro on the same feed", "feed, ccxt.pro", at_least=1.0, of_ratio=True),
    Goal(
        "market data in",
        "cheaper than cryptofeed on the same feed",
        "feed, cryptofeed, without candles",
        at_least=1.0,
        of_ratio=True,
    ),
    Goal(
        "market data in",
        "20,000 messages a second with order latency p99 within 2x of idle",
        "one loop: tick to order, beside 20,000 messages/s, p99",
        2.0,
        of_ratio=True,
    ),
    Goal("mailboxes", "64 in a batch: at most 0.3 us a message", "mailbox, 64 in a batch, a message", 0.3),
    Goal("mailboxes", "one at a time: at most 8 us", "mailbox, one at a time, there and back, a hop", 8.0),
    Goal("mailboxes", "ask and reply: at most 12 us", "mailbox, ask and reply", 12.0),
    Goal("mailboxes", "crash to next message: p50 under 100 us", "crash to next message handled, p50", 100.0),
    Goal(
        "tick to order",
        "wire to wire, without the durable intent: p50 at most twice that of five actors that do the least",
        "wire to wire: tick to order, not durable, p50",
        2.0,
        of_ratio=True,
    ),
    Goal(
        "tick to order",
        "the same without the order's question to the journal, which is the durable intent's",
        "wire to wire: tick to order, not durable, without its wait, p50",
        2.0,
        of_ratio=True,
    ),
    Goal(
        "tick to order",
        "the same on one loop with both other ends, in CPU time, which other programs do not stretch",
        "one loop: tick to order, not durable, CPU, p50",
        2.0,
        of_ratio=True,
    ),
    Goal(
        "tick to order",
        "wire to wire, at 10,000 messages/s: at most twice that of five actors at that rate",
        "wire to wire: tick to order, at 10,000 messages/s, p50",
        2.0,
        of_ratio=True,
    ),
    Goal(
        "tick to order",
        "the same without the order's question to the journal",
        "wire to wire: tick to order, at 10,000 messages/s, without its wait, p50",
        2.0,
        of_ratio=True,
    ),
    Goal(
        "tick to order",
        "the durable intent adds at most 3 ms at p50",
        "wire to wire: tick to order, added by the durable intent, p50",
        3000.0,
    ),
    Goal("tick to order", "1,000 durable intents a second", "durable intents, 64 in flight", at_least=1000.0),
    Goal("backtest", "exact: at least 300,000 bars/s", "backtest, strategy on 1m", at_least=300_000.0),
    Goal("backtest", "exact, strategy on 5m candles only", "backtest, strategy on 5m", at_least=300_000.0),
    Goal(
        "backtest", "linear in bars and in trades", "backtest, twice the bars and trades", at_least=0.9, of_ratio=True
    ),
    *(
        Goal(
            "backtest",
            f"fast runner with all guards, {bars} bars: at least half as fast as the bare compiled loop",
            f"fast runner, {bars} bars on 1m",
            at_least=0.5,
            of_ratio=True,
        )
        for bars in ("100,000", "1,000,000", "5,000,000")
    ),
    Goal(
        "backtest",
        "memory of a fast run of 5,000,000 bars: at most 0.4x vectorbt's",
        "memory of a fast run of 5,000,000 bars",
        0.4,
        of_ratio=True,
    ),
    Goal(
        "backtest",
        "sweep of 1,000 pairs over 100,000 bars: at least 100 times as fast as vectorbt in the same run",
        "sweep of 100,000 bars, one thread",
        at_least=100.0,
        of_ratio=True,
    ),
    Goal(
        "backtest",
        "fast run of 100,000 bars, whole process: at most half of backtesting.py's",
        "fast run, whole process, 100,000 bars",
        0.5,
        of_ratio=True,
    ),
    Goal(
        "backtest",
        "fast runner where there is no compiler: at least five times as fast as backtesting.py",
        "fast runner without a compiler, 100,000 bars on 1m",
        at_least=5.0,
        of_ratio=True,
    ),
    Goal("backtest", "two cores: at least 1.8x one", "sweep of 100,000 bars, two threads", at_least=1.8, of_ratio=True),
    Goal(
        "backtest",
        "first sweep, where nothing compiled is kept: at most 5 s more than the next",
        "first sweep, more than the next",
        5.0,
    ),
    Goal(
        "backtest",
        "the same on one core, in CPU time",
        "first sweep on one core, more than the next, CPU",
        5.0,
    ),
    Goal("backtest", "sweep: under 300 MiB", "memory of the sweep's process, most", 300.0),
    *(
        Goal("indicators", f"{name}: batch no slower than TA-Lib", f"{name}, batch", 1.0, of_ratio=True)
        for name in ("ema", "rsi", "atr", "adx", "macd", "bollinger")
    ),
    *(
        Goal("indicators", f"{name}: live at most 0.5 us a bar", f"{name}, live", 0.5)
        for name in ("ema", "rsi", "atr", "adx", "macd", "bollinger")
    ),
    Goal("web", "/health: at least 80 % of a bare ASGI app", "GET /health", at_least=0.8, of_ratio=True),
    Goal("web", "1,000 stream subscribers: under one core", "stream: cores of the server", 1.0),
    Goal("web", "page of use within 1 s on loopback", "page, from its address to being of use", 1.0),
    Goal("web", "GET routes at 5,000 messages/s: p99 under 20 ms", "GET routes under 5,000 messages/s, p99", 20.0),
    Goal(
        "web",
        "200 stream clients: p99 of an order within 10 % of without",
        "tick to order beside 200 listeners, p99",
        1.1,
        of_ratio=True,
    ),
    Goal(
        "web",
        "200 stream clients: p99 of an order's time of its engine's thread within 10 % of without",
        "tick to order beside 200 listeners, CPU, p99",
        1.1,
        of_ratio=True,
    ),
    Goal("web", "10,000 hostile clients: an order within 100 ms at p99", "order under siege, p99", 100.0),
    Goal("web", "10,000 hostile clients: stopped within 15 s", "siege: stop of the server", 15.0),
    Goal("memory", "engine in sim at rest: under 150 MiB", "memory of the engine at rest", 150.0),
    Goal("web", "/metrics: under 20 ms", "GET /metrics", 20.0),
    Goal("memory", "200 symbols subscribed: under 400 MiB", "memory with 200 symbols", 400.0),
    Goal("memory", "200 symbols: at most 10 MiB more in an hour", "memory with 200 symbols, growth", 10.0),
    Goal(
        "memory",
        "200 symbols: flat over months of candles (at most 1.05x of half of them)",
        "memory of 1,440 candles of each series",
        1.05,
        of_ratio=True,
    ),
    Goal("start", "under 3 s to the first trade-ready state", "start to ready", 3.0),
)
