#!/bin/bash
# First script of the main list: puts the helpers of scripts in their places.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to main GLIDEIN_WORK_DIR
chmod u+x "$main"/{error_gen.sh,error_augment.sh,gwms-python,condor_chirp,gconfig.py} &&
    cp -p "$main"/{gwms-python,condor_chirp} .gwms.d/bin && cp -p "$main/gconfig.py" .gwms.d/lib/python || exit 1
gconfig_add ERROR_GEN_PATH "$main/error_gen.sh"
exec "$main/error_gen.sh" -ok setup_script.sh
