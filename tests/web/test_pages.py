"""Every page's main task in a real browser, on a whole engine with its exchange, as a user starts it."""

import itertools
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.web.browser import PATIENCE_MS, Watched, a_browser, a_tab, expect, expect_toast, expect_width, until, watch
from tests.web.running import a_run
from tests.web.screens import keep

# One engine and one browser serve all of it that one worker does.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(6 * PATIENCE_MS / 1000)]

LIST = (Path(__file__).parents[2] / "web" / "static" / "js" / "pages.js").read_text()
PATIENCE = 60
"""How often an order that is refused for now is sent again."""
PAGES = tuple(re.findall(r'^  \{ path: "(\w+)"', LIST, re.MULTILINE))
SAME_NAMES = """() => {
    const names = [...document.querySelectorAll("main button")].map((one) => one.ariaLabel || one.innerText.trim());
    return names.filter((name, i) => names.indexOf(name) !== i);
}"""
"""What several buttons of a page are called: who hears the page cannot tell them apart."""
WIDTHS = (390, 768, 1280, 2560)
LOOKS = tuple(itertools.product(("light", "dark"), ("en-US", "sv-SE")))
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""What is drawn by hand follows a new size in the frame after it."""
NOTING = """
export const t = (text) => {
  if (language === "sv" && text && !(text in sv)) (window.withoutSwedish ??= new Set()).add(text);
  return (language === "sv" && sv[text]) || text;
};
export const wordsOf = () => sv;
"""
"""The page's own lookup of words, which notes what it does not find."""
TITLES = """async () => {
    const { PAGES } = await import("/static/js/pages.js");
    const sv = (await import("/static/js/words.js")).wordsOf();
    return PAGES.map((page) => page.title).filter((title) => !(title in sv));
}"""
"""Titles that the navigation shows in English, whichever page is open."""
ENGLISH = """async () => {
    const sv = (await import("/static/js/words.js")).wordsOf();
    const without = [...(window.withoutSwedish ?? [])].filter((text) => /[a-z]{3} [a-z]/.test(text));
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const shown = new Set();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.textContent.trim();
        // Words of the engine's own are small: its codes stay as it says them.
        const forgotten = (/^[A-Z]/.test(text) && sv[text] && sv[text] !== text) || without.includes(text);
        // What says that it is English may be: figures of the release, and what programs are told.
        if (forgotten && !node.parentElement.closest("[lang]:not(html), code, pre, .mono")) shown.add(text);
    }
    return [...shown];
}"""
"""Texts of a Swedish page that are English: those whose Swedish is not used, and sentences that have none."""
AXE = Path(__file__).parent / "vendor" / "axe.js"


@attrs.frozen
class Running:
    """A running engine and a browser that is signed in to it."""

    base: str
    secret: str
    browser: Any

    def call(self, method: str, path: str, token: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 -- our own address
            self.base + path,
            method=method,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        for last in (False,) * PATIENCE + (True,):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                error.add_note(error.read().decode())
                if last or error.code != 503:
                    raise
                # A machine with four other tests on it is late with a candle: an order is refused for now.
                time.sleep(float(error.headers["Retry-After"]))
        raise AssertionError("the last try answers or raises")

    def token(self) -> str:
        body = {"user_id": "test", "scope": "admin", "expiry_hours": 0.2}
        return str(self.call("POST", "/api/v2/auth/ws-token", self.secret, body)["token"])

    @contextmanager
    def page(
        self,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "dark",
        locale: str = "en-US",
        at: str = "/",
        words_noted: bool = False,
        touch: bool = False,
    ) -> Iterator[tuple[Any, Watched]]:
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            locale=locale,
            has_touch=touch,
            is_mobile=touch,
        )
        page = a_tab(context)
        seen = watch(page, self.base)
        if words_noted:
            page.route("**/js/words.js", note_words)
        task = os.environ.get("PYTEST_CURRENT_TEST", "page").partition("::")[2].partition(" ")[0]
        try:
            if at.startswith("/#") or at == "/":
                ticket = self.call("POST", "/api/v2/auth/link", self.secret)["ticket"]
                page.goto(f"{self.base}/?ticket={ticket}{at.removeprefix('/')}")
                expect(
                    page.locator(".pill", has_text="ACTIVE").or_(page.locator(".pill", has_text="AKTIV"))
                ).to_be_visible()
            else:
                page.goto(self.base + at)
            yield page, seen
            keep(page, re.sub(r"\W+", "-", task).strip("-"))
        finally:
            context.close()
        assert seen.errors == []
        assert seen.elsewhere == []


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    with a_run(home) as base, a_browser() as browser:
        secret = json.loads((home / "secrets" / "web.json").read_text())["bootstrap_secret"]
        made = Running(base, secret, browser)
        # What the tests find must be theirs: strategies speak, and enter nothing.
        for name in ("btc-ema", "eth-ema"):
            lock = {"strategy": name, "reason": "this is a test"}
            made.call("POST", "/api/v2/risk/unified/locks", made.token(), lock)
        yield made


def note_words(route: Any) -> None:
    """Give the page its words with a lookup that notes what it does not find."""
    answer = route.fetch()
    plain = answer.text()
    noting = re.sub(r"^export const t = .*$", lambda _: NOTING, plain, flags=re.MULTILINE)
    assert noting != plain
    route.fulfill(response=answer, body=noting)


def open_page(page: Any, name: str) -> None:
    page.evaluate(f"location.hash = '#/{name}'")
    expect(page.locator(f"main.page-{name}")).to_be_attached()
    expect(page.locator("main .card h2").first).to_be_visible()
    expect(page.locator("main .bone")).to_have_count(0)


@pytest.mark.parametrize(("theme", "locale"), LOOKS)
def test_every_page_fits_says_something_and_can_be_used_by_everybody(running: Running, theme: str, locale: str) -> None:
    """By rotation: each page is seen once in each theme and language, each time in another width. With EVERY_LOOK in
    the environment each is seen in all of them."""
    turn = LOOKS.index((theme, locale))
    with running.page(theme=theme, locale=locale, words_noted=True) as (page, _):
        page.evaluate(AXE.read_text())
        for place, name in enumerate(PAGES):
            page.set_viewport_size({"width": WIDTHS[(place + turn) % len(WIDTHS)], "height": 900})
            open_page(page, name)
            widths = WIDTHS if os.environ.get("EVERY_LOOK") else (WIDTHS[(place + turn) % len(WIDTHS)],)
            for width in widths:
                page.set_viewport_size({"width": width, "height": 900})
                page.evaluate(DRAWN)
                expect_width(page, width)
                expect(page.locator("main")).to_have_text(re.compile(r"\S"), use_inner_text=True)
                assert page.evaluate(SAME_NAMES) == [], (name, width)
                keep(page, f"{name}-{width}-{theme}-{locale[:2]}", full_page=True)
                if width in (WIDTHS[0], WIDTHS[-1]):
                    assert serious(page) == [], (name, width)
            if locale == "sv-SE":
                assert page.evaluate(ENGLISH) == [], name
                assert page.evaluate(TITLES) == [], name


def serious(page: Any) -> list[tuple[str, str]]:
    """What axe-core finds that keeps people from using the page."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    bad = ("serious", "critical")
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in bad]


def test_the_navigation_reaches_every_page_by_hand_and_by_keyboard(running: Running) -> None:
    with running.page() as (page, _):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Signals").click()
        expect(page.get_by_role("heading", name="Every signal")).to_be_visible()
        expect(page).to_have_title("Signals · Genesis")
        page.keyboard.press("2")
        expect(page.locator("main.page-chart")).to_be_attached()
        page.keyboard.press("t")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        page.keyboard.press("9")
        expect(page.locator("main.page-model")).to_be_attached()
        page.keyboard.press("n")
        expect(page.get_by_role("form", name="Order").get_by_label("Quantity")).to_be_focused()
        page.keyboard.type("0.5n")
        expect(page.get_by_role("form", name="Order").get_by_label("Quantity")).to_have_value("0.5n")
        page.get_by_role("form", name="Order").get_by_label("Quantity").blur()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Keyboard")
        page.keyboard.press("Escape")
        page.evaluate("location.hash = '#/nowhere'")
        expect(page.get_by_text("Nothing is here")).to_be_visible()
    with running.page(width=390) as (page, _):
        page.get_by_role("button", name="More").click()
        page.get_by_role("dialog").get_by_role("link", name="Decisions").click()
        expect(page.get_by_role("heading", name="What risk refused")).to_be_visible()


def test_a_trader_orders_amends_and_closes(running: Running) -> None:
    with running.page(at="/#/orders") as (page, _):
        ticket = page.get_by_role("form", name="Order")
        ticket.get_by_role("button", name="Buy BTC/USD").click()
        expect(ticket.get_by_text("is needed")).to_be_visible()
        ticket.get_by_label("Quantity").fill("0.0000000001")
        expect(ticket.get_by_text("must be of at most 8 decimals").first).to_be_visible()
        ticket.get_by_label("Quantity").fill("9")
        expect(page.locator(".verdict")).to_contain_text("risk would say no")
        ticket.get_by_label("Quantity").fill("0.01")
        expect(page.locator(".verdict")).to_contain_text("risk would say yes")
        ticket.get_by_role("button", name="Buy BTC/USD").click()
        page.get_by_role("dialog").get_by_role("button", name="Buy").click()
        expect_toast(page, "good")
        position = page.locator("section[aria-labelledby=positions] tbody tr")
        expect(position).to_contain_text("BTC/USD")

        stop = page.locator("section[aria-labelledby=orders] tbody tr", has_text="stop").first
        stop.get_by_role("button", name="Amend").click()
        page.get_by_role("dialog").get_by_label("Price").fill("5000")
        page.get_by_role("dialog").get_by_role("button", name="Amend").click()
        expect(page.locator("section[aria-labelledby=orders] tbody tr", has_text="5,000.0")).to_be_visible()

        position.get_by_role("button", name="Close").click()
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(page.get_by_text("No open positions")).to_be_visible()
        page.get_by_role("button", name="Closed positions").click()
        expect(page.locator("section[aria-labelledby=closed] tbody tr").first).to_contain_text("BTC/USD")


def test_a_sale_of_a_strategys_coins_is_told_before_it_is_sent(running: Running) -> None:
    def with_coins(route: Any) -> None:
        told = route.fetch().json()
        told["takes"] = [{"symbol": "tBTCUSD", "strategy": "btc-ema", "quantity": "0.25"}]
        route.fulfill(json=told)

    for locale, sell, words in (
        ("en-US", "Sell", "0.25 of it are coins of btc-ema: its stop"),
        ("sv-SE", "Sälj", "av det är mynt som tillhör btc-ema: dess stopp krymper"),
    ):
        with running.page(at="/#/orders", locale=locale) as (page, _):
            page.route("**/api/v2/risk/unified/evaluate", with_coins)
            ticket = page.locator("section.ticket form")
            ticket.get_by_text(sell, exact=True).first.click()
            ticket.locator("input[inputmode=decimal], input[type=number]").first.fill("0.3")
            expect(page.locator(".verdict")).to_contain_text(words)
            ticket.get_by_role("button", name=f"{sell} BTC/USD").click()
            expect(page.get_by_role("dialog")).to_contain_text(words)
            keep(page, f"sells-a-strategys-coins-{locale}")
            page.keyboard.press("Escape")


def test_a_year_for_the_tax_return_is_downloaded(running: Running) -> None:
    told = running.call("GET", "/api/v2/tax?year=2018&kind=trades", running.token())
    with running.page(at="/#/account") as (page, _):
        card = page.locator("section[aria-labelledby=tax]")
        card.get_by_label("Year").select_option("2018")
        with page.expect_download() as download:
            card.get_by_role("button", name="Every trade (CSV)").click()
        assert download.value.suggested_filename == told["name"] == "genesis-sim-2018-trades.csv"
        assert download.value.path().read_bytes().decode().startswith(told["csv"][:60])
        expect(card.get_by_role("status")).to_contain_text("genesis-sim-2018-trades.csv")
        keep(page, "account-tax")
        with page.expect_download() as download:
            card.get_by_role("button", name="Funding, interest and deposits (CSV)").click()
        assert download.value.suggested_filename == "genesis-sim-2018-ledger.csv"
        card.get_by_label("Year").select_option("2014")
        with page.expect_download():
            card.get_by_role("button", name="Disposals with their cost (CSV)").click()
        expect(card.get_by_role("status")).to_contain_text("0 rows")


def test_money_is_moved_between_wallets_once_it_is_confirmed(running: Running) -> None:
    with running.page(at="/#/account") as (page, watched):
        card = page.locator("section[aria-labelledby=transfers]")
        expect(card.get_by_role("button", name="Move money")).to_be_disabled()
        card.get_by_label("Amount").fill("12,5")
        card.get_by_role("button", name="Move money").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("12.5 USD from exchange to margin")
        expect(dialog.get_by_role("button", name="Move money")).to_be_disabled()
        dialog.get_by_label("Write").fill("transfer")
        keep(page, "transfer-asked")
        dialog.get_by_role("button", name="Move money").click()
        expect(card.locator("tbody tr").first).to_contain_text("moved")
        expect(card.locator("tbody tr").first).to_contain_text("12.5 USD")
        keep(page, "transfer-done")
        card.get_by_label("Amount").fill("99999999")
        card.get_by_role("button", name="Move money").click()
        dialog.get_by_label("Write").fill("transfer")
        dialog.get_by_role("button", name="Move money").click()
        expect_toast(page, "bad", "Not enough balance to transfer")
        watched.complained("/api/v2/transfers")
    back = {
        "confirm": "transfer",
        "from_wallet": "margin",
        "to_wallet": "exchange",
        "currency": "USD",
        "amount": "12.5",
    }
    assert running.call("POST", "/api/v2/transfers", running.token(), back)["transfer"]["state"] == "done"


def test_what_goes_out_and_what_the_log_leaves_out_stand_inside(running: Running) -> None:
    with running.page(at="/#/observability") as (page, _):
        outside = page.locator("section[aria-labelledby=io] tbody")
        expect(outside).to_contain_text("journal")
        expect(outside).to_contain_text("rest_private_account")
        expect(page.locator("section[aria-labelledby=categories] tbody")).to_contain_text("candle")
        keep(page, "inside-outside")
    told = running.call("GET", "/api/v2/observability/dashboard", running.token())
    assert {"ticker", "candle", "notice"} <= {each["category"] for each in told["event_counts"] if each["heard"]}


def test_a_price_alert_is_set_and_dropped_beside_what_the_venue_counts(running: Running) -> None:
    with running.page(at="/#/chart?symbol=tBTCUSD") as (page, _):
        expect(page.locator("section[aria-labelledby=interest] .facts")).to_contain_text("in an hour")
        card = page.locator("section[aria-labelledby=alerts]")
        card.get_by_label("Tell me at").fill("25000,5")
        card.get_by_role("button", name="Set").click()
        expect(card.locator("tbody tr")).to_contain_text("25,000.5")
        assert [each["price"] for each in running.call("GET", "/api/v2/alerts", running.token())["alerts"]] == [
            "25000.5"
        ]
        keep(page, "price-alert")
        card.get_by_role("button", name="Drop BTC/USD 25000.5").click()
        expect(card.locator("tbody tr")).to_have_count(0)
        assert running.call("GET", "/api/v2/alerts", running.token())["alerts"] == []
    with running.page(at="/#/account") as (page, _):
        expect(page.locator("section[aria-labelledby=logins] tbody tr").first).to_contain_text("127.0.0.1")
        expect(page.locator("section[aria-labelledby=movements]")).to_contain_text("Nothing came or went")


def test_a_bracket_that_the_market_has_passed_is_told_while_it_is_typed(running: Running) -> None:
    with running.page(at="/#/orders") as (page, watched):
        ticket = page.get_by_role("form", name="Order")
        ticket.get_by_label("Quantity").fill("0.01")
        ticket.get_by_label("Stop and target").check()
        ticket.get_by_label("Stop price").fill("90000")
        expect(ticket.locator(".field", has_text="Stop price")).to_contain_text("must be below the market")
        watched.complained("/api/v2/risk/unified/evaluate")
        ticket.get_by_label("Stop price").fill("10")
        expect(page.locator(".verdict")).to_contain_text("risk would say")


def test_a_change_that_cannot_be_is_told_in_its_dialog_and_a_dialog_is_answered_by_keyboard(running: Running) -> None:
    token = running.token()
    order = {"symbol": "tBTCUSD", "side": "buy", "quantity": "0.01", "type": "EXCHANGE LIMIT", "price": "5000"}
    running.call("POST", "/api/v2/order", token, order)
    with running.page(at="/#/orders") as (page, watched):
        row = page.locator("section[aria-labelledby=orders] tbody tr", has_text="5,000.0")
        row.get_by_role("button", name="Amend").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Price").fill("5000.123")
        dialog.get_by_role("button", name="Amend").click()
        expect(dialog.get_by_role("alert")).to_contain_text("price must be of at most 5 significant digits")
        expect(dialog.locator(".field", has_text="Price")).to_contain_text("significant digits")
        watched.complained("/api/v2/order/")
        page.keyboard.press("Escape")
        row.get_by_role("button", name=re.compile("^Cancel buy")).focus()
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Enter")
        expect(row).to_have_count(0)
        expect_toast(page, "good", "Sent")


def test_a_narrow_page_says_which_market_a_strategy_trades_and_how_warm_it_is(running: Running) -> None:
    def colder(route: Any) -> None:
        told = route.fetch().json()
        told["running"][0].update(seen=180, needs=300)
        route.fulfill(json=told)

    with running.page(width=390) as (page, _):
        page.route("**/api/v2/strategies", colder)
        open_page(page, "strategies")
        row = page.locator("section[aria-labelledby=running] tbody tr").first
        expect(row.locator("td").first.get_by_text("BTC/USD 5m")).to_be_visible()
        expect(row.get_by_text("180 / 300 candles · about 10 h 00 left")).to_be_visible()
        inside = "one => one.getBoundingClientRect().right <= document.documentElement.clientWidth"
        buttons = (row.get_by_role("button", name=name) for name in ("Switch", "Edit parameters"))
        for one in (row.get_by_text("180 / 300"), *buttons):
            until(page, partial(one.evaluate, inside), partial("must be inside: {}".format, one))
        open_page(page, "signals")
        latest = page.locator("section[aria-labelledby=latest] article").first
        expect(latest).to_contain_text("warming up")
        expect(latest).to_contain_text("180 / 300")


def test_parameters_of_a_strategy_are_judged_while_typing_changed_and_in_force(running: Running) -> None:
    with running.page(at="/#/strategies") as (page, _):
        page.evaluate(AXE.read_text())
        row = page.locator("section[aria-labelledby=running] tbody tr", has_text="btc-ema")
        expect(row).to_contain_text("fast 12")
        row.get_by_role("button", name="Edit parameters btc-ema").focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Edit parameters: btc-ema")
        fast, slow = dialog.get_by_label("fast", exact=True), dialog.get_by_label("slow", exact=True)
        change = dialog.get_by_role("button", name="Change it")
        expect(dialog).to_contain_text("BTC/USD")
        expect(dialog).to_contain_text("Nothing would change")
        expect(change).to_be_disabled()
        fast.fill("7.5")
        expect(dialog).to_contain_text("must be a whole number 2 – 500, was 7.5")
        expect(change).to_be_disabled()
        fast.fill("30")
        expect(dialog).to_contain_text("must be below ema_cross.slow (26), was 30")
        expect(fast).to_have_attribute("aria-invalid", "true")
        expect(change).to_be_disabled()
        fast.fill("7")
        slow.fill("33")
        expect(dialog.locator(".before li")).to_have_text(["fast 12 7", "slow 26 33"])
        expect(dialog).to_contain_text("speaks from the next candle on")
        found = page.evaluate("axe.run(document.querySelector('dialog'), {resultTypes: ['violations']})")["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.evaluate(DRAWN)
            keep(page, f"parameters-{width}")
            expect_width(page, width)
            until(page, lambda: dialog.evaluate("one => one.scrollWidth <= one.clientWidth"))
        page.set_viewport_size({"width": 1280, "height": 900})
        # Somebody else's change in the meantime is told, and is not overwritten.
        limit = {"value": "0.19", "reason": "another person"}
        running.call("POST", "/api/v2/config/risk.max_drawdown", running.token(), limit)
        expect(dialog).to_contain_text("The settings were changed since this was opened")
        expect(change).to_be_disabled()
        dialog.get_by_role("button", name="Read again").click()
        expect(fast).to_have_value("12")
        fast.fill("7")
        dialog.get_by_label("Why (optional)").fill("quicker")
        expect(change).to_be_enabled()
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(row).to_contain_text("fast 7")
        newest = running.call("GET", "/api/v2/config/history?limit=1", running.token())["versions"][0]
        assert (newest["author"], newest["reason"], newest["changed"]) == ("page", "quicker", ["strategies"])
        running.call("POST", "/api/v2/config/rollback", running.token(), {"version": 1})
        expect(row).to_contain_text("fast 12")
    with running.page(at="/#/strategies", locale="sv-SE", width=390, height=844, theme="light") as (page, _):
        page.get_by_role("button", name="Ändra parametrar btc-ema").click()
        dialog = page.get_by_role("dialog", name="Ändra parametrar: btc-ema")
        dialog.get_by_label("fast", exact=True).fill("0")
        expect(dialog).to_contain_text("måste vara ett heltal 2 – 500, var 0")
        keep(page, "parameters-390-sv-wrong")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def test_a_strategy_that_is_not_enabled_has_its_row_and_is_enabled_there(running: Running) -> None:
    with running.page(at="/#/strategies") as (page, _):
        row = page.locator("section[aria-labelledby=running] tbody tr", has_text="eth-ema")
        row.get_by_role("button", name="Disable eth-ema").click()
        question = page.get_by_role("dialog", name="Disable eth-ema")
        expect(question).to_contain_text("sold by its stop alone")
        question.get_by_role("button", name="Disable").click()
        expect(row).to_contain_text("not enabled")
        expect(row).to_have_count(1)
        keep(page, "strategies-not-enabled")
        row.get_by_role("button", name="Enable eth-ema").click()
        page.get_by_role("dialog", name="Enable eth-ema").get_by_role("button", name="Enable").click()
        expect(row.get_by_role("button", name="Switch on eth-ema")).to_be_visible()
        expect(row).not_to_contain_text("not enabled")
    running.call("POST", "/api/v2/config/rollback", running.token(), {"version": 1})


def test_a_template_is_kept_used_and_forgotten(running: Running) -> None:
    with running.page(at="/#/orders?tab=templates") as (page, _):
        ticket = page.get_by_role("form", name="Order")
        ticket.get_by_label("Type").select_option("LIMIT")
        ticket.get_by_label("Quantity").fill("0.02")
        ticket.get_by_label("Price", exact=True).fill("4000")
        ticket.get_by_label("Stop and target").check()
        ticket.get_by_label("Stop price").fill("3900")
        page.get_by_label("Template name").fill("dip")
        page.get_by_role("button", name="Keep as template").click()
        row = page.locator("section[aria-labelledby=templates] li", has_text="dip")
        expect(row).to_contain_text("0.02 BTC/USD")
        page.reload()
        row.get_by_role("button", name="Use").click()
        expect(ticket.get_by_label("Stop price")).to_have_value("3900")
        row.get_by_role("button", name="Delete dip").click()
        expect(page.get_by_text("No templates yet")).to_be_visible()


def test_decisions_are_found_and_explained(running: Running) -> None:
    token = running.token()
    with pytest.raises(urllib.error.HTTPError):
        running.call("POST", "/api/v2/order", token, {"symbol": "tBTCUSD", "amount": "9"})
    with running.page(at="/#/decisions") as (page, _):
        page.get_by_role("button", name="Denied", exact=True).click()
        denial = page.locator("section[aria-labelledby=decisions] button.line", has_text="denied").first
        denial.click()
        expect(page.locator(".trace li.down").first).to_be_visible()
        expect(page).to_have_url(re.compile("verdict=denied"))
        expect(page.locator("section[aria-labelledby=decisions] button.line", has_text="manual")).not_to_have_count(0)
        page.get_by_label("Strategy").select_option(index=1)
        # What was ordered by hand is no strategy's.
        expect(page.locator("section[aria-labelledby=decisions] button.line", has_text="manual")).to_have_count(0)
        expect(page).to_have_url(re.compile("strategy="))
        page.get_by_role("button", name="Clear").click()
        expect(page).not_to_have_url(re.compile("strategy="))
        page.get_by_label("Any id: signal, order, correlation").fill("nobody knows it")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_text("Nothing fits")).to_be_visible()


def test_a_limit_is_changed_a_lock_set_and_lifted(running: Running) -> None:
    with running.page(at="/#/risk") as (page, _):
        page.get_by_label("Change max_trades_per_day").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("New value").fill("150")
        dialog.get_by_role("button", name="Save").click()
        expect(page.locator("section[aria-labelledby=limits] tr", has_text="max trades per day")).to_contain_text("150")
        lock = page.get_by_role("form", name="Lock")
        lock.get_by_label("Symbol").select_option("tETHUSD")
        lock.get_by_label("Why").fill("news at noon")
        lock.get_by_role("button", name="Lock").click()
        row = page.locator("section[aria-labelledby=risk] li", has_text="news at noon")
        expect(row).to_contain_text("ETH/USD")
        row.get_by_role("button", name="Unlock").click()
        page.get_by_role("dialog").get_by_role("button", name="Unlock").click()
        expect(row).to_have_count(0)


def test_the_console_does_what_the_manual_says(running: Running) -> None:
    with running.page(at="/ws") as (page, watched):
        page.get_by_role("button", name="Get JWT").click()
        expect(page.locator(".log")).to_contain_text("401")
        watched.complained("401")
        page.get_by_label("Proof (secret or admin token)").fill(running.secret)
        page.get_by_role("button", name="Get JWT").click()
        page.get_by_role("button", name="Connect WS").click()
        expect(page.locator("#linked")).to_contain_text("connected")
        expect(page.locator("#state")).to_have_text("open")
        page.get_by_role("button", name="Get Wallets").click()
        expect(page.locator(".log")).to_contain_text("GET /api/v2/wallets")
        page.get_by_role("button", name="Market Buy").click()
        expect(page.locator(".log")).to_contain_text("POST /api/v2/order")
        expect(page.locator(".log")).to_contain_text("trade update")
        page.get_by_label("Stop price").fill("5000")
        page.get_by_label("Template name").fill("by-hand")
        page.get_by_role("button", name="Save template").click()
        page.get_by_label("Stop price").fill("1")
        page.locator("#template-list").get_by_role("button", name="Use").click()
        expect(page.get_by_label("Stop price")).to_have_value("5000")
        page.get_by_role("button", name="Place bracket").click()
        expect(page.locator(".log")).to_contain_text("POST /api/v2/order/bracket")
        page.get_by_role("button", name="Cancel All").click()
        expect(page.locator(".log")).to_contain_text("POST /api/v2/orders/cancel/all")
        page.get_by_label("Show advanced").check()
        page.reload()
        expect(page.get_by_label("Show advanced")).to_be_checked()
        expect(page.get_by_role("heading", name="Any request")).to_be_visible()


def test_the_dashboard_has_an_address_of_its_own(running: Running) -> None:
    with running.page() as (page, _):
        page.goto(f"{running.base}/observability/dashboard")
        expect(page.get_by_role("heading", name="The machine")).to_be_visible()
        expect(page.locator("section[aria-labelledby=old]")).to_contain_text("/api/v2/risk/unified/pause")
        page.get_by_label("Search").fill("genesis_orders_total")
        expect(page.locator("section[aria-labelledby=numbers] tbody tr")).to_have_count(1)


def test_a_search_is_started_followed_and_looked_at(running: Running) -> None:
    with running.page() as (page, watched):
        open_page(page, "backtests")
        form = page.get_by_role("form", name="New search")
        form.get_by_label("Time frame").select_option("1m")
        form.get_by_label("What may vary").fill("fsat=4:9")
        form.get_by_label("Make large").select_option("total_return")
        form.get_by_label("Trials").fill("4")
        form.get_by_label("Name").fill("looked for")
        form.get_by_role("button", name="Search").click()
        # What cannot be searched is told at the form, before any work.
        expect(form.get_by_role("alert")).to_contain_text("must be one of")
        watched.complained("/api/v2/")
        form.get_by_label("What may vary").fill("fast=4:9, slow=12:30:3")
        form.get_by_role("button", name="Search").click()
        row = page.get_by_role("row", name="looked for")
        expect(row).to_contain_text("done", timeout=2 * PATIENCE_MS)
        row.get_by_role("link", name="looked for").click()
        expect(page.get_by_role("heading", name="s.slow × s.fast")).to_be_visible()
        expect(page.locator("section[aria-labelledby=found]")).to_contain_text("traded again")


def test_a_backtest_is_started_followed_and_looked_at(running: Running) -> None:
    with running.page() as (page, watched):
        open_page(page, "backtests")
        form = page.get_by_role("form", name="New backtest")
        form.get_by_label("Strategy").select_option("ema_cross")
        form.get_by_label("Time frame").select_option("1m")
        form.get_by_label("slow").fill("1")
        form.get_by_role("button", name="Start").click()
        # What cannot be tested is told at the form, before any work.
        expect(form.get_by_role("alert")).to_contain_text("must be a whole number")
        watched.complained("/api/v2/")
        form.get_by_label("slow").fill("30")
        form.get_by_label("Name").fill("from the page")
        form.get_by_role("button", name="Start").click()
        row = page.get_by_role("row", name="from the page")
        expect(row).to_contain_text("done", timeout=2 * PATIENCE_MS)
        row.get_by_role("link", name="from the page").click()
        expect(page.get_by_role("heading", name="from the page · Equity")).to_be_visible()
        expect(page.get_by_role("heading", name="Every trade")).to_be_visible()
        expect(page.locator("table.heat tbody tr")).to_have_count(7)
        page.get_by_role("button", name="Count").click()
        expect(page.locator("svg.prices path.entry").first).to_have_attribute("d", re.compile("."))
