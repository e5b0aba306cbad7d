from tests.users.conftest import stored, track
def test_it(send, acme):
    r=send("track", track()); print(r.content); assert r.status_code==200
    r=send("track", track()); print(r.content)
    r=send("batch", {"batch":[track("a"),track("a"),track("b",properties={"total":12.345,"x":"c:\\temp\n"}), {"type":"identify","userId":"u1","traits":{"email":"A@B.com","phone":"13800138000"}}]}); print(r.content)
    for e in stored(acme): print(e.name.name,e.message_id,e.properties,e.amount_minor,e.end_user.email,e.end_user.phone,e.end_user.created_at)
    assert 0
