"""The page in a real browser: what a trader does on it works, without an error and without a request to elsewhere."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import attrs
import msgspec
import pytest
import trio

from protocols.market import Freshness
from protocols.orders import Adopt
from protocols.risk import TradingState
from protocols.trading import FlattenView
from protocols.units import Symbol
from tests.web.browser import (
    PATIENCE_MS,
    Watched,
    a_browser,
    a_tab,
    expect,
    expect_toast,
    expect_width,
    sync_api,
    until,
    watch,
)
from tests.web.fakes import a_config, a_lot
from tests.web.screens import keep
from tools.web_demo import Demo, serve
from web.controls import Controls
from web.models import EngineStatus
from web.readers import Readers
from web.site import Site
from web.tokens import Tokens

# One that waits in vain must be able to say for what, and pictures and a busy machine need their time besides.
PATIENCE_S = 5 * PATIENCE_MS / 1000
pytestmark = [pytest.mark.browser, pytest.mark.timeout(PATIENCE_S + 60)]


@attrs.frozen
class Stage:
    demo: Demo
    site: Site
    tokens: Tokens

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.site.port}"

    def link(self) -> str:
        return f"{self.base}/?ticket={self.tokens.ticket().text}"


@asynccontextmanager
async def on_stage(*, dev: bool = False, demo: Demo | None = None) -> AsyncIterator[Stage]:
    demo = Demo() if demo is None else demo
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            site, tokens = await nursery.start(partial(serve, demo, minute_s=0.3, dev=dev))
            yield Stage(demo, site, tokens)
            nursery.cancel_scope.cancel()


@contextmanager
def a_page(
    stage: Stage, *, width: int = 1440, height: int = 900, theme: str = "dark", locale: str = "en-US"
) -> "Iterator[tuple[sync_api.Page, Watched]]":
    """A fresh browser with a page of the stage's, which did nothing that it must not do."""
    with a_browser() as browser:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, locale=locale)
        page = a_tab(context)
        seen = watch(page, stage.base)
        yield page, seen
    assert seen.errors == []
    assert seen.elsewhere == []


async def in_thread(scenario: Callable[[Stage], None], stage: Stage) -> None:
    await trio.to_thread.run_sync(scenario, stage)


def told(stage: Stage) -> tuple[bool, TradingState]:
    """What the engine was told: paused or not, and the latch."""
    return stage.demo.paused, stage.demo.state


async def test_money_that_moved_is_no_profit_and_no_fall_on_the_equity_card() -> None:
    """A withdrawal of a tenth stood there as ten per cent lost, beside figures that knew better."""

    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(stage.link())
            fall, gain, none = page.evaluate(
                """async () => {
                  const { drawdown, gained } = await import("/static/js/equity.js");
                  const points = [[10000, 0], [9900, 0], [8910, -1000], [8991, -1000], [13500, 3500]];
                  const told = points.map(([equity, flows]) => ({ at_ms: 0, equity, flows }));
                  const wallet = { equity: "13510.5", flows: "3500" };
                  return [drawdown(told), gained(told, wallet), gained([], wallet)];
                }"""
            )
            assert fall == pytest.approx(0.01)
            assert (gain, none) == (10.5, 0)

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_what_the_engine_says_is_read_in_swedish_and_what_others_said_stays() -> None:
    def scenario(stage: Stage) -> None:
        texts = {
            "the order is worth 7000.5, at most 5000 is allowed": "ordern är värd 7000.5, högst 5000 tillåts",
            "trading is HALTED: I went to bed": "handeln är STOPPAD: I went to bed",
            "tBTCUSD 1m: trend up became range: went nowhere: -0.6 deviations, ADX 15, ranges 0.9 times the usual": (
                "tBTCUSD 1m: uppåttrend blev sidledes: gick ingenstans: -0.6 avvikelser, ADX 15, "
                "rörelser 0.9 gånger de vanliga"
            ),
            "e (weight 2) votes -1.00: RSI 14 is not known yet": "e (vikt 2) röstar -1.00: RSI 14 är inte känt ännu",
            "my own strategy's words (1)": "my own strategy's words (1)",
        }
        for locale, wanted in (("sv-SE", list(texts.values())), ("en-US", list(texts))):
            with a_page(stage, locale=locale) as (page, _):
                page.goto(stage.link())
                said = page.evaluate(
                    """async (texts) => {
                      const { spoken } = await import("/static/js/reasons.js");
                      return texts.map(spoken);
                    }""",
                    list(texts),
                )
                assert said == wanted

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_paper_has_dark_words_on_white_and_nothing_to_press() -> None:
    """A browser leaves backgrounds out: the dark page was light grey on white, with the switches of trading on it."""

    def scenario(stage: Stage) -> None:
        with a_page(stage, theme="dark") as (page, _):
            page.goto(stage.link())
            root, halt = page.locator("html"), page.locator(".controls").get_by_role("button", name="Halt")
            expect(halt).to_be_visible()
            page.emulate_media(media="print")
            expect(root).to_have_attribute("data-theme", "light")
            expect(halt).to_be_hidden()
            expect(page.get_by_role("navigation")).to_be_hidden()
            expect(page.locator("main")).to_be_visible()
            page.emulate_media(media="screen")
            expect(root).to_have_attribute("data-theme", "dark")
            expect(halt).to_be_visible()

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_the_deepest_fall_is_one_number_on_a_page() -> None:
    """Two parts of the overview asked for it by themselves: for seconds after a fall they differed."""

    def scenario(stage: Stage) -> None:
        asked = 0

        def deeper(route: "sync_api.Route") -> None:
            nonlocal asked
            asked += 1
            fall = 0.1 * asked
            answer = route.fetch()
            route.fulfill(response=answer, json=answer.json() | {"max_drawdown": fall})

        with a_page(stage) as (page, _):
            page.route("**/api/v2/profit", deeper)
            page.goto(stage.link())
            expect(page.locator(".equity-plot canvas")).to_be_visible()
            expect(page.locator(".tile", has_text="Max drawdown").locator("b")).to_have_text(re.compile(r"[1-9].*\s%"))
            expect(page.locator("section[aria-labelledby=equity] dl div", has_text="Max drawdown")).to_be_visible()
            [tile, card] = page.evaluate(
                """() => [".tile", "section[aria-labelledby=equity] dl div"].map((list) =>
                    [...document.querySelectorAll(list)].find((one) => one.innerText.includes("Max drawdown"))
                        .querySelector("b, dd").innerText)"""
            )
            assert tile == card

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_hundreds_of_markets_are_chosen_from_a_list_and_the_streams_nearest_to_their_limit_are_shown() -> None:
    """A row of 500 buttons hid what was behind its end, and 2,000 streams were drawn anew with every word."""

    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(stage.link())
            chart = page.locator("section[aria-labelledby=chart]")
            # Before the page has heard of a market there is a row of no buttons under that name.
            chart.get_by_role("combobox", name="Symbol").select_option("tWJYUSD")
            expect(page.locator("#chart")).to_have_text("WJY/USD")
            expect(chart.get_by_role("button", name="5m", exact=True)).to_be_in_viewport()
            streams = page.locator("section[aria-labelledby=freshness]")
            expect(streams.locator("tbody tr")).to_have_count(60)
            expect(streams.locator(".count")).to_have_text("60 of 400")
            expect(streams.locator("tbody tr").first).to_contain_text("QCU/USD")

    async with on_stage(demo=ManyMarkets()) as stage:
        await in_thread(scenario, stage)


async def test_a_trader_reads_the_page_and_uses_its_controls() -> None:
    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(stage.link())
            expect(page.locator("#trades + *")).to_be_attached()
            expect(page.locator("section[aria-labelledby=trades] tbody tr").first).to_be_visible()
            expect(page).not_to_have_url(re.compile("ticket"))
            for panel in ("trades", "freshness", "positions"):
                expect(page.locator(f"section[aria-labelledby={panel}] tbody tr").first).to_be_visible()
            expect(page.locator("section[aria-labelledby=decisions] li").first).to_be_visible()
            expect(page.locator(".pill", has_text="Live")).to_be_visible()
            expect(page.locator(".plot canvas").first).to_be_visible()
            expect(page.locator(".equity-plot canvas")).to_be_visible()
            keep(page, "overview", full_page=True)

            page.locator(".chart").get_by_role("button", name="ETH/USD").click()
            expect(page.locator("#chart")).to_have_text("ETH/USD")
            page.get_by_role("button", name="5m", exact=True).click()

            denial = page.locator("section[aria-labelledby=decisions] button.line").first
            denial.click()
            expect(page.locator(".trace li").first).to_be_visible()

            page.get_by_role("button", name="Pause").click()
            page.get_by_role("button", name="Go back").click()
            assert told(stage) == (False, TradingState.ACTIVE)
            page.get_by_role("button", name="Pause").click()
            page.locator("dialog").get_by_role("button", name="Pause").click()
            expect(page.locator(".pill", has_text="PAUSED")).to_be_visible()
            assert told(stage) == (True, TradingState.ACTIVE)

            page.get_by_role("button", name="Halt").click()
            page.locator("dialog").get_by_role("button", name="Halt").click()
            expect(page.locator(".pill", has_text="HALTED")).to_be_visible()
            assert told(stage) == (True, TradingState.HALTED)
            page.get_by_role("button", name="Release").click()
            page.locator("dialog").get_by_role("button", name="Release").click()

            page.get_by_role("button", name="Flatten").click()
            sell = page.locator("dialog").get_by_role("button", name="Flatten")
            expect(sell).to_be_disabled()
            keep(page, "question")
            page.get_by_label("Write flatten to confirm").fill("flatten")
            sell.click()
            expect_toast(page, "good")
            expect(page.get_by_text("No open positions")).to_be_visible()
            expect(page.locator(".banner.closing.good")).to_contain_text("Closed: everything")

            page.reload()
            expect(page.locator("section[aria-labelledby=trades] tbody tr").first).to_be_visible()
            keep(page, "after", full_page=True)

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_a_question_that_follows_at_once_upon_another_stays() -> None:
    """The browser tells of the first one's end in a task of its own: on a busy machine after the second was asked."""

    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(stage.link())
            page.get_by_role("button", name="Pause").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            page.evaluate(
                """() => {
                    const [dialog, all] = [document.querySelector("dialog"), [...document.querySelectorAll("button")]];
                    const named = (text) => all.find((one) => one.textContent.trim() === text);
                    const later = (done) => dialog.addEventListener("close", () => setTimeout(done, 100));
                    window.closed = new Promise(later);
                    const pause = all.find((one) => one.textContent.trim() === "Pause" && !dialog.contains(one));
                    named("Go back").click();
                    pause.click();
                }"""
            )
            page.evaluate("window.closed")
            expect(page.get_by_role("dialog")).to_be_visible()
            assert page.get_by_role("dialog").evaluate("one => one.open")

    async with on_stage() as stage:
        await in_thread(scenario, stage)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (820, 1180), (1440, 900), (2560, 1440)])
async def test_it_fits_every_width_in_both_languages_and_themes(width: int, height: int) -> None:
    def scenario(stage: Stage) -> None:
        theme, locale = ("light", "sv-SE") if width in (390, 1440) else ("dark", "en-US")
        with a_page(stage, width=width, height=height, theme=theme, locale=locale) as (page, _):
            page.goto(stage.link())
            expect(page.locator("section[aria-labelledby=trades] tbody tr").first).to_be_visible()
            heading = "Avslut" if locale == "sv-SE" else "Trades"
            expect(page.locator("#trades")).to_have_text(heading)
            expect_width(page, width)
            expect(page.locator("html")).to_have_attribute("data-theme", theme)
            page.keyboard.press("t")
            page.keyboard.press("l")
            expect(page.locator("#trades")).to_have_text("Trades" if heading == "Avslut" else "Avslut")
            expect(page.locator("html")).to_have_attribute("data-theme", "dark" if theme == "light" else "light")
            keep(page, f"overview-{width}")

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_a_no_of_risk_that_passes_by_itself_is_asked_after_again() -> None:
    """A candle was late when somebody typed: the ticket went on saying no to what would have been taken."""
    approved = False

    def answer(route: sync_api.Route) -> None:
        reasons = [] if approved else ["a candle is late"]
        route.fulfill(json={"approved": approved, "reasons": reasons, "advice": [], "takes": [], "verdict": None})

    def scenario(stage: Stage) -> None:
        nonlocal approved
        with a_page(stage) as (page, _):
            page.route("**/api/v2/risk/unified/evaluate", answer)
            # The demo keeps none of these.
            page.route("**/api/v2/order/templates", lambda route: route.fulfill(json={"templates": []}))
            page.goto(f"{stage.link()}#/orders")
            page.get_by_role("form", name="Order").get_by_label("Quantity").fill("0.01")
            expect(page.locator(".verdict")).to_contain_text("risk would say no")
            approved = True
            expect(page.locator(".verdict")).to_contain_text("risk would say yes")

    async with on_stage() as stage:
        await in_thread(scenario, stage)


class ManyMarkets(Demo):
    """Two hundred symbols, each with two streams, of which one is old."""

    names = tuple(Symbol(f"t{a}{b}{c}USD") for a in "QW" for b in "ABCDEFGHIJ" for c in "PQRSTUVWXY")

    def freshness(self) -> tuple[Freshness, ...]:
        return tuple(
            Freshness(
                stream=stream,
                symbol=Symbol(symbol),
                timeframe="",
                age_ms=29_000 if (stream, symbol) == ("trades", "tQCUUSD") else number,
                limit_ms=30_000,
                stale=False,
            )
            for stream in ("ticker", "trades")
            for number, symbol in enumerate(self.names)
        )

    def status(self) -> EngineStatus:
        return msgspec.structs.replace(super().status(), symbols=(*super().status().symbols, *self.names))


class LeftBehind(Demo):
    """A strategy that does not run holds something, and two people's wishes about it are kept."""

    def readers(self) -> Readers:
        lots = a_lot("tBTCUSD", "gone"), a_lot("tETHUSD", "manual")
        return attrs.evolve(super().readers(), brackets=lambda: lots, config=a_config)

    def controls(self) -> Controls:
        return attrs.evolve(super().controls(), adopt=self.on_adopt)

    async def on_adopt(self, wish: Adopt) -> None:
        self.adopted = wish


async def test_what_a_strategy_left_behind_is_given_to_a_person() -> None:
    demo = LeftBehind()

    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(stage.link())
            expect(page.locator("section[aria-labelledby=positions] tbody tr").first).to_be_visible()
            page.goto(f"{stage.base}/#/strategies")
            rows = page.locator("section[aria-labelledby=leftovers] tbody tr")
            expect(rows).to_have_count(1)
            expect(rows.first).to_contain_text("gone")
            rows.first.get_by_role("button", name="Give").click()
            page.get_by_role("dialog").get_by_role("button", name="Give").click()
            expect_toast(page, "good")

    async with on_stage(demo=demo) as stage:
        await in_thread(scenario, stage)
    assert (demo.adopted.owner, demo.adopted.heir, demo.adopted.symbol) == ("gone", "manual", "tBTCUSD")


async def test_what_came_of_a_close_is_told_until_it_is_over() -> None:
    """The button said "closing", and never whether all was closed, what was left, or that nobody closes it any more."""
    base = {
        "accepted": True, "message": "closing", "verified": False, "open_orders": 0, "held": {}, "opened_since": {},
        "under_way": True, "given_up": [], "waited_s": 0.1,
    }  # fmt: skip
    says: dict[str, object] | None = {}

    def answer(route: "sync_api.Route") -> None:
        name = route.request.url.rpartition("/")[2].partition("?")[0]
        if says is None:
            route.fulfill(status=404, json={"error": {"code": "unknown_flatten", "message": f"no wish {name}"}})
        else:
            route.fulfill(json=base | {"correlation_id": name} | says)

    def scenario(stage: Stage) -> None:
        nonlocal says
        with a_page(stage) as (page, seen):
            page.route("**/api/v2/risk/unified/flatten/*", answer)
            page.goto(stage.link())
            banners = page.locator(".banner.closing")

            def close() -> None:
                page.locator(".controls").get_by_role("button", name="Flatten").click()
                page.get_by_label("Write flatten to confirm").fill("flatten")
                page.locator("dialog").get_by_role("button", name="Flatten").click()

            close()
            expect(banners).to_contain_text("Open orders: 0 · Still held: nothing")
            says = {"open_orders": 2, "held": {"tBTCUSD": "0.5"}}
            expect(banners).to_contain_text("Open orders: 2 · Still held: 0.5 BTC/USD")
            over: dict[str, object] = {"verified": True, "under_way": False}
            says = over
            expect(banners).to_contain_text("Closed: everything")
            banners.get_by_role("button", name="Hide").click()
            expect(banners).to_have_count(0)

            says = {**over, "opened_since": {"tBTCUSD": "0.5", "tETHUSD": "0"}}
            close()
            expect(banners).to_contain_text("has opened since then: 0.5 BTC/USD, an order in ETH/USD")

            says = {"under_way": False, "given_up": ["tBTCUSD"], "held": {"tBTCUSD": "0.5"}}
            close()
            expect(banners).to_contain_text("Not closed, given up after three tries: BTC/USD")
            expect(banners).to_have_count(1)

            # Loaded anew, that is no longer under way and would be told by nobody; hidden, it stays hidden.
            page.reload()
            expect(banners).to_contain_text("Not closed, given up after three tries: BTC/USD")
            banners.get_by_role("button", name="Hide").click()
            expect(banners).to_have_count(0)
            page.reload()
            expect(page.locator("section[aria-labelledby=trades] tbody tr").first).to_be_visible()
            expect(banners).to_have_count(0)

            says = None
            close()
            expect(banners).to_contain_text("Nobody can tell what came of closing everything")
            # The order actor stood still, and hears of it now.
            says = over
            expect(banners).to_contain_text("Closed: everything")
            until(page, lambda: bool(seen.errors))
            assert all("404" in each for each in seen.errors), seen.errors
            seen.errors.clear()

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_a_close_that_anybody_began_is_told_on_a_page_that_is_opened_meanwhile() -> None:
    """Begun on the phone, by a command, or here before the page was loaded anew: it was told nowhere."""
    demo = Demo()
    under_way = FlattenView(
        flatten_id="api:elsewhere", symbol=Symbol("tBTCUSD"), left=(Symbol("tBTCUSD"),), given_up=(), last_cid=1_000_000
    )
    done = msgspec.structs.replace(under_way, flatten_id="api:older", left=())

    def scenario(stage: Stage) -> None:
        demo.flattens = (done, under_way)
        with a_page(stage) as (page, seen):
            page.set_viewport_size({"width": 390, "height": 844})
            page.goto(stage.link())
            banners = page.locator(".banner.closing")
            expect(banners).to_have_count(1)
            expect(banners).to_contain_text("Closing BTC/USD …Open orders: ")
            # However far down the page a close was pressed.
            page.locator("section[aria-labelledby=notices]").scroll_into_view_if_needed()
            expect(banners).to_be_in_viewport()
            demo.flattens = (done, msgspec.structs.replace(under_way, left=(), given_up=(Symbol("tBTCUSD"),)))
            expect(banners).to_contain_text("Not closed, given up after three tries: BTC/USD")

            # Another close does not hide what was not closed: only one of the same does.
            page.locator(".controls").get_by_role("button", name="Flatten").scroll_into_view_if_needed()
            page.evaluate("scrollTo(0, 0)")
            page.get_by_role("button", name="Close ETH/USD").click()
            page.locator("dialog").get_by_role("button", name="Close").click()
            expect(banners).to_have_count(2)
            expect(banners.first).to_contain_text("given up after three tries: BTC/USD")
            page.get_by_role("button", name="Close BTC/USD").click()
            page.locator("dialog").get_by_role("button", name="Close").click()
            expect(banners.filter(has_text="given up")).to_have_count(0)
            assert not seen.errors

    async with on_stage(demo=demo) as stage:
        await in_thread(scenario, stage)


async def test_a_close_whose_answer_was_lost_is_looked_for() -> None:
    """The engine had it and closed; the page said that the engine does not answer, and no more."""
    demo = Demo()
    under_way = FlattenView(
        flatten_id="api:lost", symbol=Symbol("tBTCUSD"), left=(Symbol("tBTCUSD"),), given_up=(), last_cid=1_000_000
    )

    def lose(route: "sync_api.Route") -> None:
        demo.flattens = (under_way,)
        route.abort()

    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, seen):
            page.goto(stage.link())
            page.route("**/api/v2/positions/*/close", lose)
            page.get_by_role("button", name="Close BTC/USD").click()
            page.locator("dialog").get_by_role("button", name="Close").click()
            expect_toast(page, "bad", "does not answer")
            expect(page.locator(".banner.closing")).to_contain_text("Closing BTC/USD")
            seen.complained("ERR_FAILED")

    async with on_stage(demo=demo) as stage:
        await in_thread(scenario, stage)


async def test_a_line_of_the_account_that_is_away_is_told_beside_what_the_page_shows_of_it() -> None:
    demo = Demo()

    def scenario(stage: Stage) -> None:
        with a_page(stage, locale="sv-SE") as (page, _):
            page.goto(stage.link())
            expect(page.locator(".pill", has_text="Ansluten")).to_be_visible()
            told = page.locator(".banner.account")
            for status, text in (("waiting 3.0 s", "går över REST"), ("maintenance", "Börsen underhålls")):
                demo.lines["private"] = status
                expect(told).to_contain_text(text)
            demo.lines.clear()
            expect(told).to_have_count(0)

    async with on_stage(demo=demo) as stage:
        await in_thread(scenario, stage)


FRAMES = """() => {
  window.apart = [];
  const look = () => {
    const told = Boolean(document.querySelector(".banner.bad"));
    if (told !== document.body.classList.contains("old")) apart.push(told ? "told, not grey" : "grey, not told");
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
"""Notes each frame in which a lost line is told beside data that look new, or the other way round."""


async def test_loss_of_the_stream_is_seen_at_once_and_mended_by_itself() -> None:
    held = trio.Event()

    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, watched):
            page.goto(stage.link())
            expect(page.locator(".pill", has_text="Live")).to_be_visible()
            page.evaluate(FRAMES)
            trio.from_thread.run_sync(stage.demo.stopping.set)
            lost = page.get_by_role("alert").filter(has_text="Connection lost")
            expect(lost).to_be_visible()
            expect(page.locator("body")).to_have_class(re.compile(r"\bold\b"))
            expect(page.locator(".pills")).to_contain_text("Old data")
            for part in (".tiles-row", ".worth", ".pills > :first-child"):
                expect(page.locator(part)).to_have_css("filter", "grayscale(1)")
            keep(page, "lost")
            trio.from_thread.run_sync(held.set)
            expect(page.get_by_role("alert")).to_have_count(0)
            expect(page.locator(".pill", has_text="Live")).to_be_visible()
            expect(page.locator("body")).not_to_have_class(re.compile(r"\bold\b"))
            assert page.evaluate("apart") == []
            # The browser itself reports a dial and a question that were not answered; nothing else may be wrong.
            watched.errors[:] = [text for text in watched.errors if "WebSocket" not in text and "net::ERR_" not in text]

    async with on_stage(demo=Demo(held_down=held)) as stage:
        await in_thread(scenario, stage)


async def test_without_a_token_the_page_asks_for_one_and_shows_nothing() -> None:
    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, watched):
            page.goto(f"{stage.base}/?ticket=spent-long-ago")
            expect(page.get_by_role("alert")).to_contain_text("ticket")
            expect(page.locator("table")).to_have_count(0)
            # It was once a strip of 20 pixels, in which everything could be clicked by a test and nothing be read.
            page.wait_for_function("() => document.querySelector('.signin form').getBoundingClientRect().width > 300")
            keep(page, "sign-in")
            page.get_by_label("Token or secret").fill("wrong")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("alert")).to_contain_text("must be the bootstrap secret")
            page.get_by_label("Token or secret").fill(stage.tokens.keyring.bootstrap_secret)
            page.get_by_role("button", name="Sign in").click()
            expect(page.locator("section[aria-labelledby=trades] tbody tr").first).to_be_visible()
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_label("Token or secret")).to_be_visible()
            # A refusal is in the browser's console as well; it is what this test is about.
            watched.errors[:] = [text for text in watched.errors if "401" not in text]

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_a_second_tab_is_signed_in_by_the_first_and_signing_out_holds_for_both() -> None:
    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, watched):
            page.goto(stage.link())
            expect(page.locator(".pill", has_text="Live")).to_be_visible()
            second = a_tab(page.context)
            second.goto(stage.base)
            expect(second.locator(".pill", has_text="Live")).to_be_visible()
            tokens = [one.evaluate("JSON.parse(sessionStorage['genesis.session']).token") for one in (page, second)]
            assert tokens[0] != tokens[1]
            assert page.evaluate("localStorage['genesis.session']") is None
            second.get_by_role("button", name="Sign out").click()
            for one in (page, second):
                expect(one.get_by_label("Token or secret")).to_be_visible()
            third = a_tab(page.context)
            third.goto(stage.base)
            expect(third.get_by_label("Token or secret")).to_be_visible()
            watched.errors[:] = [text for text in watched.errors if "401" not in text]

    async with on_stage() as stage:
        await in_thread(scenario, stage)


HAND_OVER_LATE = """
window.BroadcastChannel = class extends BroadcastChannel {
  set onmessage(hear) {
    super.onmessage = (event) => (event.data.token ? (window.handOver = () => hear(event)) : hear(event));
  }
};
"""
"""Another tab's token comes when the test says so."""


async def test_a_second_tab_whose_neighbour_is_slow_to_answer_is_signed_in_all_the_same() -> None:
    """A busy machine, or a tab in the background: the form to sign in stood there, and stayed."""

    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(stage.link())
            expect(page.locator(".pill", has_text="Live")).to_be_visible()
            second = a_tab(page.context)
            second.add_init_script(HAND_OVER_LATE)
            second.goto(stage.base)
            expect(second.get_by_label("Token or secret")).to_be_visible()
            second.wait_for_function("() => window.handOver")
            second.evaluate("handOver()")
            expect(second.locator(".pill", has_text="Live")).to_be_visible()

    async with on_stage() as stage:
        await in_thread(scenario, stage)


async def test_dev_mode_opens_without_a_token_and_says_so() -> None:
    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(stage.base)
            expect(page.get_by_text("Dev mode")).to_be_visible()
            expect(page.locator("section[aria-labelledby=trades] tbody tr").first).to_be_visible()

    async with on_stage(dev=True) as stage:
        await in_thread(scenario, stage)


async def test_the_description_of_the_api_is_read_offline() -> None:
    def scenario(stage: Stage) -> None:
        with a_page(stage) as (page, _):
            page.goto(f"{stage.base}/docs")
            page.get_by_text("/api/v2/order", exact=True).click()
            expect(page.get_by_text("price_aux_limit").first).to_be_visible()
            keep(page, "docs")

    async with on_stage() as stage:
        await in_thread(scenario, stage)
