"""Every surface when the only scheduler has been killed in the middle of a run."""

import json
import re

from tests.harness import Site, eventually


def test_killed_scheduler_is_the_same_story_on_all_surfaces(site: Site) -> None:
    scheduler = site.start(jobs="endless tick")
    site.trigger("endless")
    eventually(lambda: site.states("endless") == ["running"])
    scheduler.kill()
    [[run_id, due_at]] = site.runs("endless", "id, due_at")
    eventually(lambda: "Scheduler: STOPPED since " in site.cli(scheduler, "status").stdout, 60)

    shown = site.cli(scheduler, "status")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"No server answers at 127.0.0.1:{scheduler.port}.")
    assert re.search(r"^endless +INTERRUPTED ", shown.stdout, re.MULTILINE)
    assert f"    run {run_id} was running when " in shown.stdout
    status = json.loads(site.cli(scheduler, "status", "--json").stdout)
    assert (status["source"], status["state"]) == ("database", "STOPPED")
    assert status["since_ms"] > 0
    moment = str(due_at).split("+")[0].replace(" ", "T") + "Z"
    told = site.cli(scheduler, "explain", "endless", moment).stdout
    assert "was running when " in told
    assert "is running" not in told
    paused = site.cli(scheduler, "pause", "tick")
    assert (paused.returncode, paused.stdout) == (0, "Job 'tick' paused.\n")

    site.start()
    eventually(lambda: site.states("endless") == ["lost"], 60)


def test_frozen_server_is_passed_by_for_the_database(site: Site) -> None:
    scheduler = site.start(jobs="tick")
    eventually(lambda: "success" in site.states("tick"))
    scheduler.freeze()
    try:
        done = site.cli(scheduler, "pause", "tick")
        assert (done.returncode, done.stdout) == (0, "Job 'tick' paused.\n")
        assert "did not answer within 10 s. This is from the database" in done.stderr
    finally:
        scheduler.thaw()
    assert site.cli(scheduler, "status").stdout.startswith("Scheduler:")
