"""Writes docs/cli.md from the parsers of the command line, and docs/api.md from the comments of
protos/memory.proto: python -m docs.generate"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc_tools
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from scheduler_app.cli import completion
from scheduler_app.cli.parser import add_commands

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

MADE = "<!-- Made by docs/generate.py: change {} instead. -->"
Field = descriptor_pb2.FieldDescriptorProto
File = descriptor_pb2.FileDescriptorProto
TYPES = {number: name.removeprefix("TYPE_").lower() for name, number in Field.Type.items()}
ENUM, MESSAGE, SERVICE = 5, 4, 6  # the numbers of a file's fields


def cli_page() -> str:
    """Return docs/cli.md."""
    return "\n".join([*_cli_lines(), ""])


def _cli_lines() -> Iterator[str]:
    yield "# Command line"
    yield ""
    yield MADE.format("scheduler_app/cli/parser.py")
    yield ""
    yield from (
        "`manage.py scheduler COMMAND` asks the server at `--endpoint` or the environment's "
        "`SCHEDULER_ENDPOINT`: by default the scheduler's Unix socket, or else "
        "`http://127.0.0.1:50051`. If no server on this machine answers, it asks the database, "
        "and says so. [Who may do what](security.md) explains tokens and certificates.",
        "",
        "Exit codes: 0 done; 1 refused, or not what was asked for; 2 a wrong command line, "
        "endpoint or file; 3 no server answers, or its database does not; 4 not permitted.",
        "",
        "`--json` prints one object a line (`status`: one object) with the names of "
        "[the API](api.md), moments in ISO 8601 and lengths of time in seconds. A later release "
        "may add fields to an object, and neither removes nor renames one.",
        "",
        "`schedulerctl COMMAND` is the same against a server alone, and needs no Django. It takes "
        "`endpoint`, `token`, `ca`, `cert` and `key` from its command line, from the environment "
        "(`SCHEDULER_ENDPOINT`, `SCHEDULER_TOKEN` and so on), or from the file "
        "`~/.config/schedulerctl.toml`, or another that `SCHEDULER_CONFIG` names. "
        "`manage.py scheduler` reads such a file only if `SCHEDULER_CONFIG` names it.",
        "",
        "[On a terminal](terminal.md) tells of colours, and how to have your shell complete what "
        "you type.",
        "",
        "`token`, `audit-ledger` and `import` work on the database alone: see the "
        "[reference](reference.md) and [Moving](moving.md).",
    )
    parser = argparse.ArgumentParser(prog="manage.py scheduler")
    subparsers = parser.add_subparsers()
    add_commands(subparsers)
    completion.add_command(subparsers, parser, completion.MANAGE)
    for name, command in subparsers.choices.items():
        yield from ("", f"## {name}", "", str(command.description), "")
        actions = [action for action in command._actions if action.dest != "help"]
        yield from ("```text", f"manage.py scheduler {_usage(name, actions)}", "```")
        told = [action for action in actions if action.help]
        if told:
            yield from ("", "| argument | meaning |", "| --- | --- |")
        for action in told:
            yield f"| `{_named(action)}` | {action.help}{_choices(action)} |"


def _usage(name: str, actions: list[argparse.Action]) -> str:
    """Return it in words of our own: those of argparse differ with Python's versions."""
    positional = [_named(each) for each in actions if not each.option_strings and each.nargs != "?"]
    optional = [_named(each) for each in actions if not each.option_strings and each.nargs == "?"]
    options = [_named(each) for each in actions if each.option_strings]
    return " ".join([name, *positional, *(f"[{each}]" for each in optional + options)])


def _choices(action: argparse.Action) -> str:
    if not action.choices or action.metavar:
        return ""
    return f" One of {', '.join(action.choices)}."


def _named(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    if not action.option_strings:
        return metavar
    takes_value = action.nargs != 0
    if takes_value and action.choices and action.metavar is None:
        metavar = "STATE"
    return (
        f"{action.option_strings[0]} {metavar.upper()}" if takes_value else action.option_strings[0]
    )


def api_page() -> str:
    """Return docs/api.md."""
    file = _described()
    comments = {
        tuple(location.path): _sentence(location.leading_comments)
        for location in file.source_code_info.location
    }
    return "\n".join([*_api_lines(file, comments), ""])


def _sentence(comment: str) -> str:
    words = " ".join(comment.split()).rstrip(".")
    return f"{words}." if words else ""


def _described() -> File:
    known = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "memory.pb"
        options = ["--include_source_info", f"--descriptor_set_out={target}"]
        protos = ROOT / "protos"
        if protoc.main(["protoc", f"-I{protos}", f"-I{known}", *options, "memory.proto"]):
            raise SystemExit("protos/memory.proto cannot be compiled")
        (file,) = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file
    return file


def _api_lines(file: File, comments: dict[tuple[int, ...], str]) -> Iterator[str]:
    yield from ("# API", "", MADE.format("protos/memory.proto"), "")
    yield from (
        "`memory.MemoryService` over gRPC, beside `grpc.health.v1.Health` and reflection. The "
        "package has the file as `scheduler_app/memory.proto`.",
        "",
        "An error has a status code, a text that says what was wrong and what would be right, and "
        "google.rpc details: an `ErrorInfo` with a `reason` that stays the same, and a "
        "`BadRequest` that names the field. `INTERNAL` carries nothing: the server's log has it.",
        "",
        "The status is kept in memory and follows what our code commits within a quarter of a "
        "second; a change made in the database by hand is seen within a few seconds (with "
        "thousands of jobs: within a minute).",
        "",
        "A list comes in pages, in an order that does not change: ask again with the "
        "`next_page_token` as `page_token`, and with the same filter.",
        "",
        "## Calls",
    )
    for number, method in enumerate(file.service[0].method):
        request, response = (_name(each) for each in (method.input_type, method.output_type))
        yield from ("", f"### {method.name}", "", comments[SERVICE, 0, 2, number], "")
        yield f"[{request}](#{request.lower()}) → [{response}](#{response.lower()})"
    yield from ("", "## Messages")
    for index, message in enumerate(file.message_type):
        yield from ("", f"### {message.name}", "", comments[MESSAGE, index])
        if message.field:
            yield from ("", "| number | field | type | meaning |", "| --- | --- | --- | --- |")
        for number, field in enumerate(message.field):
            told = comments.get((MESSAGE, index, 2, number), "")
            yield f"| {field.number} | `{field.name}` | {_type(field, message)} | {told} |"
    yield from ("", "## Enums")
    for index, enum in enumerate(file.enum_type):
        yield from ("", f"### {enum.name}", "", comments[ENUM, index], "")
        yield from ("| number | value | meaning |", "| --- | --- | --- |")
        for number, value in enumerate(enum.value):
            told = comments.get((ENUM, index, 2, number), "")
            yield f"| {value.number} | `{value.name}` | {told} |"


def _type(field: Field, message: Any) -> str:
    entry = next(
        (each for each in message.nested_type if each.name == _name(field.type_name)), None
    )
    if entry is not None:
        return "map of text to text"
    name = _name(field.type_name) if field.type_name else TYPES[field.type]
    if field.type_name.startswith(".memory."):
        name = f"[{name}](#{name.lower()})"
    if field.label == Field.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _name(path: str) -> str:
    return path.rpartition(".")[2]


PAGES = {"cli.md": cli_page, "api.md": api_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
