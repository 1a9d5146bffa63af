from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobResultStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_RESULT_STATUS_UNSPECIFIED: _ClassVar[JobResultStatus]
    JOB_RESULT_STATUS_SUCCESS: _ClassVar[JobResultStatus]
    JOB_RESULT_STATUS_FAILED: _ClassVar[JobResultStatus]
    JOB_RESULT_STATUS_SKIPPED: _ClassVar[JobResultStatus]
JOB_RESULT_STATUS_UNSPECIFIED: JobResultStatus
JOB_RESULT_STATUS_SUCCESS: JobResultStatus
JOB_RESULT_STATUS_FAILED: JobResultStatus
JOB_RESULT_STATUS_SKIPPED: JobResultStatus

class JobStatusProto(_message.Message):
    __slots__ = ("job_name", "cron_expr", "last_run_ms", "last_duration_ms", "last_result", "last_error", "next_run_ms", "run_count", "error_count", "is_running", "is_paused", "last_run_metadata", "timezone", "description", "skip_count", "schedule", "miss_count", "is_orphaned", "last_lateness_ms", "overlap", "catch_up", "catch_up_limit", "retries", "retry_delay_ms", "retry_max_delay_ms", "timeout_ms", "isolated", "jitter_ms", "running_run_ids", "last_outcome", "state", "problem", "interrupted_runs")
    class LastRunMetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    CRON_EXPR_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_RESULT_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    NEXT_RUN_MS_FIELD_NUMBER: _ClassVar[int]
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    IS_PAUSED_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_METADATA_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SKIP_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    MISS_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_ORPHANED_FIELD_NUMBER: _ClassVar[int]
    LAST_LATENESS_MS_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_LIMIT_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    RETRY_MAX_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_FIELD_NUMBER: _ClassVar[int]
    JITTER_MS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    LAST_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_RUNS_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    cron_expr: str
    last_run_ms: int
    last_duration_ms: int
    last_result: JobResultStatus
    last_error: str
    next_run_ms: int
    run_count: int
    error_count: int
    is_running: bool
    is_paused: bool
    last_run_metadata: _containers.ScalarMap[str, str]
    timezone: str
    description: str
    skip_count: int
    schedule: str
    miss_count: int
    is_orphaned: bool
    last_lateness_ms: int
    overlap: str
    catch_up: str
    catch_up_limit: int
    retries: int
    retry_delay_ms: int
    retry_max_delay_ms: int
    timeout_ms: int
    isolated: bool
    jitter_ms: int
    running_run_ids: _containers.RepeatedScalarFieldContainer[int]
    last_outcome: str
    state: str
    problem: str
    interrupted_runs: _containers.RepeatedCompositeFieldContainer[InterruptedRunProto]
    def __init__(self, job_name: _Optional[str] = ..., cron_expr: _Optional[str] = ..., last_run_ms: _Optional[int] = ..., last_duration_ms: _Optional[int] = ..., last_result: _Optional[_Union[JobResultStatus, str]] = ..., last_error: _Optional[str] = ..., next_run_ms: _Optional[int] = ..., run_count: _Optional[int] = ..., error_count: _Optional[int] = ..., is_running: _Optional[bool] = ..., is_paused: _Optional[bool] = ..., last_run_metadata: _Optional[_Mapping[str, str]] = ..., timezone: _Optional[str] = ..., description: _Optional[str] = ..., skip_count: _Optional[int] = ..., schedule: _Optional[str] = ..., miss_count: _Optional[int] = ..., is_orphaned: _Optional[bool] = ..., last_lateness_ms: _Optional[int] = ..., overlap: _Optional[str] = ..., catch_up: _Optional[str] = ..., catch_up_limit: _Optional[int] = ..., retries: _Optional[int] = ..., retry_delay_ms: _Optional[int] = ..., retry_max_delay_ms: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., isolated: _Optional[bool] = ..., jitter_ms: _Optional[int] = ..., running_run_ids: _Optional[_Iterable[int]] = ..., last_outcome: _Optional[str] = ..., state: _Optional[str] = ..., problem: _Optional[str] = ..., interrupted_runs: _Optional[_Iterable[_Union[InterruptedRunProto, _Mapping]]] = ...) -> None: ...

class InterruptedRunProto(_message.Message):
    __slots__ = ("run_id", "node", "last_heartbeat_ms")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    node: str
    last_heartbeat_ms: int
    def __init__(self, run_id: _Optional[int] = ..., node: _Optional[str] = ..., last_heartbeat_ms: _Optional[int] = ...) -> None: ...

class GetSchedulerStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSchedulerStatusResponse(_message.Message):
    __slots__ = ("scheduler_running", "jobs", "state", "since_ms", "problem", "nodes")
    SCHEDULER_RUNNING_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    scheduler_running: bool
    jobs: _containers.RepeatedCompositeFieldContainer[JobStatusProto]
    state: str
    since_ms: int
    problem: str
    nodes: _containers.RepeatedCompositeFieldContainer[NodeProto]
    def __init__(self, scheduler_running: _Optional[bool] = ..., jobs: _Optional[_Iterable[_Union[JobStatusProto, _Mapping]]] = ..., state: _Optional[str] = ..., since_ms: _Optional[int] = ..., problem: _Optional[str] = ..., nodes: _Optional[_Iterable[_Union[NodeProto, _Mapping]]] = ...) -> None: ...

class NodeProto(_message.Message):
    __slots__ = ("name", "well", "problem")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WELL_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    well: bool
    problem: str
    def __init__(self, name: _Optional[str] = ..., well: _Optional[bool] = ..., problem: _Optional[str] = ...) -> None: ...

class PauseJobRequest(_message.Message):
    __slots__ = ("job_name",)
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    def __init__(self, job_name: _Optional[str] = ...) -> None: ...

class PauseJobResponse(_message.Message):
    __slots__ = ("success", "error")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ...) -> None: ...

class ResumeJobRequest(_message.Message):
    __slots__ = ("job_name",)
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    def __init__(self, job_name: _Optional[str] = ...) -> None: ...

class ResumeJobResponse(_message.Message):
    __slots__ = ("success", "error")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run_id", "reason")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    reason: str
    def __init__(self, run_id: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelRunResponse(_message.Message):
    __slots__ = ("success", "error", "is_running")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    IS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    is_running: bool
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ..., is_running: _Optional[bool] = ...) -> None: ...
