"""What a test needs of the machine."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip on a user's machine; fail where CI is set, for there it is a fault."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
