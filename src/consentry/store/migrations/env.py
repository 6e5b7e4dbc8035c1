"""Alembic's entry point: runs on the connection that `migrate.bring_up_to_date` hands over."""

from alembic import context

from consentry.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
    render_as_batch=True,
)
context.run_migrations()
