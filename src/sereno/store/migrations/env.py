"""Runs the migrations inside the transaction that the caller has begun, and tells of each that is done."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=None,
    on_version_apply=lambda *, step, **_: attributes["told"](step.up_revision_id),
)
context.run_migrations()
