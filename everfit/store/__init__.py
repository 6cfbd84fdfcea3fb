"""Postgres and the lake: tables, transactions, migrations, and content-addressed partitions."""
