"""What the web server runs for all addresses but those of ingest (users/ingest/wire.py): Django in a pool of threads."""

import gc
import sys

from ops_platform import wsgi  # sets Django up
from ops_platform.pages import Pages

application = Pages(wsgi.application, workers=4)  # type: ignore[arg-type]

# What is loaded stays, and a batch of events makes tens of thousands of objects that go again by themselves: looking
# through all of them for cycles as often as Python does by default costs a third of the time.
gc.freeze()
gc.set_threshold(50_000, 20, 50)
# So long a thread may go on while another one wants to: connections and what is stored for them are two, and with Python's
# own 5 ms they wait for each other more than for the database.
sys.setswitchinterval(0.001)
