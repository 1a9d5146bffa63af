"""The page of one run."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from scheduler_app.models import Job, JobRun, Node, RunProgress, RunState, Trigger
from tests.admin.conftest import NOW, questions

pytestmark = pytest.mark.django_db
Page = Callable[..., str]
MakeRun = Callable[..., JobRun]
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/venv/site-packages/scheduler_app/execution/runner.py", line 3, in run\n'
    "    call()\n"
    '  File "/srv/shop/jobs.py", line 7, in nightly\n'
    "    <script>boom</script>\n"
    "ValueError: boom\n"
)


def url(run: JobRun) -> str:
    return f"jobrun/{run.pk}/change/"


def text_of(html: str) -> str:
    words = re.sub(r"<[^>]+>", "", html.partition('id="run-now"')[2])
    return " ".join(words.replace("\xa0", " ").split())


def test_title_says_which_run_of_which_job(page: Page, make_run: MakeRun) -> None:
    run = make_run("<nightly>")
    html = page(url(run))
    assert f"<title>Run {run.pk} of &lt;nightly&gt; |" in html
    assert f"<h1>Run {run.pk} of &lt;nightly&gt;</h1>" in html


AT = f"{NOW + timedelta(seconds=5):%Y-%m-%d %H:%M:%S} UTC"
SENTENCES = {
    RunState.SUCCESS: f"Succeeded at {AT}, after 3.0 s.",
    RunState.FAILED: f"Failed at {AT}, after 3.0 s: ValueError: 100% &lt;b&gt;",
    RunState.LOST: f"Lost at {AT}, after 3.0 s: ValueError: 100% &lt;b&gt;",
    RunState.CANCELLED: f"Cancelled at {AT}, after 3.0 s: ValueError: 100% &lt;b&gt;",
    RunState.SKIPPED: f"Did not run: it was skipped at {AT}. ValueError: 100% &lt;b&gt;",
    RunState.MISSED: "Did not run: it was missed. ValueError: 100% &lt;b&gt;",
}


@pytest.mark.parametrize("state", SENTENCES)
def test_outcome_is_a_sentence(page: Page, make_run: MakeRun, state: RunState) -> None:
    run = make_run("nightly", state, message="ValueError: 100% <b>")
    assert SENTENCES[state] in text_of(page(url(run)))


def test_what_is_unusual_is_told(page: Page, make_run: MakeRun) -> None:
    for number in range(1, 4):
        make_run("nightly", minutes_ago=number)
    run = make_run("nightly", finished_at=NOW + timedelta(seconds=62))
    told = text_of(page(url(run)))
    assert "It started 2.0 s late." in told
    assert "It took 1 min 0 s, usually 3.0 s." in told


def test_bar_has_the_moments_with_milliseconds(page: Page, make_run: MakeRun) -> None:
    started = NOW + timedelta(milliseconds=21)
    run = make_run(
        "nightly",
        RunState.FAILED,
        created_at=NOW + timedelta(milliseconds=4),
        started_at=started,
        finished_at=started + timedelta(milliseconds=1500),
    )
    html = page(url(run))
    told = text_of(html)
    for text in (
        f"due {NOW:%Y-%m-%d %H:%M:%S}.000 UTC",
        "queued",
        ".004 UTC +4 ms",
        ".021 UTC +17 ms",
        "finished",
        "+1.5 s",
        "waited 21 ms",
        "ran 1.5 s",
    ):
        assert text in told
    assert 'class="run-bar-waited" x="0.0" y="4" width="13.8"' in html
    assert 'class="run-bar-failed" x="13.8"' in html


def test_what_never_ran_has_no_bar(page: Page, make_run: MakeRun) -> None:
    html = page(url(make_run("nightly", RunState.SKIPPED)))
    assert 'class="run-steps"' in html
    assert 'class="run-bar"' not in html


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
def test_numbers_of_drawings_are_written_alike_everywhere(
    admin_client: Client, make_run: MakeRun, settings: Settings, zone: str
) -> None:
    settings.LANGUAGE_CODE, settings.USE_THOUSAND_SEPARATOR, settings.TIME_ZONE = "de", True, zone
    first = JobRun.objects.create(
        pk=1_234_567, job_name="n", scheduled_for=NOW, due_at=NOW, state=RunState.FAILED,
        started_at=NOW, finished_at=NOW + timedelta(hours=1),
    )  # fmt: skip
    make_run("n", attempt=2, first_attempt=first, finished_at=NOW + timedelta(seconds=7))
    for path in ("jobrun/", url(first), "job/", "node/", "auditentry/"):
        html = admin_client.get(f"/admin/scheduler_app/{path}").content.decode()
        assert "1.234.567" not in re.sub(r"<title>.*?</title>", "", html), path
        assert not re.search(r'(x|y|width|height|value|href)="[^"]*\d,\d', html), path
    drawn = re.findall(
        r'<rect class="run-bar-failed" x="([^"]*)" y="4" width="([^"]*)"',
        page_of(admin_client, first),
    )
    assert drawn
    assert all(float(number) <= 1000 for pair in drawn for number in pair)


def page_of(client: Client, run: JobRun) -> str:
    return client.get(f"/admin/scheduler_app/{url(run)}").content.decode()


def test_own_frames_are_shown_and_the_others_folded(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.FAILED, message="ValueError: boom", traceback=TRACEBACK)
    html = page(url(run)).partition('class="run-traceback"')[2]
    own = re.search(r'<pre class="own-frame">(.*?)</pre>', html, re.DOTALL)
    folded = re.search(r"<details.*?</details>", html, re.DOTALL)
    assert own
    assert folded
    assert "&lt;script&gt;boom&lt;/script&gt;" in own[1]
    assert "runner.py" in folded[0]
    assert "1 frame of other code" in folded[0]
    assert "<script>boom" not in html


def test_text_to_copy_is_the_whole_traceback(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.FAILED, traceback=TRACEBACK)
    html = page(url(run))
    assert 'data-copy="run-error"' in html
    error = html.partition('id="run-error"')[2].partition("</section>")[0]
    parts = re.findall(r"<pre[^>]*>(.*?)</pre>", error, re.DOTALL)
    unescaped = "".join(parts).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    assert unescaped == TRACEBACK


def test_reason_of_several_lines_is_shown_whole(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.LOST, message="first\nsecond <b>")
    assert '<pre class="block">first\nsecond &lt;b&gt;</pre>' in page(url(run))


def test_log_is_escaped_and_kept_line_by_line(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", log="first\n<script>boom</script>\n")
    assert ">first\n&lt;script&gt;boom&lt;/script&gt;\n</pre>" in page(url(run))
    assert "boom" not in page("jobrun/")


def test_reported_values_are_shown(page: Page, make_run: MakeRun) -> None:
    values = {"rows": 12345, "<b>": {"done": [1, {"x": None}]}, "text": "a\nb <i>"}
    html = page(url(make_run("nightly", metadata=values)))
    assert "<dt>rows</dt><dd><pre>12345</pre></dd>" in html
    assert "<dt>&lt;b&gt;</dt>" in html
    assert "a\nb &lt;i&gt;" in html


@pytest.mark.parametrize("metadata", [[], [1], "text", 7, None, {"a": float("1e300")}])
def test_values_of_any_kind_are_no_error_page(
    page: Page, make_run: MakeRun, metadata: object
) -> None:
    run = make_run("nightly")
    JobRun.objects.filter(pk=run.pk).update(metadata=metadata if metadata is not None else {})
    page(url(run))


def test_what_there_is_not_takes_no_room(page: Page, make_run: MakeRun) -> None:
    html = page(url(make_run("nightly")))
    for name in ("Reported values", "run-log", "run-traceback", "Asked to end", "Arguments"):
        assert name not in html


def test_arguments_of_a_request_are_shown(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", trigger=Trigger.MANUAL, arguments={"limit": "<7>"})
    assert "{&quot;limit&quot;: &quot;&lt;7&gt;&quot;}" in page(url(run))


def test_attempts_and_what_was_run_again_are_listed_together(page: Page, make_run: MakeRun) -> None:
    first = make_run("nightly", RunState.FAILED, message="boom", log="large")
    retry = make_run("nightly", RunState.FAILED, attempt=2, first_attempt=first)
    again = make_run("nightly", trigger=Trigger.MANUAL, requested_by="ada", rerun_of=first)
    for run in (first, retry, again):
        table = page(url(run)).partition("All attempts at this")[2]
        for other in {first, retry, again} - {run}:
            assert f'/jobrun/{other.pk}/change/">#{other.pk}</a>' in table
        assert f'aria-current="true"><td>#{run.pk}</td>' in table
        assert "on request of ada" in table
    assert f"run again, {again.pk}" not in page(url(first))
    assert "A later attempt at the same" in page(url(first))


def test_run_without_retries_has_no_table(page: Page, make_run: MakeRun) -> None:
    make_run("nightly", minutes_ago=5)
    assert "All attempts" not in page(url(make_run("nightly")))


def test_retry_whose_first_attempt_was_pruned(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", attempt=2)
    assert "<dt>Attempt</dt><dd>2</dd>" in page(url(run))


def test_previous_and_next_run_are_those_of_the_job(page: Page, make_run: MakeRun) -> None:
    runs = [make_run("nightly", minutes_ago=ago) for ago in (30, 20)]
    same = [make_run("nightly", RunState.SKIPPED, scheduled_for=NOW - timedelta(hours=n),
                     finished_at=NOW) for n in (1, 2)]  # fmt: skip
    make_run("other", minutes_ago=15)
    going = [make_run("nightly", RunState.RUNNING, minutes_ago=9), None]
    queued = make_run("nightly", RunState.QUEUED, minutes_ago=8)
    order = [*runs, *same, going[0], queued]

    def neighbours(run: JobRun) -> tuple[int | None, ...]:
        html = page(url(run))
        found = [
            re.search(rf'href="[^"]*/(\d+)/change/" rel="{rel}"', html) for rel in ("prev", "next")
        ]
        return tuple(int(each[1]) if each else None for each in found)

    ids = [None, *(run.pk for run in order if run), None]
    for before, run, after in zip(ids, order, ids[2:], strict=False):
        assert run
        assert neighbours(run) == (before, after)


def test_page_of_a_running_run_is_live_with_what_it_said(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run("nightly", RunState.RUNNING, node=Node.objects.create(name="here:1"))
    RunProgress.objects.create(
        run=run, run_created_at=run.created_at, at=NOW, metadata={"rows": 5},
        log="".join(f"line {n}\n" for n in range(1000)),
        progress={"done": 30_000, "total": 40_000, "text": "<b>"},
    )  # fmt: skip
    whole = page_of(admin_client, run)
    part = admin_client.get(f"/admin/scheduler_app/{url(run)}", {"part": "run"}).content.decode()
    assert part.startswith('<div id="run-now" data-live="?part=run"')
    assert "<html" not in part
    for html in (whole, part):
        assert "Has been running for" in html
        assert '<progress id="run-progress" max="100" value="75">' in html
        assert "30,000 of 40,000, &lt;b&gt;" in html
        assert "line 999\n" in html
        assert "line 700\n" not in html
        assert "its last lines" in html
        assert "<dt>rows</dt>" in html


def test_page_of_a_run_that_has_ended_is_not_asked_for_again(page: Page, make_run: MakeRun) -> None:
    assert 'data-live=""' in page(url(make_run("nightly")))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"due_at": NOW + timedelta(days=1)}, "Waits for its time, "),
        ({}, "Waits for a scheduler to take it."),
    ],
)
def test_queued_run_says_what_it_waits_for(
    page: Page, make_run: MakeRun, fields: dict[str, object], told: str
) -> None:
    assert told in text_of(page(url(make_run("nightly", RunState.QUEUED, **fields))))


def test_going_run_that_is_asked_to_end_says_by_whom_and_why(page: Page, make_run: MakeRun) -> None:
    asked = {"cancel_requested_at": NOW, "cancel_reason": "Cancelled by ada (admin): <b>wrong</b>"}
    run = make_run("nightly", RunState.RUNNING, **asked)
    assert "asked to end" in page("jobrun/")
    html = page(url(run))
    assert "Cancelled by ada (admin): &lt;b&gt;wrong&lt;/b&gt;" in html
    assert "and is asked to end." in html


def test_zone_is_beside_the_moments(page: Page, make_run: MakeRun, settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    run = make_run("nightly")
    local = timezone.localtime(run.finished_at)
    assert f"Succeeded at {local:%Y-%m-%d %H:%M:%S} JST" in page(url(run))


@pytest.mark.parametrize("state", RunState)
def test_page_takes_no_more_than_twelve_queries(
    staff: Callable[..., Client], make_job: Callable[..., Job], make_run: MakeRun, state: RunState
) -> None:
    make_job("nightly")
    node = Node.objects.create(name="here:1", declares=["x"] * 100)
    for number in range(1, 30):
        make_run("nightly", minutes_ago=number, node=node)
    first = make_run("nightly", RunState.FAILED, minutes_ago=200)
    run = make_run("nightly", state, minutes_ago=90, node=node, attempt=2, first_attempt=first)
    client = staff("view_jobrun", "view_job", "view_node", "trigger_job", "cancel_jobrun")
    with CaptureQueriesContext(connection) as captured:
        assert client.get(f"/admin/scheduler_app/{url(run)}").status_code == 200
    asked = questions(captured)
    assert len(asked) <= 12, "\n".join(sql[:90] for sql in asked)
    assert not [each for each in captured if '"declares"' in each["sql"]]


def test_pages_need_the_permission_to_look(staff: Callable[..., Client], make_run: MakeRun) -> None:
    run = make_run("nightly", node=Node.objects.create(name="host:1"))
    assert staff("view_job").get(f"/admin/scheduler_app/{url(run)}").status_code == 403


def test_page_has_no_script_and_no_style_of_its_own(page: Page, make_run: MakeRun) -> None:
    run = make_run("nightly", RunState.FAILED, traceback=TRACEBACK, log="x", metadata={"a": 1})
    html = page(url(run)).partition('id="content-main"')[2].partition("</main>")[0]
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", html)
