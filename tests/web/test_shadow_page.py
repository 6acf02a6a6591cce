"""A strategy on paper by the page, in a real browser on a whole engine: chosen, judged while typing, watched, ended."""

import re

import pytest

from tests.web.browser import PATIENCE_MS, expect, expect_width, until
from tests.web.screens import keep
from tests.web.test_pages import AXE, DRAWN, Running, open_page
from tests.web.test_pages import running as running

pytestmark = [pytest.mark.browser, pytest.mark.timeout(6 * PATIENCE_MS / 1000)]


def test_a_strategy_is_tried_on_paper_watched_beside_the_live_one_and_ended(running: Running) -> None:
    with running.page(at="/#/strategies") as (page, _):
        page.evaluate(AXE.read_text())
        page.get_by_role("button", name="Try on paper btc-ema").focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Try on paper: btc-ema")
        start = dialog.get_by_role("button", name="Start the shadow")
        fast = dialog.get_by_label("fast", exact=True)
        expect(dialog).to_contain_text("No order of it is ever sent.")
        expect(start).to_be_disabled()
        fast.fill("30")
        expect(dialog).to_contain_text("must be below ema_cross.slow (26), was 30")
        expect(start).to_be_disabled()
        fast.fill("5")
        dialog.get_by_label("Or after so many closed trades").fill("3")
        dialog.get_by_label("Cash to begin with").fill("5000")
        dialog.get_by_label("Why (optional)").fill("quicker")
        found = page.evaluate("axe.run(document.querySelector('dialog'), {resultTypes: ['violations']})")["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
        page.set_viewport_size({"width": 390, "height": 844})
        page.evaluate(DRAWN)
        until(page, lambda: dialog.evaluate("one => one.scrollWidth <= one.clientWidth"))
        keep(page, "try-on-paper-390")
        page.set_viewport_size({"width": 1280, "height": 900})
        expect(start).to_be_enabled()
        start.click()
        expect(dialog).to_have_count(0)
        card = page.locator("section[aria-labelledby=shadow]")
        expect(card).to_contain_text("shadow-btc-ema")
        expect(card).to_contain_text("fast 5")
        # It may have traded already.
        expect(card).to_contain_text(re.compile(r"(4,9|5,0)\d\d\.\d\d / 5,000\.00"))
        expect(card.get_by_role("cell", name="Closed trades", exact=True)).to_be_visible()
        row = page.locator("section[aria-labelledby=running] tbody tr", has_text="btc-ema")
        expect(row).to_contain_text("fast 12")
        keep(page, "shadow-on-paper")
        page.get_by_role("button", name="Try on paper eth-ema").click()
        other = page.get_by_role("dialog", name="Try on paper: eth-ema")
        expect(other).to_contain_text("must be left alone while rollout shadow-btc-ema tries them")
        page.keyboard.press("Escape")
        open_page(page, "configuration")
        page.get_by_role("button", name="Rollout").click()
        expect(card).to_contain_text("Profit after fees")
        found = page.evaluate("axe.run(document.querySelector('main'), {resultTypes: ['violations']})")["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
        card.get_by_role("button", name="End the shadow").click()
        page.get_by_role("dialog").get_by_role("button", name="End the shadow").click()
        expect(card).to_contain_text("rollout shadow-btc-ema: asked on the page")
        newest = running.call("GET", "/api/v2/config/history?limit=1", running.token())["versions"][0]
        assert (newest["author"], newest["action"]) == ("page", "revert")


def test_the_shadow_is_told_in_swedish_and_promoted_with_a_reason(running: Running) -> None:
    body = {"parameters": {"fast": 6}, "reason": "slower"}
    version = running.call("POST", "/api/v2/strategies/eth-ema/shadow", running.token(), body)["version"]
    with running.page(at="/#/strategies", locale="sv-SE", width=390, height=844, theme="light") as (page, _):
        card = page.locator("section[aria-labelledby=shadow]")
        expect(card).to_contain_text("Resultat efter avgifter")
        expect(card).to_contain_text("Inget skickas till börsen")
        expect_width(page, 390)
        keep(page, "shadow-390-sv")
        card.get_by_role("button", name="Inför skuggan").click()
        question = page.get_by_role("dialog", name="Inför skuggan")
        question.get_by_role("textbox").fill("prövad")
        question.get_by_role("button", name="Inför skuggan").click()
        row = page.locator("section[aria-labelledby=running] tbody tr", has_text="eth-ema")
        expect(row).to_contain_text("fast 6")
    running.call("POST", "/api/v2/config/rollback", running.token(), {"version": version - 1})
