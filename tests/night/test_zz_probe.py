from datetime import date
import time
from tests import builders
from tests.oracle import cdnow
from tests.night.against_oracle import departures
from users.models import EndUser
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace
from ops_platform.nightly import run_night
def test_probe(db):
    w = create_workspace("cdnow", "CDNOW", zone="UTC", currency="USD", industry="ecommerce")
    t=time.time()
    events, people = cdnow.frames()
    with workspace_scope(w):
        EndUser.objects.bulk_create(builders.unsaved_people(w, zip(people.external_id, people.created_at, strict=True)))
    builders.events(w, builders.rows_of(events)); print("load", time.time()-t)
    import users.night as N
    oc=N.compute; ow=N.write_differences
    def c(name,path,*a,**k):
        t=time.time(); oc(name,path,*a,**k); 
        if time.time()-t>.2: print("   ",path,round(time.time()-t,2))
    def wd(name,*a,**k):
        t=time.time(); r=ow(name,*a,**k); 
        if time.time()-t>.2: print("   write",name,round(time.time()-t,2))
        return r
    N.compute=c; N.write_differences=wd
    for d in (date(1997,9,30), cdnow.LAST_DAY, cdnow.LAST_DAY):
        s=run_night(w,d); print({x["step"]:x["seconds"] for x in s["steps"]}, s["changes"])
    N.compute=oc; N.write_differences=ow
    t=time.time(); assert departures(w, cdnow.LAST_DAY).empty; print("oracle", time.time()-t)
