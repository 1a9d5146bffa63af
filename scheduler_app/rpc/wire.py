"""The fields of memory.proto's messages as Python's own values."""

from typing import Any

Values = dict[str, Any]
"""The fields of one message: enums by name, moments as datetimes in UTC, lengths of time as
timedeltas, None for what is optional, or a message, and not there. In the seed's messages moments
are milliseconds since the epoch, 0 for none."""

FIRST_YEAR, LAST_YEAR = 1900, 2199
"""Beyond them no calendar of ours can be computed."""
RUN_STATE = "RUN_STATE_"
RESULT = "JOB_RESULT_STATUS_"
