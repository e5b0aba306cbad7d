"""The Celery application. The queue is a doorbell; the tables are the to-do list."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ops_platform.settings")
app = Celery("ops_platform", task_cls="workspaces.task_base:PlainTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# The only thing beat knows. What is due, and when, is in ops_platform/schedule.py.
app.conf.beat_schedule = {"tick": {"task": "ops_platform.tasks.tick", "schedule": 60.0, "options": {"expires": 55}}}
