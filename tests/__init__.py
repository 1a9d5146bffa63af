import pytest

# Their assertions say what they saw, like those of the tests that call them.
pytest.register_assert_rewrite("tests.chaos", "tests.harness", "tests.spoilt")
