"""Run migrations on the connection that :func:`everfit.store.database.migrate` hands over."""

from alembic import context

from everfit.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, compare_server_default=True)
with context.begin_transaction():
    context.run_migrations()
