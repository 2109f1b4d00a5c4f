"""Measurements that a person runs by `manage.py bench NAME`; nothing of the product imports them."""
