"""The file that `genesis strategies new` writes: a whole strategy that trades, with a comment at every choice."""

from typing import Final


def class_name(name: str) -> str:
    """`rsi_dip` becomes `RsiDip`."""
    return "".join(word.capitalize() for word in name.split("_"))


TEMPLATE: Final = '''"""KIND_NAME: buys a dip of the RSI, surer while the hour rises, and sells when it has recovered.

Change anything. The engine reads the file again when you save it; what is wrong is told with its line, and only this
strategy is off meanwhile. Try it with `genesis backtest`, on any recording, before it trades.
"""

from genesis.strategy_kit import Bar, Indicator, Number, Signal, Strategy, Whole, buy, hold, sell


class CLASS_NAME(Strategy):
    """Buys dips of the RSI and sells when it has recovered."""

    # What settings may choose, with its default and its range. Whole(...) is a whole number, Number(...) any.
    parameters = (
        Whole("period", 14, 2, 200, "candles of the RSI"),
        Number("dip", 30, 1, 50, "RSI below which it buys"),
        Number("recovered", 55, 50, 99, "RSI above which it sells"),
    )

    # The indicators it looks at, by names of its own. A parameter is a number or the name of one of the above. With a
    # time frame it is made of longer candles, and moves only when one of them is over. docs/strategies.md names them
    # all. One called "atr" is also used for sizes and stops by volatility.
    indicators = {
        "rsi": Indicator("rsi", period="period"),
        "trend": Indicator("ema", timeframe="1h", period=20),
        "atr": Indicator("atr", period=14),
    }

    # All it may remember from candle to candle: named numbers. They are kept over restarts.
    memory = {"inside": 0.0}

    def on_candle(self, bar: Bar, memory: dict[str, float]) -> Signal | None:
        # Called once per closed candle, when every indicator is known. It must be a function of `bar` and `memory`
        # alone: no clock, no chance, no files. Then a backtest decides exactly what the engine would.
        rsi = bar["rsi"]
        if memory["inside"] == 0.0 and rsi < bar.parameters["dip"]:
            memory["inside"] = 1.0
            rising = bar.close > bar["trend"]
            return buy(f"RSI {rsi:.1f} is a dip", confidence=0.9 if rising else 0.5, rsi=rsi, trend=bar["trend"])
        if memory["inside"] == 1.0 and rsi > bar.parameters["recovered"]:
            memory["inside"] = 0.0
            return sell(f"RSI {rsi:.1f} has recovered", rsi=rsi)
        return hold(f"RSI is {rsi:.1f}", rsi=rsi)

    # The two below are asked only when they are there: take the marks away to use them (and import Fill and Tick).
    #
    # def on_tick(self, tick: Tick, memory: dict[str, float]) -> Signal | None:
    #     # Called after trades between two candles. tick.price is the newest one; tick.high, tick.low, tick.volume and
    #     # tick.trades are of all since the last call, for several become one while you think. tick["rsi"] is as the
    #     # last closed candle left it. A backtest on candles knows four trades a minute: open, low, high and close.
    #     if memory["inside"] == 1.0 and tick.price < tick["trend"] - 3 * tick["atr"]:
    #         memory["inside"] = 0.0
    #         return sell("far below the trend", price=tick.price)
    #     return None
    #
    # def on_fill(self, fill: Fill, memory: dict[str, float]) -> Signal | None:
    #     # Called after an order of this strategy traded, with the next trade or candle of the pair. fill.reason is
    #     # entry, exit, stop, target, flatten or manual; there are fill.side, price, amount, fee and fee_currency.
    #     if fill.reason in ("stop", "target"):
    #         memory["inside"] = 0.0
    #     return None
'''
