"""Reconfig: XML -> typed configuration -> policy and stage trees -> plan -> add-only publication -> one rename."""
