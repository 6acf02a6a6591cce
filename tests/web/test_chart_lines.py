"""Lines of orders on the chart, taken with a mouse and with a finger, whatever market and page do meanwhile."""

import re
import time
from typing import Any

import pytest

from tests.web.browser import PATIENCE_MS, expect, expect_toast, until
from tests.web.test_pages import DRAWN, Running
from tests.web.test_pages import running as running

# One engine and one browser serve all of it that one worker does.
SWEEPS_MS = 4 * PATIENCE_MS
"""A look for lines is a hundred moves of the mouse, each of which the page must have heard."""
pytestmark = [pytest.mark.browser, pytest.mark.timeout(12 * PATIENCE_MS / 1000)]

ORDER_IS_BELOW = """async ([path, token, price]) => {
    const told = await fetch(path, { headers: { Authorization: `Bearer ${token}` } });
    return Number((await told.json()).order.price) < Number(price);
}"""
PAINT_NOTHING = """() => {
  window.paint = requestAnimationFrame;
  window.due = [];
  window.requestAnimationFrame = (frame) => due.push(frame);
}"""
PAINT_AGAIN = """() => {
  window.requestAnimationFrame = paint;
  due.forEach((frame) => requestAnimationFrame(frame));
}"""
"""Between the two the page paints nothing: what a finger is to touch stays where it is."""


def test_a_line_on_the_chart_is_dragged_and_the_order_follows(running: Running) -> None:
    token = running.token()
    symbol = "tETHUSD"
    last = running.call("GET", f"/api/v2/market/ticker?symbol={symbol}", token)["tickers"][0]["last"]
    order = {"symbol": symbol, "amount": "0.5", "type": "EXCHANGE LIMIT", "price": f"{last * 0.99:.1f}"}
    intent = running.call("POST", "/api/v2/order", token, order)["intent_id"]

    with running.page(at=f"/#/chart?symbol={symbol}&timeframe=1m") as (page, _):
        expect(page.locator("#chart")).to_have_text("ETH/USD")
        expect(page.locator("section[aria-labelledby=orders] tbody tr").first).to_contain_text("acked")
        page.get_by_role("button", name="1h", exact=True).click()
        expect(page.locator("section[aria-labelledby=chart] .over")).to_have_count(0)
        page.get_by_text("Indicators 2").click()
        page.get_by_label("RSI 14").check()
        page.get_by_text("Indicators 3").click()
        page.get_by_role("button", name="1m", exact=True).click()
        expect(page.locator("section[aria-labelledby=book] button.level").first).to_be_visible()
        drag_lines(page, 25)
        expect(page.get_by_role("dialog")).to_contain_text("Move")
        page.get_by_role("dialog").get_by_role("button", name="Move").click()
        expect_toast(page, "good")
        page.wait_for_function(ORDER_IS_BELOW, arg=[f"/api/v2/order/{intent}", token, order["price"]])
        page.locator("section[aria-labelledby=orders]").get_by_role(
            "button", name=re.compile("^Cancel (buy|sell) ")
        ).click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.locator("section[aria-labelledby=orders] tbody tr").first).to_contain_text("canceled")


def a_resting_buy(running: Running, token: str, symbol: str) -> str:
    """The intent of an order that waits three per cent below the market."""
    last = running.call("GET", f"/api/v2/market/ticker?symbol={symbol}", token)["tickers"][0]["last"]
    order = {
        "symbol": symbol,
        "side": "buy",
        "quantity": "0.5",
        "type": "EXCHANGE LIMIT",
        "price": f"{last * 0.97:.1f}",
    }
    intent_id: str = running.call("POST", "/api/v2/order", token, order)["intent_id"]
    return intent_id


def take_back(running: Running, token: str, intent: str) -> None:
    """The next test's page must not find it."""
    running.call("DELETE", f"/api/v2/order/{intent}", token)
    end = time.monotonic() + PATIENCE_MS / 1000
    while (state := running.call("GET", f"/api/v2/order/{intent}", token)["order"]["state"]) != "CANCELED":
        assert time.monotonic() < end, f"{intent} must be canceled, was {state}"
        time.sleep(0.05)


def test_a_line_is_dragged_with_a_finger_and_the_page_stays_where_it_is(running: Running) -> None:
    token = running.token()
    symbol = "tETHUSD"
    intent = a_resting_buy(running, token, symbol)
    with running.page(width=390, touch=True, at=f"/#/chart?symbol={symbol}&timeframe=1m") as (page, _):
        expect(page.locator("section[aria-labelledby=orders] tbody tr").first).to_contain_text("acked")
        expect(page.locator("section[aria-labelledby=chart] .over")).to_have_count(0)
        page.locator(".plot .fill").scroll_into_view_if_needed()
        x, y = over_a_line(page, still=True)
        finger = page.context.new_cdp_session(page)
        before = page.evaluate("scrollY")
        # A fingertip is wider than a line: it comes down beside it.
        for kind, at in (("touchStart", 5), *(("touchMove", 5 + 4 * step) for step in range(1, 9)), ("touchEnd", 0)):
            points = [] if kind == "touchEnd" else [{"x": x, "y": y + at}]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.evaluate(PAINT_AGAIN)
        expect(page.get_by_role("dialog")).to_contain_text("Move buy ETH/USD")
        assert page.evaluate("scrollY") == before
        page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    take_back(running, token, intent)


def test_a_line_is_taken_where_it_was_shown_however_busy_page_and_market_are(running: Running) -> None:
    """The scale may move between the look and the hand; a page that is slow to answer is scrolled by the browser."""
    token = running.token()
    symbol = "tETHUSD"
    intent = a_resting_buy(running, token, symbol)
    for touch in (False, True):
        with running.page(touch=touch, at=f"/#/chart?symbol={symbol}&timeframe=1m") as (page, _):
            expect(page.locator("section[aria-labelledby=orders] tbody tr").first).to_contain_text("acked")
            expect(page.locator("section[aria-labelledby=chart] .over")).to_have_count(0)
            page.locator(".plot .fill").scroll_into_view_if_needed()
            x, y = over_a_line(page, still=touch)
            if touch:
                # The browser asks no script whether it may scroll there.
                style = "([x, y]) => getComputedStyle(document.elementFromPoint(x, y)).touchAction"
                assert page.evaluate(style, [x, y]) == "none"
                before = page.evaluate("scrollY")
                finger = page.context.new_cdp_session(page)
                page.evaluate(
                    "setTimeout(() => { const t = performance.now(); while (performance.now() < t + 1500); })"
                )
                for kind, at in (
                    ("touchStart", 2),
                    *(("touchMove", 2 + 4 * step) for step in range(1, 9)),
                    ("touchEnd", 0),
                ):
                    points = [] if kind == "touchEnd" else [{"x": x, "y": y + at}]
                    finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
                page.evaluate(PAINT_AGAIN)
            else:
                page.set_viewport_size({"width": 1280, "height": 640})
                page.evaluate(DRAWN)
                page.mouse.down()
                page.mouse.move(x, y + 24, steps=3)
                page.mouse.up()
            expect(page.get_by_role("dialog")).to_contain_text("Move buy ETH/USD")
            if touch:
                assert page.evaluate("scrollY") == before
            page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    take_back(running, token, intent)


CURSOR = "document.querySelector('.plot .fill').style.cursor"


def on_a_line(page: Any, x_in: int, *, below: int = 5, above: int = 0, step: int = 3) -> tuple[float, int] | None:
    """Put the pointer on the first line that can be taken, from so far below the top of the plot to so far above its
    end, or say that there is none. Where the lines are, the cursor says."""
    box = page.locator(".plot .fill").bounding_box()
    x = box["x"] + x_in
    for y in range(int(box["y"]) + below, int(box["y"] + box["height"]) - above, step):
        page.mouse.move(x, y)
        if page.evaluate(CURSOR) == "ns-resize":
            return x, y
    return None


def over_a_line(page: Any, *, still: bool = False) -> tuple[float, int]:
    """Put the pointer where the cursor says that a line can be taken. With `still` the chart paints nothing from then
    on: the market would move the line away before a finger is there, which has no cursor that promised it."""
    found = None

    def look() -> bool:
        nonlocal found
        if still:
            page.evaluate(DRAWN)
            page.evaluate(PAINT_NOTHING)
        found = on_a_line(page, 100)
        # It may not be drawn yet.
        if still and found is None:
            page.evaluate(PAINT_AGAIN)
        return found is not None

    until(page, look, lambda: "no line on the chart can be taken", patience_ms=SWEEPS_MS)
    assert found is not None
    return found


def drag_lines(page: Any, by: int, *, named: str = "") -> None:
    """Take the first line of an order that can be moved, and of those the one whose question names it, and move it."""

    def moved() -> bool:
        below = 5
        while (found := on_a_line(page, 200, below=below, above=40, step=4)) is not None:
            x, y = found
            page.mouse.down()
            page.mouse.move(x, y + by, steps=3)
            page.mouse.up()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("Move")
            if named in dialog.inner_text():
                return True
            dialog.get_by_role("button", name="Go back").click()
            # Under an open question the plot hears no pointer, and its cursor is an old one.
            expect(dialog).to_have_count(0)
            below = y + 16 - int(page.locator(".plot .fill").bounding_box()["y"])
        # It may not be drawn yet: look again from the top on.
        return False

    until(page, moved, lambda: f"no line on the chart is named {named!r}", patience_ms=SWEEPS_MS)


def test_the_stop_of_a_stop_and_target_is_dragged_and_the_position_keeps_both(running: Running) -> None:
    token = running.token()
    symbol = "tETHUSD"
    last = running.call("GET", f"/api/v2/market/ticker?symbol={symbol}", token)["tickers"][0]["last"]
    stop, target = f"{last * 0.97:.2f}", f"{last * 1.03:.2f}"
    order = {"symbol": symbol, "amount": "0.5", "stop_price": stop, "target_price": target}
    running.call("POST", "/api/v2/order/bracket", token, order)

    with running.page(at=f"/#/chart?symbol={symbol}&timeframe=1m") as (page, _):
        row = page.locator("section[aria-labelledby=orders] tbody tr", has_text="acked")
        expect(row).to_contain_text(f"{float(stop):,.2f}")
        expect(page.locator("section[aria-labelledby=chart] .over")).to_have_count(0)
        drag_lines(page, -15, named="Move stop")
        expect(page.get_by_role("dialog")).to_contain_text("At the stop, before fees")
        page.get_by_role("dialog").get_by_role("button", name="Move").click()
        expect_toast(page, "good")
        expect(row.locator("small")).not_to_have_text(f"{float(stop):,.2f}")
        expect(row).to_contain_text(f"{float(target):,.2f}")

        def guarded() -> tuple[float, float]:
            (bracket,) = running.call("GET", "/api/v2/protection", token)["brackets"]
            return float(bracket["stop_price"]), float(bracket["target_price"])

        # The order's row may know it before the position's book does.
        until(page, lambda: guarded()[0] > float(stop))
        assert guarded()[1] == float(target)
        row.get_by_role("button", name="Amend").click()
        page.get_by_role("dialog").get_by_label("Stop price").fill(stop)
        page.get_by_role("dialog").get_by_role("button", name="Amend").click()
        expect(row.locator("small")).to_have_text(f"{float(stop):,.2f}")
        position = page.locator("section[aria-labelledby=positions] tbody tr", has_text="ETH/USD")
        position.get_by_role("button", name="Close").click()
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect(page.get_by_text("No open positions")).to_be_visible()
