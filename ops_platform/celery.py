"""The Celery application. The queue is a doorbell; the tables are the to-do list."""

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ops_platform.settings")
app = Celery("ops_platform", task_cls="workspaces.task_base:PlainTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Workers take from their queues in turn, so that two hundred nights keep no message waiting. Where one worker at least
# leaves the long nights to others (--exclude-queues long_nights), no short night waits for them.
app.conf.task_queues = [Queue("celery"), Queue("nights"), Queue("long_nights")]
# All that beat knows. What is due, and when, is in ops_platform/schedule.py.
TICK_SECONDS, SWEEP_SECONDS = 60.0, 10.0
app.conf.beat_schedule = {
    "tick": {"task": "ops_platform.tasks.tick", "schedule": TICK_SECONDS, "options": {"expires": 55}},
    "sweep": {"task": "ops_platform.tasks.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": 9}},
}
