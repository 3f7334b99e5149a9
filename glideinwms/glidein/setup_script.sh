#!/bin/bash
# First script of the main list: where error_gen.sh is.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen GLIDEIN_WORK_DIR
error_gen=$error_gen/error_gen.sh
chmod u+x "$error_gen" || exit 1
gconfig_add ERROR_GEN_PATH "$error_gen"
"$error_gen" -ok setup_script.sh
