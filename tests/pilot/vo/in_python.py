#!/usr/bin/env gwms-python
"""A script in Python, as VOs write them: configuration, a variable for the slot, a result."""

import os
import sys

import gconfig

config = sys.argv[1]
gconfig.gconfig_add("VO_From_Python", "caf\u00e9 'x' [a-z]*", config)
gconfig.gconfig_add_safe(
    "VO_From_Python_Safe", gconfig.gconfig_get("VO_DIRECT", config).upper(), config
)
mine = gconfig.GlideinConfig(config)
if mine.get("VO_NONE") is not None or gconfig.gconfig_reload(config)["VO_From_Python"] != mine.get(
    "VO_From_Python"
):
    sys.exit("what was written is not read")
gconfig.add_condor_config_var("VO_From_Python", "-", "S", conf_fname=config)
if os.environ.get("VO_FAIL_PYTHON"):
    gconfig.status_report(
        "in_python.py", False, "VO_Config", "a <b> & c", {"where": "here"}.items()
    )
    sys.exit(4)
gconfig.status_report("in_python.py", parameters={"python": str(sys.version_info[0])})
