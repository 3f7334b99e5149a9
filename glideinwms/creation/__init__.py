"""Reconfig: XML -> typed configuration -> policy and stage trees -> plan -> add-only publication -> one rename."""

import os

# its search for plug-ins in all that is installed costs more than the models
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
