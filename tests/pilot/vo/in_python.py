#!/usr/bin/env gwms-python
"""A script in Python, as VOs write them: configuration, a variable for the slot, a result."""

import os
import sys

import gconfig

config = sys.argv[1]
gconfig.gconfig_add("VO_From_Python", "caf\u00e9 'x' [a-z]*", config)
gconfig.gconfig_add_safe("VO_From_Python_Safe", gconfig.gconfig_get("VO_DIRECT", config).upper(), config)
gconfig.add_condor_config_var("VO_From_Python", kind="S", publish="Y", config=config)
if os.environ.get("VO_FAIL_PYTHON"):
    gconfig.status_report("in_python.py", ok=False, failure="VO_Config", detail="a <b> & c", metrics={"where": "here"})
    sys.exit(4)
gconfig.status_report("in_python.py", metrics={"python": str(sys.version_info[0])})
