"""What leads to a person beside the tables about people: links between ids, whom others were brought by, uploads, samples
of what arrived or was refused, and the audit trail."""

from __future__ import annotations

import mmap
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path

from django.db.models import Q

from users.erasure_about import About
from users.import_effects import forget_in_effects
from users.imports import ACTIVE, folder
from users.models import Arrival, IdentityLink, IdentityMerge, Import, ImportRowError, IngestError
from users.xlsx_files import BadSheet, is_xlsx, mentions
from workspaces.services import forget_in_audit
from workspaces.sql import run_sql


def erase_traces(about: About) -> int:
    """Erase all of it, in the open scope; returns how many rows were changed. May run several times."""
    ids = list(map(str, about.ids))
    rows = erase_identities(about)
    rows += run_sql("users/erase_touched", ids=ids)[0]["rows"]
    rows += erase_referrals(about)
    rows += run_sql("users/erase_inviters", ids=ids, names=about.external_ids)[0]["rows"]
    rows += Arrival.objects.filter(people__overlap=about.ids)._raw_delete("default")
    # Nobody can say whose the refused items are: all of these samples go.
    rows += IngestError.objects.all()._raw_delete("default")
    rows += forget_in_effects(about.texts)
    rows += erase_uploads(about, [row["file_id"] for row in run_sql("users/erase_from_batches", ids=ids)])
    return rows + forget_in_audit(about.texts)


def erase_identities(about: About) -> int:
    links = IdentityLink.objects.filter(Q(end_user__in=about.ids) | Q(known_id__in=about.ids))
    merges = IdentityMerge.objects.filter(Q(end_user__in=about.ids) | Q(into_id__in=about.ids))
    rows = links._raw_delete("default") + merges._raw_delete("default")
    for name in about.external_ids:
        named = Q(why__contains=[{"previous": name}]) | Q(why__contains=[{"person": name}])
        rows += IdentityMerge.objects.filter(named).update(why=[])
    return rows


def erase_referrals(about: About) -> int:
    """Whom they brought keep everything else."""
    found = run_sql("users/erase_referrals", names=about.external_ids)[0]
    if not found["people"]:
        return found["rows"]
    people = list(map(str, found["people"]))
    events = run_sql("users/erase_referral_events", people=people, names=about.external_ids)
    return found["rows"] + events[0]["rows"]


def erase_uploads(about: About, files: Iterable[uuid.UUID]) -> int:
    """Delete the uploaded files that tell of the person, and what is kept of the refused lines of these and of `files`.

    A file that is being read stays for now: the second pass waits for it.
    """
    needles, told = needles_of(about), set(files)
    for file in Import.objects.exclude(state__in=ACTIVE):
        path = Path(file.path)
        if path.parent == folder() and contains(path, needles):
            path.unlink(missing_ok=True)
            told.add(file.pk)
    values = [text[:200] for text in about.texts]
    return ImportRowError.objects.filter(Q(file__in=told) | Q(value__in=values)).exclude(value="").update(value="")


def needles_of(about: About) -> set[str]:
    """Ids and addresses as they may stand in a file. A short id is found in many files: rather one file too many."""
    return {*about.external_ids, *(one for several in about.addresses.values() for one in several)}


def contains(path: Path, needles: Collection[str]) -> bool:
    if not needles:  # the erasure of somebody whom another one has erased
        return False
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if is_xlsx(content[:4]):
                return mentions(path, needles)
            told = {text.encode(encoding, "replace") for text in needles for encoding in ("utf-8", "gb18030")}
            return any(content.find(needle) >= 0 for needle in told)
    except BadSheet:  # nobody can look into it
        return True
    except (OSError, ValueError):  # gone, or empty
        return False
