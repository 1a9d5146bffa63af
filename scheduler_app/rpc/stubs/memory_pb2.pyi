import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
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

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_QUEUED: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_SUCCESS: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELLED: _ClassVar[RunState]
    RUN_STATE_LOST: _ClassVar[RunState]
    RUN_STATE_SKIPPED: _ClassVar[RunState]
    RUN_STATE_MISSED: _ClassVar[RunState]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_RUN: _ClassVar[EventKind]
    EVENT_KIND_JOB: _ClassVar[EventKind]
    EVENT_KIND_NODE: _ClassVar[EventKind]
JOB_RESULT_STATUS_UNSPECIFIED: JobResultStatus
JOB_RESULT_STATUS_SUCCESS: JobResultStatus
JOB_RESULT_STATUS_FAILED: JobResultStatus
JOB_RESULT_STATUS_SKIPPED: JobResultStatus
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_QUEUED: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_SUCCESS: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELLED: RunState
RUN_STATE_LOST: RunState
RUN_STATE_SKIPPED: RunState
RUN_STATE_MISSED: RunState
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_RUN: EventKind
EVENT_KIND_JOB: EventKind
EVENT_KIND_NODE: EventKind

class JobStatusProto(_message.Message):
    __slots__ = ("job_name", "cron_expr", "last_run_ms", "last_duration_ms", "last_result", "last_error", "next_run_ms", "run_count", "error_count", "is_running", "is_paused", "last_run_metadata", "timezone", "description", "skip_count", "schedule", "miss_count", "is_orphaned", "last_lateness_ms", "overlap", "catch_up", "catch_up_limit", "retries", "retry_delay_ms", "retry_max_delay_ms", "timeout_ms", "isolated", "jitter_ms", "running_run_ids", "last_outcome", "state", "problem", "interrupted_runs", "paused_since_ms", "paused_until_ms", "paused_by", "pause_reason", "etag", "pause_on_failure", "overrides", "declared", "app", "is_added")
    class LastRunMetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class OverridesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class DeclaredEntry(_message.Message):
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
    PAUSED_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REASON_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PAUSE_ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    IS_ADDED_FIELD_NUMBER: _ClassVar[int]
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
    paused_since_ms: int
    paused_until_ms: int
    paused_by: str
    pause_reason: str
    etag: str
    pause_on_failure: int
    overrides: _containers.ScalarMap[str, str]
    declared: _containers.ScalarMap[str, str]
    app: str
    is_added: bool
    def __init__(self, job_name: _Optional[str] = ..., cron_expr: _Optional[str] = ..., last_run_ms: _Optional[int] = ..., last_duration_ms: _Optional[int] = ..., last_result: _Optional[_Union[JobResultStatus, str]] = ..., last_error: _Optional[str] = ..., next_run_ms: _Optional[int] = ..., run_count: _Optional[int] = ..., error_count: _Optional[int] = ..., is_running: _Optional[bool] = ..., is_paused: _Optional[bool] = ..., last_run_metadata: _Optional[_Mapping[str, str]] = ..., timezone: _Optional[str] = ..., description: _Optional[str] = ..., skip_count: _Optional[int] = ..., schedule: _Optional[str] = ..., miss_count: _Optional[int] = ..., is_orphaned: _Optional[bool] = ..., last_lateness_ms: _Optional[int] = ..., overlap: _Optional[str] = ..., catch_up: _Optional[str] = ..., catch_up_limit: _Optional[int] = ..., retries: _Optional[int] = ..., retry_delay_ms: _Optional[int] = ..., retry_max_delay_ms: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., isolated: _Optional[bool] = ..., jitter_ms: _Optional[int] = ..., running_run_ids: _Optional[_Iterable[int]] = ..., last_outcome: _Optional[str] = ..., state: _Optional[str] = ..., problem: _Optional[str] = ..., interrupted_runs: _Optional[_Iterable[_Union[InterruptedRunProto, _Mapping]]] = ..., paused_since_ms: _Optional[int] = ..., paused_until_ms: _Optional[int] = ..., paused_by: _Optional[str] = ..., pause_reason: _Optional[str] = ..., etag: _Optional[str] = ..., pause_on_failure: _Optional[int] = ..., overrides: _Optional[_Mapping[str, str]] = ..., declared: _Optional[_Mapping[str, str]] = ..., app: _Optional[str] = ..., is_added: _Optional[bool] = ...) -> None: ...

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
    __slots__ = ("job_name", "reason", "until", "request_id", "etag")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    reason: str
    until: _timestamp_pb2.Timestamp
    request_id: str
    etag: str
    def __init__(self, job_name: _Optional[str] = ..., reason: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class PauseJobResponse(_message.Message):
    __slots__ = ("success", "error")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ...) -> None: ...

class ResumeJobRequest(_message.Message):
    __slots__ = ("job_name", "reason", "catch_up", "dry_run", "request_id", "etag")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    reason: str
    catch_up: str
    dry_run: bool
    request_id: str
    etag: str
    def __init__(self, job_name: _Optional[str] = ..., reason: _Optional[str] = ..., catch_up: _Optional[str] = ..., dry_run: _Optional[bool] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ResumeJobResponse(_message.Message):
    __slots__ = ("success", "error", "caught_up_times", "next_run_time", "expected_duration")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_TIMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_RUN_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DURATION_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    caught_up_times: _containers.RepeatedCompositeFieldContainer[_timestamp_pb2.Timestamp]
    next_run_time: _timestamp_pb2.Timestamp
    expected_duration: _duration_pb2.Duration
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ..., caught_up_times: _Optional[_Iterable[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]]] = ..., next_run_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expected_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class JobSelection(_message.Message):
    __slots__ = ("all", "job_names", "name_prefix", "app")
    ALL_FIELD_NUMBER: _ClassVar[int]
    JOB_NAMES_FIELD_NUMBER: _ClassVar[int]
    NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    all: bool
    job_names: _containers.RepeatedScalarFieldContainer[str]
    name_prefix: str
    app: str
    def __init__(self, all: _Optional[bool] = ..., job_names: _Optional[_Iterable[str]] = ..., name_prefix: _Optional[str] = ..., app: _Optional[str] = ...) -> None: ...

class RefusedJob(_message.Message):
    __slots__ = ("job_name", "error")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    error: str
    def __init__(self, job_name: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class PauseJobsRequest(_message.Message):
    __slots__ = ("jobs", "reason", "until")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    jobs: JobSelection
    reason: str
    until: _timestamp_pb2.Timestamp
    def __init__(self, jobs: _Optional[_Union[JobSelection, _Mapping]] = ..., reason: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PauseJobsResponse(_message.Message):
    __slots__ = ("paused_jobs", "unchanged_jobs", "refused_jobs")
    PAUSED_JOBS_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_JOBS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_JOBS_FIELD_NUMBER: _ClassVar[int]
    paused_jobs: _containers.RepeatedScalarFieldContainer[str]
    unchanged_jobs: _containers.RepeatedScalarFieldContainer[str]
    refused_jobs: _containers.RepeatedCompositeFieldContainer[RefusedJob]
    def __init__(self, paused_jobs: _Optional[_Iterable[str]] = ..., unchanged_jobs: _Optional[_Iterable[str]] = ..., refused_jobs: _Optional[_Iterable[_Union[RefusedJob, _Mapping]]] = ...) -> None: ...

class ResumeJobsRequest(_message.Message):
    __slots__ = ("jobs", "reason", "catch_up", "dry_run")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    jobs: JobSelection
    reason: str
    catch_up: str
    dry_run: bool
    def __init__(self, jobs: _Optional[_Union[JobSelection, _Mapping]] = ..., reason: _Optional[str] = ..., catch_up: _Optional[str] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class ResumedJob(_message.Message):
    __slots__ = ("job_name", "caught_up_times", "next_run_time", "expected_duration")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_TIMES_FIELD_NUMBER: _ClassVar[int]
    NEXT_RUN_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DURATION_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    caught_up_times: _containers.RepeatedCompositeFieldContainer[_timestamp_pb2.Timestamp]
    next_run_time: _timestamp_pb2.Timestamp
    expected_duration: _duration_pb2.Duration
    def __init__(self, job_name: _Optional[str] = ..., caught_up_times: _Optional[_Iterable[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]]] = ..., next_run_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expected_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ResumeJobsResponse(_message.Message):
    __slots__ = ("resumed_jobs", "unchanged_jobs", "refused_jobs")
    RESUMED_JOBS_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_JOBS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_JOBS_FIELD_NUMBER: _ClassVar[int]
    resumed_jobs: _containers.RepeatedCompositeFieldContainer[ResumedJob]
    unchanged_jobs: _containers.RepeatedScalarFieldContainer[str]
    refused_jobs: _containers.RepeatedCompositeFieldContainer[RefusedJob]
    def __init__(self, resumed_jobs: _Optional[_Iterable[_Union[ResumedJob, _Mapping]]] = ..., unchanged_jobs: _Optional[_Iterable[str]] = ..., refused_jobs: _Optional[_Iterable[_Union[RefusedJob, _Mapping]]] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run_id", "reason", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    reason: str
    request_id: str
    def __init__(self, run_id: _Optional[int] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CancelRunResponse(_message.Message):
    __slots__ = ("success", "error", "is_running")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    IS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    is_running: bool
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ..., is_running: _Optional[bool] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("job_name",)
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    def __init__(self, job_name: _Optional[str] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "state", "name_prefix", "failing", "app")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    FAILING_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    state: str
    name_prefix: str
    failing: bool
    app: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., state: _Optional[str] = ..., name_prefix: _Optional[str] = ..., failing: _Optional[bool] = ..., app: _Optional[str] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs", "next_page_token")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[JobStatusProto]
    next_page_token: str
    def __init__(self, jobs: _Optional[_Iterable[_Union[JobStatusProto, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RunJobRequest(_message.Message):
    __slots__ = ("job_name", "reason", "arguments", "request_id", "etag", "overlap")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    reason: str
    arguments: _struct_pb2.Struct
    request_id: str
    etag: str
    overlap: str
    def __init__(self, job_name: _Optional[str] = ..., reason: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ..., overlap: _Optional[str] = ...) -> None: ...

class RetryRunRequest(_message.Message):
    __slots__ = ("run_id", "reason", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    reason: str
    request_id: str
    def __init__(self, run_id: _Optional[int] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("run_id", "job_name", "state", "schedule_time", "due_time", "create_time", "start_time", "end_time", "lateness", "duration", "trigger", "requested_by", "attempt", "first_attempt_run_id", "rerun_of_run_id", "arguments", "node", "message", "metadata", "occurrences", "first_schedule_time", "cancel_request_time", "cancel_reason", "traceback", "log", "attempts", "progress_done", "progress_total", "progress_text")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LATENESS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FIRST_ATTEMPT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RERUN_OF_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCES_FIELD_NUMBER: _ClassVar[int]
    FIRST_SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUEST_TIME_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REASON_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_DONE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_TEXT_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    job_name: str
    state: RunState
    schedule_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    lateness: _duration_pb2.Duration
    duration: _duration_pb2.Duration
    trigger: str
    requested_by: str
    attempt: int
    first_attempt_run_id: int
    rerun_of_run_id: int
    arguments: _struct_pb2.Struct
    node: str
    message: str
    metadata: _containers.ScalarMap[str, str]
    occurrences: int
    first_schedule_time: _timestamp_pb2.Timestamp
    cancel_request_time: _timestamp_pb2.Timestamp
    cancel_reason: str
    traceback: str
    log: str
    attempts: _containers.RepeatedCompositeFieldContainer[Run]
    progress_done: float
    progress_total: float
    progress_text: str
    def __init__(self, run_id: _Optional[int] = ..., job_name: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., schedule_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lateness: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., trigger: _Optional[str] = ..., requested_by: _Optional[str] = ..., attempt: _Optional[int] = ..., first_attempt_run_id: _Optional[int] = ..., rerun_of_run_id: _Optional[int] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., node: _Optional[str] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., occurrences: _Optional[int] = ..., first_schedule_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cancel_request_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cancel_reason: _Optional[str] = ..., traceback: _Optional[str] = ..., log: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., progress_done: _Optional[float] = ..., progress_total: _Optional[float] = ..., progress_text: _Optional[str] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    def __init__(self, run_id: _Optional[int] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "job_name", "states", "since", "until", "message_contains")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_CONTAINS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    job_name: str
    states: _containers.RepeatedScalarFieldContainer[RunState]
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    message_contains: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., job_name: _Optional[str] = ..., states: _Optional[_Iterable[_Union[RunState, str]]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message_contains: _Optional[str] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExplainRunRequest(_message.Message):
    __slots__ = ("job_name", "time")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    time: str
    def __init__(self, job_name: _Optional[str] = ..., time: _Optional[str] = ...) -> None: ...

class ExplainRunResponse(_message.Message):
    __slots__ = ("explanation",)
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    explanation: str
    def __init__(self, explanation: _Optional[str] = ...) -> None: ...

class PreviewScheduleRequest(_message.Message):
    __slots__ = ("job_name", "schedule", "timezone", "count", "after")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    schedule: str
    timezone: str
    count: int
    after: _timestamp_pb2.Timestamp
    def __init__(self, job_name: _Optional[str] = ..., schedule: _Optional[str] = ..., timezone: _Optional[str] = ..., count: _Optional[int] = ..., after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PreviewScheduleResponse(_message.Message):
    __slots__ = ("schedule", "timezone", "fires")
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    FIRES_FIELD_NUMBER: _ClassVar[int]
    schedule: str
    timezone: str
    fires: _containers.RepeatedCompositeFieldContainer[Fire]
    def __init__(self, schedule: _Optional[str] = ..., timezone: _Optional[str] = ..., fires: _Optional[_Iterable[_Union[Fire, _Mapping]]] = ...) -> None: ...

class Fire(_message.Message):
    __slots__ = ("schedule_time", "due_time", "local_time", "note")
    SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    LOCAL_TIME_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    schedule_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    local_time: str
    note: str
    def __init__(self, schedule_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., local_time: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "show_stopped")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SHOW_STOPPED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    show_stopped: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., show_stopped: _Optional[bool] = ...) -> None: ...

class ListNodesResponse(_message.Message):
    __slots__ = ("nodes", "next_page_token")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    next_page_token: str
    def __init__(self, nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("name", "state", "problem", "start_time", "heartbeat_time", "stop_time", "run_ids", "declared_jobs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIME_FIELD_NUMBER: _ClassVar[int]
    STOP_TIME_FIELD_NUMBER: _ClassVar[int]
    RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    DECLARED_JOBS_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    problem: str
    start_time: _timestamp_pb2.Timestamp
    heartbeat_time: _timestamp_pb2.Timestamp
    stop_time: _timestamp_pb2.Timestamp
    run_ids: _containers.RepeatedScalarFieldContainer[int]
    declared_jobs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., problem: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., heartbeat_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stop_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_ids: _Optional[_Iterable[int]] = ..., declared_jobs: _Optional[_Iterable[str]] = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "job_name", "actor", "since", "until")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    job_name: str
    actor: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., job_name: _Optional[str] = ..., actor: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AuditEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AuditEvent(_message.Message):
    __slots__ = ("time", "actor", "surface", "action", "job_name", "reason", "changed")
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    actor: str
    surface: str
    action: str
    job_name: str
    reason: str
    changed: bool
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., surface: _Optional[str] = ..., action: _Optional[str] = ..., job_name: _Optional[str] = ..., reason: _Optional[str] = ..., changed: _Optional[bool] = ...) -> None: ...

class WatchSchedulerRequest(_message.Message):
    __slots__ = ("cursor", "job_names", "kinds")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    JOB_NAMES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    job_names: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    def __init__(self, cursor: _Optional[str] = ..., job_names: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ...) -> None: ...

class WatchSchedulerResponse(_message.Message):
    __slots__ = ("events", "cursor", "bookmark", "snapshot")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    cursor: str
    bookmark: bool
    snapshot: bool
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., cursor: _Optional[str] = ..., bookmark: _Optional[bool] = ..., snapshot: _Optional[bool] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("run", "job", "node")
    RUN_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    run: RunEvent
    job: JobStatusProto
    node: NodeProto
    def __init__(self, run: _Optional[_Union[RunEvent, _Mapping]] = ..., job: _Optional[_Union[JobStatusProto, _Mapping]] = ..., node: _Optional[_Union[NodeProto, _Mapping]] = ...) -> None: ...

class RunEvent(_message.Message):
    __slots__ = ("run_id", "job_name", "state")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    job_name: str
    state: RunState
    def __init__(self, run_id: _Optional[int] = ..., job_name: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ...) -> None: ...

class BackfillJobRequest(_message.Message):
    __slots__ = ("job_name", "since", "until", "include_succeeded", "dry_run", "reason", "request_id", "overlap")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    include_succeeded: bool
    dry_run: bool
    reason: str
    request_id: str
    overlap: str
    def __init__(self, job_name: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., include_succeeded: _Optional[bool] = ..., dry_run: _Optional[bool] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., overlap: _Optional[str] = ...) -> None: ...

class BackfillJobResponse(_message.Message):
    __slots__ = ("schedule_times", "run_ids", "expected_duration")
    SCHEDULE_TIMES_FIELD_NUMBER: _ClassVar[int]
    RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DURATION_FIELD_NUMBER: _ClassVar[int]
    schedule_times: _containers.RepeatedCompositeFieldContainer[_timestamp_pb2.Timestamp]
    run_ids: _containers.RepeatedScalarFieldContainer[int]
    expected_duration: _duration_pb2.Duration
    def __init__(self, schedule_times: _Optional[_Iterable[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]]] = ..., run_ids: _Optional[_Iterable[int]] = ..., expected_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class UpdateJobScheduleRequest(_message.Message):
    __slots__ = ("job_name", "schedule", "timezone", "jitter_seconds", "catch_up", "catch_up_limit", "retries", "retry_delay_seconds", "retry_max_delay_seconds", "pause_on_failure", "revert", "reason", "request_id", "etag", "overlap", "timeout_seconds", "isolated")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    JITTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_LIMIT_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RETRY_MAX_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    REVERT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    schedule: str
    timezone: str
    jitter_seconds: int
    catch_up: str
    catch_up_limit: int
    retries: int
    retry_delay_seconds: float
    retry_max_delay_seconds: float
    pause_on_failure: int
    revert: bool
    reason: str
    request_id: str
    etag: str
    overlap: str
    timeout_seconds: float
    isolated: bool
    def __init__(self, job_name: _Optional[str] = ..., schedule: _Optional[str] = ..., timezone: _Optional[str] = ..., jitter_seconds: _Optional[int] = ..., catch_up: _Optional[str] = ..., catch_up_limit: _Optional[int] = ..., retries: _Optional[int] = ..., retry_delay_seconds: _Optional[float] = ..., retry_max_delay_seconds: _Optional[float] = ..., pause_on_failure: _Optional[int] = ..., revert: _Optional[bool] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ..., overlap: _Optional[str] = ..., timeout_seconds: _Optional[float] = ..., isolated: _Optional[bool] = ...) -> None: ...

class AddJobRequest(_message.Message):
    __slots__ = ("job_name", "function", "command", "arguments", "words", "description", "schedule", "timezone", "jitter_seconds", "catch_up", "catch_up_limit", "retries", "retry_delay_seconds", "retry_max_delay_seconds", "pause_on_failure", "overlap", "timeout_seconds", "isolated", "reason", "request_id")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    TIMEZONE_FIELD_NUMBER: _ClassVar[int]
    JITTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_FIELD_NUMBER: _ClassVar[int]
    CATCH_UP_LIMIT_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RETRY_MAX_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    function: str
    command: str
    arguments: _struct_pb2.Struct
    words: _containers.RepeatedScalarFieldContainer[str]
    description: str
    schedule: str
    timezone: str
    jitter_seconds: int
    catch_up: str
    catch_up_limit: int
    retries: int
    retry_delay_seconds: float
    retry_max_delay_seconds: float
    pause_on_failure: int
    overlap: str
    timeout_seconds: float
    isolated: bool
    reason: str
    request_id: str
    def __init__(self, job_name: _Optional[str] = ..., function: _Optional[str] = ..., command: _Optional[str] = ..., arguments: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., words: _Optional[_Iterable[str]] = ..., description: _Optional[str] = ..., schedule: _Optional[str] = ..., timezone: _Optional[str] = ..., jitter_seconds: _Optional[int] = ..., catch_up: _Optional[str] = ..., catch_up_limit: _Optional[int] = ..., retries: _Optional[int] = ..., retry_delay_seconds: _Optional[float] = ..., retry_max_delay_seconds: _Optional[float] = ..., pause_on_failure: _Optional[int] = ..., overlap: _Optional[str] = ..., timeout_seconds: _Optional[float] = ..., isolated: _Optional[bool] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteJobRequest(_message.Message):
    __slots__ = ("job_name", "reason", "request_id", "etag")
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    job_name: str
    reason: str
    request_id: str
    etag: str
    def __init__(self, job_name: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteJobResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
