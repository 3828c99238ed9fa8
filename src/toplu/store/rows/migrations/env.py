"""Runs the migrations on the connection, and in the transaction, that the database hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # The caller's transaction holds all steps together; Alembic is not to end it in between.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
