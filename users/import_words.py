"""What went wrong with a file or a row, in a sentence an operator can act on. Keys are the codes that are stored."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

SENTENCES = {
    # the file
    "empty_file": gettext_lazy("The file is empty."),
    "no_rows": gettext_lazy("The file has a header and no rows below it."),
    "no_lines": gettext_lazy("The file has a line of more than 1 MB, so it is no table: save it as “CSV UTF-8”."),
    "too_large": gettext_lazy("The file is larger than 200 MB: split it."),
    "too_many_columns": gettext_lazy("The file has more than 255 columns."),
    "duplicate_column": gettext_lazy("Two columns have the same name: rename one."),
    "invalid_encoding": gettext_lazy("The text is neither UTF-8 nor GB18030: save the file as “CSV UTF-8”."),
    "other_encoding": gettext_lazy("The text is not in the encoding chosen: choose the other one."),
    "too_many_rows": gettext_lazy("The file has more than 2 million rows: split it."),
    "spreadsheet": gettext_lazy("This is an old Excel file: save it as .xlsx or as “CSV UTF-8”."),
    "broken_xlsx": gettext_lazy(
        "This is no sound Excel file: open it, save it as .xlsx or as “CSV UTF-8”, and upload that."
    ),
    "xlsx_bomb": gettext_lazy(
        "The Excel file unpacks to far more than it holds: save it as “CSV UTF-8” and upload that."
    ),
    "storage_full": gettext_lazy("The server has no room for the file, and nothing of it was kept: try again later."),
    "file_gone": gettext_lazy("The file is no longer kept: upload it again."),
    "stumbled": gettext_lazy(
        "It stopped twice in the same place. Have the server's log looked at and start again; what was taken in before"
        " can be undone."
    ),
    "undo_stumbled": gettext_lazy(
        "Taking it back stopped twice in the same place, and a part of it is still there. Have the server's log looked at,"
        " then undo it again: what is left goes."
    ),
    "import_active": gettext_lazy("This import is running: cancel it first."),
    # the mapping
    "missing_role": gettext_lazy("Say which column this is; without it no row can be read."),
    "role_twice": gettext_lazy("Only one column can be this."),
    "unknown_column": gettext_lazy("The file has no such column."),
    "other_kind": gettext_lazy("A file of this kind has no such column."),
    "not_confirmed": gettext_lazy("Confirm that these people agreed, or leave the opt-ins out."),
    # a row
    "malformed_csv": gettext_lazy("A quotation mark is never closed, or stands in the wrong place."),
    "wrong_columns": gettext_lazy("The row has more or fewer cells than the header."),
    "missing_identifier": gettext_lazy("The row names no user."),
    "invalid_identifier": gettext_lazy("This does not name a user, such as null, 0 or undefined."),
    "missing_event": gettext_lazy("The row names no event."),
    "invalid_timestamp": gettext_lazy("This is no time in the chosen format, or lies before 1970 or in the future."),
    "order_apart": gettext_lazy("Rows of this order stood further up: sort the file by order number."),
    "invalid_amount": gettext_lazy("This is no amount, such as 1234.50."),
    "other_currency": gettext_lazy("The amount is in another currency than this workspace."),
    "invalid_email": gettext_lazy("This is no email address."),
    "invalid_phone": gettext_lazy("This is no phone number; spreadsheets like to ruin them."),
    "invalid_choice": gettext_lazy("This is neither a yes nor a no."),
    "invalid_channel": gettext_lazy(
        "This is no channel: email, sms or push, or a topic of one as in email/promotions."
    ),
    "invalid_tag": gettext_lazy("A tag has at most 50 characters; between tags stands a comma."),
    "invalid_zone": gettext_lazy("This is no time zone, such as Asia/Shanghai."),
    "would_loosen": gettext_lazy("This would let somebody be written to who has not agreed: opt-ins are left out."),
    "invalid_string": gettext_lazy("There are control characters in the text."),
    "too_long": gettext_lazy("The text is too long: at most 255 characters for ids, 200 for event names."),
    "event_too_large": gettext_lazy("The row is larger than 32 KB."),
    "number_out_of_range": gettext_lazy("The number is too large."),
    "erased": gettext_lazy("This user was erased: what is told of them is not kept."),
    "too_many_names": gettext_lazy("The workspace has 5,000 event names: is the right column mapped as the event?"),
}


def sentence(code: str) -> str:
    """The sentence of a code in the reader's language; the code itself when it is not known. `code:line` names the line."""
    code, _colon, line = code.partition(":")
    text = str(SENTENCES.get(code, code))
    return _("Line %(line)s: %(text)s") % {"line": line, "text": text} if line else text
