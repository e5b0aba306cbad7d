"""The form of the thresholds. Each comes with the sentence that says what it decides."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ops_platform import names
from segmentation.rfm import GROUPS, VALUE_CLASSES
from segmentation.rfm_axes import CHOICES, axes_of
from workspaces.currencies import decimals_of
from workspaces.models import Workspace
from workspaces.rules import LEAST_MONTHS, MOST_EXPORT_DAYS, MOST_MONTHS, Rules


class NumbersField(forms.CharField):
    """Rising numbers with commas between them, such as 7, 15, 30; "" for none.

    `decimals` places are allowed and the values are kept as whole numbers of that smallest unit: "9.90" is 990.
    """

    def __init__(self, *, count: int | None = None, least: int = 0, **options: Any) -> None:
        self.count, self.least, self.decimals = count, least, 0
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return ", ".join(f"{Decimal(number).scaleb(-self.decimals):f}" for number in value)

    def clean(self, value: Any) -> list[int]:
        parts = [part.strip() for part in super().clean(value).replace("，", ",").split(",") if part.strip()]
        try:
            scaled = [Decimal(part).scaleb(self.decimals) for part in parts]
        except ArithmeticError as error:  # no number, or one whose exponent is beyond all numbers
            raise ValidationError(_("Numbers with commas between them.")) from error
        if not all(
            number.is_finite() and number == number.to_integral_value() and self.least <= number < 10**12
            for number in scaled
        ):
            raise ValidationError(_("A number is too small, too large, or has too many decimals."))
        if scaled != sorted(set(scaled)):
            raise ValidationError(_("Each number larger than the one before."))
        if scaled and self.count and len(scaled) != self.count:
            raise ValidationError(_("Exactly %(n)s numbers.") % {"n": self.count})
        return [int(number) for number in scaled]


def days(label: Any, hint: Any, required: bool = True) -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=hint, min_value=1, max_value=3650, required=required)


def share(label: Any, hint: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=hint, min_value=1, max_value=100)


def choose(field: forms.Field, choices: list[Any]) -> None:
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


class RulesForm(forms.Form):
    """Every threshold of the workspace. Names are those of workspaces.rules.Rules, save the axes and their cut points."""

    habit_days = days(_("Habit: days"), _("Habit is the habit event on at least this many different days …"))
    habit_window = days(_("Habit: within"), _("… within a window of this many days."))
    pay_stage = forms.BooleanField(
        label=_("Use the stage Paying"),
        required=False,
        help_text=_("Only where paying is something else than the core action itself."),
    )
    recommendation_days = days(
        _("Advocate: a recommendation within"), _("Days for which a friend who really uses the product counts.")
    )
    subsidy_percent = share(
        _("Subsidy-dependent from"),
        _("Percent of a year's orders (at least 4) with a targeted coupon; such people are no advocates."),
    )
    limit_rule = forms.ChoiceField(
        label=_("Limit"),
        choices=[
            ("personal", _("from each person's own rhythm")),
            ("fixed", _("the same days for everybody")),
            ("with_balance", _("own rhythm, and the balance has gone")),
        ],
        help_text=_("Whoever is away longer is dormant; from habit upwards that is churned."),
    )
    limit_days = days(
        _("Limit without a rhythm"),
        _("Days, for everybody under “the same”, else for people with fewer than 4 active days."),
    )
    limit_min = days(_("Limit at least"), _("Days; a personal limit is never shorter."))
    limit_max = days(_("Limit at most"), _("Days; a personal limit is never longer."))
    slipping_percent = share(_("Slipping from"), _("Percent of the limit: time to write before it is too late."))
    warn_halved = forms.BooleanField(
        label=_("Warn when active days halve"),
        required=False,
        help_text=_("At most half as many active days in 30 days as in the 30 before, which had at least 4."),
    )
    warn_complaint = forms.BooleanField(
        label=_("Warn of open complaints"),
        required=False,
        help_text=_("A Ticket Opened of the last 30 days without its Ticket Resolved for more than 48 hours."),
    )
    warn_failed = forms.BooleanField(
        label=_("Warn of failures"),
        required=False,
        help_text=_(
            "In the last 30 days a Payment Failed without a payment since, or an App Crashed without a visit since."
        ),
    )
    warn_balance = forms.BooleanField(
        label=_("Warn when the balance halves"),
        required=False,
        help_text=_("Half or less of what it was 30 days ago; balances are kept from the night this is switched on."),
    )
    balance_attribute = forms.CharField(
        label=_("Balance attribute"),
        required=False,
        max_length=100,
        help_text=_("The user attribute that holds the balance."),
    )
    balance_floor = forms.IntegerField(label=_("Balance floor"), help_text=_("At or below this the balance has gone."))
    recall_days = NumbersField(
        label=_("Recall ladder"),
        least=1,
        max_length=100,
        help_text=_("Days away at which to write, once per absence: 7, 15, 30."),
    )
    rfm_window = days(_("RFM window"), _("Days of orders that count; empty for all of history."), required=False)
    rfm_method = forms.ChoiceField(
        label=_("RFM scores"),
        choices=[("quantile", _("by fifths of the buyers")), ("fixed", _("by fixed cut points"))],
        help_text=_("Fifths move with the buyers; fixed cut points stay until you change them."),
    )
    cuts_r = NumbersField(
        label=_("Cut points of R"),
        required=False,
        count=4,
        max_length=100,
        help_text=_("Four numbers of days since the last order."),
    )
    cuts_f = NumbersField(
        label=_("Cut points of F"), required=False, count=4, max_length=100, help_text=_("Four numbers of orders.")
    )
    cuts_m = NumbersField(
        label=_("Cut points of M"), required=False, count=4, max_length=100, help_text=_("Four amounts of money.")
    )
    value_class_by = forms.ChoiceField(
        label=_("Eight classes"),
        choices=[("mean", _("against the average value")), ("scores", _("against the average score"))],
        help_text=_("What makes R, F and M high or low."),
    )
    axis_r = forms.ChoiceField(label=_("R is"), help_text=_("How long ago, or how much: the rows of the board."))
    axis_f = forms.ChoiceField(
        label=_("F is"), help_text=_("How often: the columns of the board. Who has none is not scored.")
    )
    axis_m = forms.ChoiceField(
        label=_("M is"), help_text=_("How much it is worth: the third bit of the eight classes.")
    )
    rfm_best_group = forms.ChoiceField(label=_("Target group"), help_text=_("The group you lead people to."))
    effective_days = days(_("Effective newcomer within"), _("Days from registration to the first core action."))
    conversion_days = forms.IntegerField(
        label=_("Conversion window"),
        min_value=1,
        max_value=30,
        help_text=_("Days after the audience was frozen in which the chosen event counts."),
    )
    consent_required = forms.BooleanField(
        label=_("Write only to people who agreed"),
        required=False,
        help_text=_("Otherwise to everybody who has not opted out."),
    )

    night_late_minutes = forms.IntegerField(
        label=_("Late after"),
        min_value=1,
        max_value=1440,
        help_text=_("Minutes after 03:00; then admins are told that the daily update is not there."),
    )
    jump_percent = forms.IntegerField(
        label=_("A jump is more than"),
        min_value=1,
        max_value=1000,
        help_text=_("Percent by which people of a stage, an activity or an RFM group differ from the night before."),
    )
    value_buyers = forms.IntegerField(
        label=_("Expected value: buyers"),
        min_value=1,
        max_value=1_000_000,
        help_text=_("With fewer buyers nothing is predicted."),
    )
    value_repeaters = forms.IntegerField(
        label=_("Expected value: repeat buyers"),
        min_value=1,
        max_value=1_000_000,
        help_text=_("With fewer who ordered on two days or more nothing is predicted."),
    )
    margin_percent = share(_("Margin"), _("Percent of what people spend that is left to earn back what they cost."))

    keep_events_months = forms.IntegerField(
        label=_("Keep events, in months"),
        min_value=LEAST_MONTHS,
        max_value=MOST_MONTHS,
        required=False,
        help_text=_(
            "Months before this one; empty to keep all. Older events are deleted every night, for good. Metrics, orders and"
            " stages stay; conditions on single events and the history of a person see only what is kept."
        ),
    )

    keep_exports_days = forms.IntegerField(
        label=_("Keep exported files, in days"),
        min_value=1,
        max_value=MOST_EXPORT_DAYS,
        help_text=_("Files of lists that were exported are deleted after so many days."),
    )

    def __init__(self, data: Any = None, *, workspace: Workspace) -> None:
        self.rules = rules = workspace.rules
        cuts = {f"cuts_{axis}": rules.rfm_cuts.get(axis, []) for axis in "rfm"}
        axes = {f"axis_{axis.letter}": axis.fact.key for axis in axes_of(rules)}
        super().__init__(data, initial=rules.as_dict() | cuts | axes)
        for axis in "rfm":
            choose(self.fields[f"axis_{axis}"], [(key, fact.label) for key, fact in CHOICES.items()])
            points = self.fields[f"cuts_{axis}"]
            assert isinstance(points, NumbersField)
            chosen = CHOICES.get(str(self[f"axis_{axis}"].value()))
            points.decimals = decimals_of(workspace.currency) if chosen and chosen.unit == "minor" else 0
        groups = [(key, names.label("rfm", key)) for key, group in GROUPS.items() if group.cells]
        classes = [(key, f"{names.label('bits', key)} {key}") for key in VALUE_CLASSES]
        choose(self.fields["rfm_best_group"], [(_("RFM groups"), groups), (_("Value classes"), classes)])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("rfm_method") == "fixed":
            for axis in "rfm":
                if not cleaned.get(f"cuts_{axis}") and f"cuts_{axis}" not in self.errors:
                    self.add_error(f"cuts_{axis}", _("Fixed cut points are needed here."))
        return cleaned

    def changes(self) -> dict[str, Any]:
        """What differs from the present rules, as ops_platform.rules_change.propose takes it."""
        values = {
            field.name: self.cleaned_data[field.name] for field in fields(Rules) if field.name in self.cleaned_data
        }
        values["rfm_cuts"] = {
            axis: self.cleaned_data[f"cuts_{axis}"] for axis in "rfm" if self.cleaned_data.get(f"cuts_{axis}")
        }
        values["rfm_axes"] = [self.cleaned_data[f"axis_{axis}"] for axis in "rfm"]
        present = self.rules.as_dict() | {"rfm_axes": tuple(axis.fact.key for axis in axes_of(self.rules))}
        return {
            key: value
            for key, value in values.items()
            if value != (list(present[key]) if isinstance(present[key], tuple) else present[key])
        }
