"""Made-up people and events by the million, for figures: `manage.py make_bench_data`."""
