"""The configuration page in a real browser, with a real config actor behind it."""

import re
from pathlib import Path

import pytest
import trio

from genesis.edge.user_dir import UserDir
from tests.genesis.cli.test_config_releases import Engine, an_engine
from tests.web.browser import PATIENCE_MS, a_browser, a_tab, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(6 * PATIENCE_MS / 1000)]


def a_morning(engine: Engine) -> list[str]:
    """What a person does; gives what the page complained about."""
    wrong: list[str] = []
    with a_browser() as browser:
        page = a_tab(browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{engine.address}/?ticket={engine.tokens.ticket().text}#/configuration")

        page.get_by_label("Find a setting").fill("max_drawdown")
        page.get_by_role("button", name="risk.max_drawdown").click()
        value = page.get_by_label("New value")
        # The engine judges while one types, and what it refuses cannot be sent.
        value.fill("1.7")
        expect(page.get_by_text("risk.max_drawdown must be 0 to 1")).to_be_visible()
        expect(page.get_by_role("button", name="Set", exact=True)).to_be_disabled()
        value.fill("0.1")
        expect(page.locator(".patch ins")).to_have_text("0.1")
        page.get_by_label("Why?").fill("calm")
        page.get_by_role("button", name="Set", exact=True).click()
        expect(page.get_by_text("Version 2", exact=True)).to_be_visible()

        page.get_by_role("button", name="History").click()
        page.get_by_role("button", name="2", exact=True).click()
        expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
        expect(page.locator(".patch li").first).to_contain_text("risk.max_drawdown")
        page.get_by_role("button", name="Verify").click()
        expect(page.get_by_text("The history is whole").first).to_be_visible()
        page.get_by_role("row", name="first start").get_by_role("button", name="Roll back").click()
        page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
        expect(page.get_by_text("Version 3", exact=True)).to_be_visible()

        page.get_by_role("button", name="Rollout").click()
        page.get_by_label("Name", exact=True).fill("half")
        page.get_by_label("New value").fill("0.1")
        page.get_by_label("Symbols").fill("tBTCUSD")
        # An empty number is none: a threshold that was deleted stood for 0, and one refusal took the rollout back.
        for field, usual, name in (("Threshold", "0.5", "threshold"), ("Fewest samples", "10", "min_samples")):
            page.get_by_label(field).fill("")
            page.get_by_role("button", name="Begin").click()
            expect(page.get_by_text(re.compile(f"Refused: {name} must be a .*number"))).to_be_visible()
            page.get_by_label(field).fill(usual)
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_text("risk.position_fraction = 0.1")).to_be_visible()
        page.get_by_role("button", name="Take back").click()
        page.get_by_role("dialog").get_by_role("button", name="Take back").click()
        expect(page.get_by_text("Version 5", exact=True)).to_be_visible()
    return wrong


async def test_a_setting_is_found_judged_while_typing_set_and_taken_back(tmp_path: Path) -> None:
    home = UserDir(tmp_path / "home")
    home.create()
    with trio.fail_after(5 * PATIENCE_MS / 1000):
        async with an_engine(home) as engine:
            assert await trio.to_thread.run_sync(a_morning, engine) == []
            assert engine.house.settings.value.version == 5
            assert engine.house.settings.value.overlays == ()
