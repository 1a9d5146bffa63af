"""A site in this process, people who sign in, and their browser.

A test that needs another width or theme overrides the fixture:
`@pytest.mark.parametrize("width", [1280, 380])`, `@pytest.mark.parametrize("theme", ["dark"])`."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from memory_project.demo import history
from memory_project.demo.declare import declare
from memory_project.demo.tasks import TASKS
from scheduler_app.registry import Registry
from tests.browser import accessibility
from tests.harness.needs import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

FAILURES = Path(__file__).with_name("failures")
"""Where the picture and the trace of a failed test are kept; `playwright show-trace` shows one."""
STEP = 10.0
"""Seconds that one step, such as a click, may take."""
LONGEST = 240.0
"""Seconds that a test may take."""
HEIGHT = 900
_FAILED = pytest.StashKey[bool]()
UNHEARD = 600.0
"""Seconds between the heartbeats of a scheduler that is only a row: it stays alive for a test."""
OPERATES = ("pause_job", "resume_job", "trigger_job", "cancel_jobrun")
"""The permissions of an operator beyond those of a viewer."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test failed, for its teardown."""
    report = yield
    if report.when != "teardown":
        item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """End a test that takes too long."""

    def end(*_: object) -> None:
        raise TimeoutError(f"the test took more than {LONGEST:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of this machine; none is downloaded."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("chromium is not installed")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread; the tests' queries do not hold it up.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def _strict_policy() -> Iterator[None]:
    """Have the server, once it starts, forbid scripts and styles within its pages."""
    strict = "tests.browser.policy.strict"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "MIDDLEWARE", [*settings.MIDDLEWARE, strict])
        yield


@pytest.fixture
def site(transactional_db: None, live_server: LiveServer) -> str:
    """The address of the admin."""
    return f"{live_server.url}/admin/"


@pytest.fixture
def width() -> int:
    """That of the browser's window, in pixels."""
    return 1280


@pytest.fixture
def theme() -> str:
    """What the browser tells Django's admin to prefer: light or dark."""
    return "light"


@pytest.fixture
def window(
    request: pytest.FixtureRequest, chromium: Browser, width: int, theme: Any
) -> Iterator[BrowserContext]:
    """A browser window without a past. Its picture and its trace are kept if the test fails."""
    context = chromium.new_context(
        viewport={"width": width, "height": HEIGHT}, color_scheme=theme, timezone_id="UTC"
    )
    context.set_default_timeout(STEP * 1000)
    context.tracing.start(screenshots=True, snapshots=True)
    yield context
    if request.node.stash.get(_FAILED, False):
        _keep(context, re.sub(r"[^\w.-]+", "-", request.node.name))
    context.close()


def _keep(context: BrowserContext, name: str) -> None:
    FAILURES.mkdir(exist_ok=True)
    for number, page in enumerate(context.pages):
        page.screenshot(path=FAILURES / f"{name}.{number}.png", full_page=True)
    context.tracing.stop(path=FAILURES / f"{name}.trace.zip")


@pytest.fixture
def shop() -> Registry:
    """The demonstration's jobs, without those of every minute, which make most of the rows."""
    registry = Registry()
    declare(registry, [name for name, task in TASKS.items() if task.cron != "* * * * *"])
    return registry


@pytest.fixture
def seeded(transactional_db: None, shop: Registry, settings: Any) -> datetime:
    """Three days of the demonstration's history: one job failed each night, one for three hours
    last night, some are paused, a scheduler runs, and a run hangs. When that ends."""
    settings.SCHEDULER = settings.SCHEDULER | {"heartbeat": UNHEARD}
    now = timezone.now()
    history.write(shop, days=3.1, now=now, is_alive=True)
    return now


@pytest.fixture
def complaints() -> list[str]:
    """What the pages' scripts and the content security policy complain about: nothing, unless the
    test empties the list."""
    return []


@pytest.fixture
def people(transactional_db: None) -> dict[str, User]:
    """The users admin, operator (may view, control and run) and viewer, by name."""
    views = Permission.objects.filter(
        content_type__app_label="scheduler_app", codename__startswith="view_"
    )
    operates = Permission.objects.filter(
        content_type__app_label="scheduler_app", codename__in=OPERATES
    )
    found = {"admin": User.objects.create_superuser("admin", password="secret")}
    for name, permissions in (("operator", views | operates), ("viewer", views)):
        found[name] = User.objects.create_user(name, password="secret", is_staff=True)
        found[name].user_permissions.set(permissions)
    return found


@pytest.fixture
def signed_in(
    window: BrowserContext, site: str, people: dict[str, User], complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """Open a page as this user: `signed_in("viewer", "scheduler_app/job/")`. Each error of a script
    and each breach of the content security policy fails the test at its end."""

    def heard(message: ConsoleMessage) -> None:
        text = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and "favicon" not in text:
            complaints.append(text)

    def _signed_in(user: str = "admin", path: str = "") -> Page:
        client = Client()
        client.force_login(people[user])
        name = settings.SESSION_COOKIE_NAME
        window.clear_cookies()
        window.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
        page = window.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{site}{path}")
        return page

    yield _signed_in
    assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="session")
def axe_script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return accessibility.install(tmp_path_factory.mktemp("axe"))


@pytest.fixture
def axe(axe_script: str, complaints: list[str]) -> Callable[[Page], None]:
    """Fail if axe-core finds fault with the page: `axe(page)`."""

    def _axe(page: Page) -> None:
        before = len(complaints)
        found = accessibility.violations(page, axe_script)
        del complaints[before:]  # axe-core's own: it tries styles within the page
        assert not found, f"{page.url}\n" + "\n".join(found)

    return _axe


@pytest.fixture
def no_sideways_scroll() -> Callable[[Page], None]:
    """Fail if the page is wider than its window: `no_sideways_scroll(page)`."""

    def _no_sideways_scroll(page: Page) -> None:
        by = accessibility.sideways(page)
        assert by <= 0, f"{page.url} scrolls sideways by {by} px"

    return _no_sideways_scroll
