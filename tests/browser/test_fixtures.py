"""The fixtures find what they look for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

SignedIn = Callable[..., "Page"]


def test_viewer_sees_the_list_of_jobs(signed_in: SignedIn) -> None:
    page = signed_in("viewer", "scheduler_app/job/")
    assert "job" in page.title().lower()
    assert "viewer" in page.locator("#user-tools").inner_text().lower()


def test_axe_finds_an_image_without_a_text(
    signed_in: SignedIn, axe: Callable[[Page], None]
) -> None:
    page = signed_in()
    page.evaluate("document.querySelector('#content').append(new Image())")
    with pytest.raises(AssertionError, match="image-alt"):
        axe(page)


@pytest.mark.parametrize("width", [380])
def test_a_page_that_is_too_wide_is_found(
    signed_in: SignedIn, no_sideways_scroll: Callable[[Page], None]
) -> None:
    page = signed_in()
    no_sideways_scroll(page)
    page.evaluate("document.body.style.minWidth = '500px'")
    with pytest.raises(AssertionError, match="by 120 px"):
        no_sideways_scroll(page)


@pytest.mark.parametrize("theme", ["dark"])
def test_theme_is_that_of_the_browser(signed_in: SignedIn) -> None:
    colour = signed_in().evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(18, 18, 18)"


def test_script_within_a_page_is_refused(signed_in: SignedIn, complaints: list[str]) -> None:
    page = signed_in()
    page.evaluate(
        "const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        "document.head.append(script)"
    )
    assert page.evaluate("window.ran === undefined")
    assert any("Content Security Policy" in complaint for complaint in complaints)
    complaints.clear()
