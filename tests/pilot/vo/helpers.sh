#!/bin/bash
# What VO scripts do, in the spellings that they use.
# shellcheck disable=SC2034
glidein_config="$1"
id=$2

add_config_line_source=$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | awk '{print $2}')
# shellcheck disable=SC1090
source "$add_config_line_source"
# shellcheck disable=SC1090
source "$(gconfig_get GET_ID_SELECTORS_SOURCE "$glidein_config")"
# shellcheck disable=SC1090
source "$(gconfig_get LOGGING_UTILS_SOURCE "$glidein_config")"
# shellcheck disable=SC1090
source "$(gconfig_get GLIDEIN_PATHS_SOURCE "$glidein_config")"
error_gen=$(grep '^ERROR_GEN_PATH ' "$glidein_config" | cut -d ' ' -f 2-)

{
    echo "argument $glidein_config"
    echo "id $id"
    echo "cwd $(pwd)"
    echo "stdin $(cat | wc -c)"
    echo "descript $(get_descript_file "$id")"
    echo "dir $(get_work_dir "$id")"
    echo "signature $(get_signature "$id")"
    echo "prefix $(get_prefix "$id")"
    echo "const $(gconfig_get VO_Const)"
    echo "param $(gconfig_get VO_Param)"
    echo "pid $(gconfig_get GLIDEIN_STARTUP_PID)"
} > "$EVIDENCE/helpers"
if [ -n "$VO_HANG" ]; then
    sleep 300
fi
condor_vars_file=$(gconfig_get CONDOR_VARS_FILE)
add_config_line VO_Old "abc"
add_config_line VO_Old "a.c [x"
gconfig_add_safe VO_Safe "two  words"
add_config_line_safe VO_Number 17
add_condor_vars_line VO_Old "S" "-" "+" "Y" "Y" "+"
add_condor_vars_line VO_Number "I" "-" "VO_Count" "N" "Y" "@"
"$error_gen" -ok "helpers.sh" "VO_Metric" "42"
exit 0
