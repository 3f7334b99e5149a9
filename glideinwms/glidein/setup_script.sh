#!/bin/bash
# First script of the main list: where error_gen.sh is.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get GLIDEIN_WORK_DIR)/error_gen.sh
chmod u+x "$error_gen" || exit 1
gconfig_add ERROR_GEN_PATH "$error_gen"
"$error_gen" -ok setup_script.sh
