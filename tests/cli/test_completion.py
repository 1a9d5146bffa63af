"""Completion in real shells, with the names that a real server knows."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from scheduler_app.cli import completion
from scheduler_app.cli.main import main
from scheduler_app.models import Job, JobRun, RunState
from scheduler_app.rpc.server import Server
from tests.harness import ROOT, eventually
from tests.harness.needs import missing
from tests.harness.terminal import Terminal
from tests.rpc.conftest import serve

__all__ = ["serve"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MakeJob = Callable[..., Job]
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
FIRST = {"bash": "true", "zsh": "autoload -U compinit && compinit -u -D"}
DJANGOS = (
    "_django_like() { COMPREPLY=($(compgen -W 'migrate' -- \"${COMP_WORDS[COMP_CWORD]}\")); }; "
    "complete -F _django_like manage.py"
)
BELL, GIVE_UP = "\a", "\x15"
COMPLETED = [
    ("schedulerctl paus", "schedulerctl pause "),
    ("schedulerctl pause --rea", "schedulerctl pause --reason "),
    ("schedulerctl show nig", "schedulerctl show nightly "),
    ("schedulerctl runs --state fai", "schedulerctl runs --state failed "),
    ("schedulerctl pause --reason 'a b' nig", "schedulerctl pause --reason 'a b' nightly "),
    ("schedulerctl cancel ", "schedulerctl cancel 7 "),
    ("schedulerctl retry ", "schedulerctl retry 8 "),
    ("schedulerctl preview --tz Europe/Berl", "schedulerctl preview --tz Europe/Berlin "),
    ("python manage.py scheduler show nig", "manage.py scheduler show nightly "),
    ("python manage.py scheduler tok", "manage.py scheduler token "),
]


def complete(terminal: Terminal, typed: str, wanted: str) -> None:
    """Type this, and Tab until it is completed: a server on a loaded machine may answer too late
    for one Tab, but not for all. Then give the line up."""
    terminal.type(typed)
    for _ in range(10):
        terminal.type("\t")
        if terminal.until(wanted, BELL).endswith(wanted):
            terminal.type(GIVE_UP)
            return
    raise AssertionError(f"{typed!r} is not completed: {terminal.shown!r}")


def needs(shell: str) -> None:
    if not shutil.which(shell):
        missing(f"{shell} is not installed")
    if not find_spec("shtab"):
        missing("shtab is not installed")


@pytest.fixture
def scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[Path]]:
    """The scripts for a shell: of schedulerctl, and of manage.py."""

    def _scripts(shell: str) -> list[Path]:
        needs(shell)
        main(["completion", shell])
        (tmp_path / f"one.{shell}").write_text(capsys.readouterr().out)
        call_command("scheduler", "completion", shell)
        (tmp_path / f"two.{shell}").write_text(capsys.readouterr().out)
        return [tmp_path / f"{name}.{shell}" for name in ("one", "two")]

    return _scripts


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """With a server that knows the job nightly, the queued run 7 and the failed run 8."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "schedulerctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m scheduler_app.cli.main "$@"\n')
    program.chmod(0o755)
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCHEDULER_")}
    return kept | {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TERM": "dumb",
        "PS1": "ready> ",
    }


@pytest.fixture
def served(env: dict[str, str], serve: Callable[..., Server], make_job: MakeJob) -> None:
    make_job("nightly")
    now = timezone.now()
    for pk, state, end in ((7, RunState.QUEUED, None), (8, RunState.FAILED, now)):
        JobRun.objects.create(
            pk=pk, job_name="nightly", scheduled_for=now, due_at=now, state=state,
            started_at=end, finished_at=end, attempt=pk,
        )  # fmt: skip
    env["SCHEDULER_ENDPOINT"] = serve().address


@pytest.fixture
def shell(env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def _shell(name: str, *commands: str) -> Terminal:
        terminal = Terminal(SHELLS[name], env, ROOT)
        opened.append(terminal)
        # The prompt is set again: what is typed before the shell reads is echoed twice.
        terminal.type(f"{' && '.join([FIRST[name], *commands])} && PS1='com''plete> '\n")
        terminal.until("complete> ")
        return terminal

    yield _shell
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize("name", SHELLS)
def test_tab_completes_what_is_typed(
    served: None,
    scripts: Callable[[str], list[Path]],
    shell: Callable[..., Terminal],
    env: dict[str, str],
    name: str,
) -> None:
    terminal = shell(name, *(f"source {path}" for path in scripts(name)))
    for typed, wanted in COMPLETED:
        complete(terminal, typed, wanted)


@pytest.mark.parametrize("name", SHELLS)
def test_without_a_server_no_name_is_offered(
    scripts: Callable[[str], list[Path]],
    shell: Callable[..., Terminal],
    env: dict[str, str],
    name: str,
) -> None:
    env["SCHEDULER_ENDPOINT"] = "127.0.0.1:1"
    terminal = shell(name, *(f"source {path}" for path in scripts(name)))
    terminal.type("schedulerctl show nig\t")
    shown = terminal.until("\a")
    assert shown.rstrip("\a").endswith("schedulerctl show nig")


def test_endpoint_that_is_typed_is_asked(
    served: None,
    scripts: Callable[[str], list[Path]],
    shell: Callable[..., Terminal],
    env: dict[str, str],
) -> None:
    address = env.pop("SCHEDULER_ENDPOINT")
    terminal = shell("bash", *(f"source {path}" for path in scripts("bash")))
    complete(terminal, f"schedulerctl --endpoint=http://{address} show nig", "show nightly ")


def test_bash_keeps_djangos_completion(
    scripts: Callable[[str], list[Path]], shell: Callable[..., Terminal]
) -> None:
    sources = [f"source {path}" for path in scripts("bash")]
    terminal = shell("bash", f"{{ {DJANGOS}; }}", *sources, *sources)
    complete(terminal, "./manage.py mig", "manage.py migrate ")
    complete(terminal, "./manage.py sched", "manage.py scheduler ")


def test_zsh_loads_it_from_its_path(
    served: None,
    scripts: Callable[[str], list[Path]],
    shell: Callable[..., Terminal],
    tmp_path: Path,
) -> None:
    shutil.copy(scripts("zsh")[0], tmp_path / "_schedulerctl")
    terminal = shell("zsh", f"fpath=({tmp_path} $fpath)", "compinit -u -D")
    for _ in range(2):
        complete(terminal, "schedulerctl show nig", "show nightly ")


def test_fish_offers_what_is_typed(
    served: None, scripts: Callable[[str], list[Path]], env: dict[str, str]
) -> None:
    sources = "; ".join(f"source {path}" for path in scripts("fish"))

    def is_offered(word: str, typed: str) -> bool:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f'{sources}; complete -C "{typed}"'],
            env=env, cwd=ROOT, text=True, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        return word in [line.partition("\t")[0] for line in done.stdout.splitlines()]

    for typed, wanted in [*COMPLETED, ("schedulerctl show n", "nightly")]:
        eventually(partial(is_offered, wanted.split()[-1], typed))


def test_without_shtab_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(completion, "find_spec", lambda _: None)
    assert main(["completion", "bash"]) == 1
    assert "pip install 'django-memory-scheduler[cli]'" in capsys.readouterr().err
    with pytest.raises(CommandError, match="pip install"):
        call_command("scheduler", "completion", "bash")


def test_names_that_a_shell_may_expand_are_left_out(
    serve: Callable[..., Server], make_job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("nightly", "$(touch x)", "a b", "`x`", "emoji \N{SNOWMAN}"):
        make_job(name)
    assert main(["--endpoint", serve().address, "names", "jobs", "show", ""]) == 0
    assert capsys.readouterr().out == "nightly\n"


def test_names_without_an_answer_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["show", ""], ["--endpoint"], ["--endpoint", "x y", "show", "'a"]):
        assert main(["--endpoint", "127.0.0.1:1", "names", "jobs", *words]) in (0, 2)
    assert capsys.readouterr().out == ""
