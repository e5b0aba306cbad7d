"""数据导入: a file is uploaded, its columns are named, it is checked, and it runs as a row with progress."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from users import imports, selectors
from users.csv_files import BadFile
from users.csv_mapping import Mapping
from users.exports import csv_lines
from users.forms import KIND_LABELS, ROLE_LABELS, KindForm, LayoutForm, MappingForm, UploadForm, initial_of
from users.import_kinds import ABOUT_PEOPLE, KINDS, PROPERTY, SKIP
from users.import_run import KEPT_ERRORS
from users.imports import bad_upload, layout_of, mapping_of
from users.models import Import
from users.tasks import run_imports
from workspaces.errors import DomainError
from workspaces.permissions import action

SHOWN_ERRORS = 50


def find(pk: uuid.UUID) -> Import:
    file = selectors.find_import(pk)
    if file is None:
        raise Http404
    return file


def jobs_of(files: list[Import]) -> list[dict]:
    return [selectors.import_job(file) | {"file": file, "kind": KIND_LABELS[file.kind]} for file in files]


@require_safe
@action("imports.view")
def list_imports(request: HttpRequest) -> HttpResponse:
    """Every import with its state; the running ones refresh themselves."""
    return imports_page(request, UploadForm())


def imports_page(request: HttpRequest, form: UploadForm, status: int = 200) -> HttpResponse:
    jobs = jobs_of(selectors.list_imports())
    context = {"title": _("Data imports"), "form": form, "jobs": jobs, "rejects": selectors.recent_rejects()}
    context["summary"] = ngettext("%(n)s file so far", "%(n)s files so far", len(jobs)) % {"n": len(jobs)}
    context["active"] = any(job["active"] for job in jobs)
    template = "users/_imports.html" if request.htmx and request.method == "GET" else "users/imports.html"
    return render(request, template, context, status=status)


@require_POST
@action("imports.run")
def upload_file(request: HttpRequest) -> HttpResponse:
    """Keep the file and go on to its columns."""
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            upload = form.cleaned_data["file"]
            file = imports.receive_file(upload, upload.name, request.user)
            return redirect("users:import", request.workspace.slug, file.pk)
        except DomainError as problem:
            form.add_error("file", problem.message)
    return imports_page(request, form, 422)


@require_safe
@action("imports.view")
def show_import(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One import: its columns while nothing runs, its progress while something does, and what was refused."""
    file = find(pk)
    return import_page(request, file, mapping_of(file))


def import_page(
    request: HttpRequest,
    file: Import,
    mapping: Mapping,
    problem: DomainError | None = None,
    status: int = 200,
    layout_form: LayoutForm | None = None,
    form: MappingForm | None = None,
) -> HttpResponse:
    layout = layout_of(file)
    job = selectors.import_job(file)
    context = {
        "title": file.name,
        "file": file,
        "job": job,
        "failure": selectors.failure_of(file),
        "errors": selectors.list_row_errors(file, SHOWN_ERRORS),
        "kept_errors": min(file.rejected, KEPT_ERRORS),
        "effects": selectors.effects_of(file),
        "encoding": layout.encoding,
        "kinds": KIND_LABELS.items(),
        "kind_name": KIND_LABELS[mapping.kind],
        "about_people": mapping.kind in ABOUT_PEOPLE,
        "can_undo": imports.can_undo(file),
        "goes": imports.what_goes(file) if imports.can_undo(file) else {},
        "problem": problem,
    }
    if request.htmx and request.method == "GET":
        return progress_part(request, context)
    if job["ended"]:
        context |= {
            "layout_form": layout_form or LayoutForm(initial=initial_of(layout, mapping)),
            "mapping_form": form or MappingForm(initial=initial_of(layout, mapping)),
            **preview_context(request, file, mapping, problem),
        }
    return render(request, "users/import.html", context, status=status)


def progress_part(request: HttpRequest, context: dict) -> HttpResponse:
    """The part that moves. Once nothing moves any more the whole page is asked for: what comes next stands beside it."""
    response = render(request, "users/_progress.html", context)
    if not context["job"]["active"]:
        response["HX-Refresh"] = "true"
    return response


def preview_context(request: HttpRequest, file: Import, mapping: Mapping, problem: DomainError | None = None) -> dict:
    """Columns with their role, and the first rows as they would be read."""
    columns = [
        {
            "name": column,
            "place": place,
            "role": mapping.roles.get(column, "property"),
            "problem": problem.message if problem and problem.path in (column, mapping.roles.get(column)) else "",
        }
        for place, column in enumerate(layout_of(file).columns)
    ]
    try:
        rows, gone = selectors.preview_rows(request.workspace, file, mapping), ""
    except (BadFile, OSError) as error:
        rows, gone = [], bad_upload(error if isinstance(error, BadFile) else BadFile("file_gone")).message
    possible = (*KINDS[mapping.kind].roles, PROPERTY, SKIP)
    labels = ROLE_LABELS | ({PROPERTY: _("Keep as an attribute")} if mapping.kind == "users" else {})
    roles = [(role, labels[role]) for role in possible]
    kept = Path(file.path).exists()
    return {"columns": columns, "roles": roles, "rows": rows, "gone": gone, "kept": kept, "kind": mapping.kind}


def chosen(request: HttpRequest, file: Import) -> tuple[Mapping, MappingForm]:
    """The columns as chosen, also while something is missing, and the form, whose errors say what."""
    form = MappingForm(request.POST)
    form.is_valid()
    return form.mapping(layout_of(file), mapping_of(file)), form


@require_POST
@action("imports.run")
def preview_import(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The first rows as the columns chosen so far read them; stores nothing."""
    file = find(pk)
    mapping, _form = chosen(request, file)  # what is missing is said when it is started
    return render(request, "users/_preview.html", preview_context(request, file, mapping))


@require_POST
@action("imports.run")
def change_layout(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Read the file as one about something else, or with another delimiter, encoding or header."""
    file = find(pk)
    form = KindForm(request.POST) if "kind" in request.POST else LayoutForm(request.POST)
    try:
        if form.is_valid():
            imports.change_layout(file, **{"kind": file.kind} | form.cleaned_data)
    except DomainError as problem:
        typed = form if isinstance(form, LayoutForm) else None
        if typed and problem.code == "other_encoding":
            typed.add_error("encoding", problem.message)
        return import_page(request, file, mapping_of(file), problem, 422, typed)
    return redirect("users:import", request.workspace.slug, file.pk)


@require_POST
@action("imports.run")
def start_import(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Check the file (a dry run) or take it in, with the columns as chosen."""
    file = find(pk)
    mapping, form = chosen(request, file)
    if form.errors:
        return import_page(request, file, mapping, None, 422, form=form)
    try:
        imports.start_import(file, mapping, request.POST.get("verb") != "run", request.user)
    except DomainError as problem:
        return import_page(request, file, mapping, problem, 422, form=form)
    run_imports.ring(request.workspace)
    return redirect("users:import", request.workspace.slug, file.pk)


@require_POST
@action("imports.run")
def pause_import(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    imports.pause_import(find(pk), request.user)
    return redirect("users:import", request.workspace.slug, pk)


@require_POST
@action("imports.run")
def resume_import(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    if imports.resume_import(find(pk), request.user):
        run_imports.ring(request.workspace)
    return redirect("users:import", request.workspace.slug, pk)


@require_POST
@action("imports.run")
def cancel_import(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Stop, and take back what was stored so far."""
    if imports.cancel_import(find(pk), request.user):
        messages.info(request, _("Stopped. What was taken in so far is taken back."))
        run_imports.ring(request.workspace)
    return redirect("users:import", request.workspace.slug, pk)


@require_POST
@action("imports.run")
def undo_import(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Take back everything that a finished import stored."""
    if imports.undo_import(find(pk), request.user):
        run_imports.ring(request.workspace)
    else:
        messages.warning(request, _("There is nothing of this import left to take back."))
    return redirect("users:import", request.workspace.slug, pk)


@require_safe
@action("imports.view")
def download_errors(request: HttpRequest, pk: uuid.UUID) -> StreamingHttpResponse:
    """Every refused line: its number, the column, the reason and the value; safe to open in a spreadsheet."""
    errors = selectors.list_row_errors(find(pk))
    header = [_("Line"), _("Column"), _("Reason"), _("Value")]
    lines = csv_lines(header, ([error.line, error.column, error.sentence, error.value] for error in errors))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-errors-{pk}.csv"'
    return response
