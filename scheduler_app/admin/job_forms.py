"""What a person fills in to act on a job. Moments are read in the time zone of the job."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from inspect import Parameter
from typing import Any

from django import forms
from django.conf import settings
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler_app import added
from scheduler_app.admin.job_words import label, value_words
from scheduler_app.control import REASON_LIMIT
from scheduler_app.inspection import JobFunction, fillable, takes_context
from scheduler_app.models import Job
from scheduler_app.models.override import OVERRIDABLE
from scheduler_app.policies import DEFAULTS, MAX_DESCRIPTION, MAX_NAME, CatchUp, Overlap
from scheduler_app.registry import registry
from scheduler_app.status import JobStatus

MOMENT_FORMAT = "%Y-%m-%dT%H:%M"
MOMENT_FORMATS = (MOMENT_FORMAT, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
LONGEST_ARGUMENT = 10_000


class MomentField(forms.DateTimeField):
    """A date and a time, as browsers send them."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"}, format=MOMENT_FORMAT)
        super().__init__(widget=widget, input_formats=MOMENT_FORMATS, **kwargs)


class ActForm(forms.Form):
    """Why a person acts."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=REASON_LIMIT,
        widget=forms.TextInput({"size": 60}),
        help_text=gettext_lazy("Kept in the audit log."),
    )
    order = ("reason",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": ""} | kwargs)


class PauseForm(ActForm):
    until = MomentField(
        label=gettext_lazy("Until"),
        required=False,
        help_text=gettext_lazy("The job is resumed by itself then. Empty: when a person does."),
    )


class ResumeForm(ActForm):
    catch_up = forms.ChoiceField(
        label=gettext_lazy("Occurrences of the pause"),
        choices=CatchUp.choices,
        required=False,
        widget=forms.RadioSelect,
    )
    field_order = ("catch_up", "reason")

    def clean_catch_up(self) -> CatchUp:
        return CatchUp(self.cleaned_data["catch_up"] or CatchUp.SKIP)


class ArgumentsForm(ActForm):
    """A field for each argument that a function takes besides its context."""

    def __init__(self, *args: Any, parameters: Sequence[Parameter], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parameters = parameters
        for parameter in parameters:
            self.fields[_field(parameter)] = forms.CharField(
                label=format_html("<code>{}</code>", _named(parameter)),
                required=False,
                max_length=LONGEST_ARGUMENT,
                widget=forms.TextInput({"size": 40, "placeholder": _default(parameter)}),
            )

    def clean(self) -> dict[str, Any] | None:
        """Gather the arguments that were filled in: as JSON where they are that, else as text."""
        arguments = dict[str, Any]()
        for parameter in self.parameters:
            text = self.cleaned_data.get(_field(parameter), "")
            if not text:
                continue
            if parameter.kind is Parameter.VAR_KEYWORD:
                arguments |= self._more(parameter, text)
            else:
                arguments[parameter.name] = _value(parameter, text)
        self.cleaned_data["arguments"] = arguments
        return self.cleaned_data

    def _more(self, parameter: Parameter, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self.add_error(_field(parameter), _('Use JSON such as {"limit": 10}.'))
        return {}


class RunForm(ArgumentsForm):
    overlap = forms.ChoiceField(
        label=gettext_lazy("If the job has not ended"),
        required=False,
        choices=[
            ("", gettext_lazy("wait, unless the job allows overlap")),
            (Overlap.SKIP, gettext_lazy("do not run")),
            (Overlap.ALLOW, gettext_lazy("run beside it")),
            (Overlap.QUEUE, gettext_lazy("wait for its end")),
            (Overlap.CANCEL_PREVIOUS, gettext_lazy("cancel it first")),
        ],
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, parameters=parameters(name), **kwargs)
        self.order_fields([*map(_field, self.parameters), "overlap", "reason"])


class BackfillForm(ActForm):
    since = MomentField(label=gettext_lazy("From"))
    until = MomentField(label=gettext_lazy("Up to, not included"))
    include_succeeded = forms.BooleanField(
        label=gettext_lazy("Run again what succeeded, too"), required=False
    )
    field_order = ("since", "until", "include_succeeded", "reason")


class AddForm(ArgumentsForm):
    """What a new job is called, what it calls and with which arguments, when, and its policies."""

    name = forms.CharField(
        max_length=MAX_NAME,
        help_text=gettext_lazy("Lower-case letters, digits, '-', '_' and '.'."),
        widget=forms.TextInput({"size": 40, "class": "vTextField"}),
    )
    description = forms.CharField(
        required=False,
        max_length=MAX_DESCRIPTION,
        widget=forms.Textarea({"rows": 2, "cols": 60}),
    )
    words = forms.CharField(
        label=gettext_lazy("Arguments"),
        required=False,
        max_length=LONGEST_ARGUMENT,
        help_text=gettext_lazy("As on the command line, such as --days 3."),
        widget=forms.TextInput({"size": 60}),
    )

    def __init__(self, *args: Any, calls: str, **kwargs: Any) -> None:
        self.function = registry.functions.get(calls)
        self.calls = calls
        found = [] if self.function is None else parameters_of(self.function)
        defaults = asdict(DEFAULTS) | {"cron": "", "timezone": settings.TIME_ZONE, "jitter": 0}
        super().__init__(*args, parameters=found, initial=defaults, **kwargs)
        if self.function is not None:
            del self.fields["words"]
        for name in OVERRIDABLE:
            self.fields[name] = _setting(name)
        first = ("name", "words", *map(_field, found), *OVERRIDABLE)
        self.order_fields([*first, "description", "reason"])

    def clean_words(self) -> list[str]:
        try:
            return shlex.split(self.cleaned_data["words"])
        except ValueError as error:
            raise forms.ValidationError(_("These are no words: %s.") % error) from error

    def declaration(self) -> dict[str, Any]:
        """Return what control.add() takes of the form."""
        chosen = self.cleaned_data
        is_function = self.function is not None
        return {
            "function": self.calls if is_function else "",
            "command": "" if is_function else self.calls,
            "arguments": chosen["arguments"] if is_function else chosen["words"],
            "description": chosen["description"],
            "values": {name: _kept(name, chosen[name]) for name in OVERRIDABLE},
        }


class EditForm(ActForm):
    """A field for each that can be overridden, with what is in force."""

    etag = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, status: JobStatus, **kwargs: Any) -> None:
        self.in_force = in_force(status)
        initial = self.in_force | {"etag": status.etag} | (kwargs.pop("initial", None) or {})
        super().__init__(*args, initial=initial, **kwargs)
        for name in OVERRIDABLE:
            self.fields[name] = _setting(name, status)
        self.order_fields([*OVERRIDABLE, "reason"])

    def changes(self) -> dict[str, Any]:
        """Return the values that differ from what is in force."""
        chosen = {name: self._value(name) for name in OVERRIDABLE}
        return {name: value for name, value in chosen.items() if value != self.in_force[name]}

    def values(self) -> dict[str, Any]:
        """Return what would be in force."""
        return self.in_force | self.changes()

    def _value(self, name: str) -> Any:
        return _kept(name, self.cleaned_data[name])


def _kept(name: str, value: Any) -> Any:
    return " ".join(value.split()) if name == "cron" and isinstance(value, str) else value


def in_force(status: JobStatus) -> dict[str, Any]:
    """Return what is in force of each field that can be overridden."""
    own = {"cron": status.cron, "timezone": status.timezone, "jitter": status.jitter}
    return {
        name: own[name] if name in own else getattr(status.policies, name) for name in OVERRIDABLE
    }


def _setting(name: str, status: JobStatus | None = None) -> forms.Field:
    model_field: Any = Job._meta.get_field(name)
    if model_field.choices:
        choices = [(value, f"{value}: {words}") for value, words in model_field.choices]
        field: forms.Field = forms.ChoiceField(choices=choices)
    else:
        field = model_field.formfield()
    if status and name in status.overrides and name in status.declared:
        declared = value_words(status.declared[name])
        field.help_text = _("Overridden; the code declares %s.") % declared
    elif field.help_text:
        field.help_text = _(str(field.help_text))
    if name == "cron":
        field.widget = forms.TextInput({"size": 40, "class": "vTextField", "spellcheck": "false"})
    if name == "timezone":
        field.widget.attrs["list"] = "zones"
    field.label = label(name).capitalize()
    return field


def parameters(name: str) -> list[Parameter]:
    """Return the parameters of a job's function that a person can fill, as far as the code of this
    process knows the job."""
    definition = added.find(name, registry)
    return definition.parameters() if definition else []


def parameters_of(function: JobFunction) -> list[Parameter]:
    """Return the parameters of a function that a person can fill."""
    return fillable(function, with_context=takes_context(function))


def _field(parameter: Parameter) -> str:
    return f"argument_{parameter.name}"


def _named(parameter: Parameter) -> str:
    return f"**{parameter.name}" if parameter.kind is Parameter.VAR_KEYWORD else parameter.name


def _default(parameter: Parameter) -> str:
    if parameter.kind is Parameter.VAR_KEYWORD:
        return '{"name": "value"}'
    return "" if parameter.default is Parameter.empty else value_text(parameter.default)


def value_text(value: Any) -> str:
    """Return a default as a person would type it."""
    try:
        return value if isinstance(value, str) else json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return ""


def _value(parameter: Parameter, text: str) -> Any:
    if parameter.annotation in (str, "str"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def hidden(form: forms.Form) -> Mapping[str, str]:
    """Return the fields of a bound form as they were sent, to be sent again."""
    return {
        name: value
        for name, value in form.data.items()
        if name in form.fields  # each sent once
    }
