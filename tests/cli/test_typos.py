"""A name that is not there, and the one that is meant."""

import pytest
from django.core.management import CommandError, call_command

from scheduler_app.cli.main import main
from scheduler_app.cli.parser import JOB_STATES, OVERLAPS, STATES
from scheduler_app.models import RunState
from scheduler_app.policies import Overlap
from scheduler_app.status import JobState

TYPOS = [
    (["stauts"], "there is no 'stauts'. Did you mean status?"),
    (["list", "--state", "pasued"], "there is no 'pasued'. Did you mean paused?"),
    (["runs", "--state", "faild"], "there is no 'faild'. Did you mean failed?"),
    (["runs", "--fialed"], "there is no '--fialed'. Did you mean --failed?"),
    (["set", "nightly", "--retires=3"], "there is no '--retires'. Did you mean --retries"),
    (["--tokne=x", "list"], "there is no '--tokne'. Did you mean --token?"),
]


@pytest.mark.parametrize(("words", "text"), TYPOS)
def test_typo_names_the_nearest(
    capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err
    with pytest.raises(CommandError) as refused:
        call_command("scheduler", *words)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["token", "craete", "ada"], "Did you mean create?"),
        (["token", "create", "ada", "--scope", "veiw"], "Did you mean view?"),
        (["audit-ledger", "--snice", "today"], "Did you mean --since?"),
        (["import", "crontba"], "Did you mean crontab?"),
    ],
)
def test_typo_in_a_command_of_the_database_names_the_nearest(words: list[str], text: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("scheduler", *words)
    assert text in str(refused.value)


@pytest.mark.parametrize("words", [["list", "--xyzzy"], ["xyzzy"], ["runs", "--state", "xyzzy"]])
def test_what_is_like_nothing_is_argparses_error(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert "xyzzy" in told
    assert "mean" not in told


def test_states_are_those_of_the_models() -> None:
    assert set(STATES) == set(RunState.values)
    assert set(JOB_STATES) == {state.lower() for state in JobState}
    assert set(OVERLAPS) == set(Overlap)
