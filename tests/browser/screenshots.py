"""Pictures of the main pages for the documentation, light and dark, wide and narrow, from a
demonstration that runs: python -m tests.browser.screenshots"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from django.core.management.utils import get_random_secret_key
from PIL import Image

from tests.browser.accessibility import show
from tests.harness import ROOT, eventually
from tests.harness.cluster import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = ROOT / "docs" / "screenshots"
SIZES = {"wide": (1280, 800), "narrow": (390, 844)}
THEMES = ("light", "dark")
COLOURS = 96
LARGEST = 150_000
"""Bytes of one picture."""
PAGES = {
    "overview": "scheduler_app/",
    "jobs": "scheduler_app/job/",
    "job": "scheduler_app/job/export-accounting/change/",
    "runs": "scheduler_app/jobrun/?state__exact=failed",
    "run": "scheduler_app/jobrun/?state__exact=failed&q=export-accounting",
    "audit": "scheduler_app/auditentry/",
}
"""What is pictured; of `run`, the first one that the list has."""


class Demo(NamedTuple):
    """A demonstration that runs."""

    admin: str
    password: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=29, help="how long the history is (29)")
    parser.add_argument("names", nargs="*", help=f"which pages: {', '.join(PAGES)} (all)")
    options = parser.parse_args()
    names = options.names or list(PAGES)
    if unknown := set(names) - set(PAGES):
        parser.error(f"no such page: {', '.join(sorted(unknown))}")
    with demonstration(options.days) as demo:
        for picture in pictures(demo, names):
            print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes", flush=True)
    return 0


@contextmanager
def demonstration(days: float) -> Iterator[Demo]:
    """Start one, on ports and a database of its own."""
    port = free_port()
    environment = os.environ | {
        "WEB_PORT": str(port),
        "GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
        "SECRET_KEY": get_random_secret_key(),
        "DEBUG": "true",
        "LOOPBACK_CONTROL": "true",
    }
    with tempfile.TemporaryDirectory() as name:
        log, database = Path(name, "log"), Path(name, "demo.sqlite3")
        command = [sys.executable, "-m", "memory_project.demo", "--days", str(days)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--database", str(database)], cwd=ROOT, env=environment,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            eventually(lambda: "is running; gRPC at" in log.read_text(), seconds=180)
            sign_in = re.search(r"Sign in: admin / (\S+)", log.read_text())
            assert sign_in, log.read_text()
            yield Demo(f"http://127.0.0.1:{port}/admin/", sign_in[1])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)


def pictures(demo: Demo, names: list[str]) -> Iterator[Path]:
    """Take them, and yield where each is."""
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page()
        page.goto(demo.admin)
        page.fill("#id_username", "admin")
        page.fill("#id_password", demo.password)
        page.click("input[type=submit]")
        for name in names:
            page.set_viewport_size({"width": 1280, "height": 800})
            page.goto(demo.admin + PAGES[name])
            if name == "run":
                content = page.locator("#content")
                content.get_by_role("link", name=re.compile(r"^#?\d+$")).first.click()
            for size, theme in product(SIZES, THEMES):
                yield _picture(page, name, size, theme)
        browser.close()


def _picture(page: Page, name: str, size: str, theme: str) -> Path:
    """Take one, with few colours: the file is a third as large."""
    width, height = SIZES[size]
    show(page, width, height, theme)
    page.wait_for_load_state("networkidle")
    whole = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = FOLDER / f"{name}.{size}.{theme}.png"
    few = whole.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    assert path.stat().st_size <= LARGEST, path
    return path


if __name__ == "__main__":
    sys.exit(main())
