"""What people do on the pages, whichever way a page lets them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

REASON = re.compile("^Reason")


def control(page: Page, name: str) -> Locator:
    """Return the button, or the link to a page that asks, of an action on a job or a run."""
    content = page.locator("#content")
    said = re.compile(rf"^{re.escape(name)}(\.\.\.)?$")
    button = content.get_by_role("button", name=said)
    return button.or_(content.get_by_role("link", name=said)).first


def act(page: Page, name: str, reason: str = "") -> None:
    """Do this to the job or run whose page it is, for this reason."""
    asks = control(page, name)
    if asks.evaluate("element => element.tagName") == "A":
        asks.click()
        page.wait_for_load_state()
    if reason:
        page.get_by_label(REASON).first.fill(reason)
    page.locator("input[name=_confirm]").or_(control(page, name)).first.click()


def tab_to(page: Page, target: Locator, most: int = 120, key: str = "Tab") -> None:
    """Press the key until this has the focus."""
    target.wait_for()
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{target} cannot be reached with the keyboard")


def see(page: Page, locator: Locator, seconds: float = 30, every: float = 0.5) -> None:
    """Look at the page again and again until this is on it. Pages that are live need no more than
    to be waited for."""
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    for _ in range(int(seconds / every)):
        try:
            locator.first.wait_for(timeout=every * 1000)
        except PlaywrightTimeout:
            page.reload()
        else:
            return
    raise AssertionError(f"{locator} was not seen within {seconds} s\n{page.inner_text('body')}")
