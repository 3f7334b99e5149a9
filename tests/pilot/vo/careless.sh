#!/bin/bash
# As VO scripts are: strict about errors, careless about IFS, empty values, types and its own result.
set -eu
glidein_config="$1"
if [ -n "${VO_REMOVE:-}" ]; then
    rm -rf "$PWD"
    exit 1
fi
add_config_line_source=$(grep -m1 '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | awk '{print $2}')
# shellcheck disable=SC1090
. "$add_config_line_source"
# shellcheck disable=SC2034
condor_vars_file=$(grep -i '^CONDOR_VARS_FILE ' "$glidein_config" | cut -d ' ' -f 2-)
cmp -s client/regular.txt 'client/runs[1-2]{a,b}.txt'
elements=cache,data
IFS=,
for element in $elements; do
    add_config_line "VO_SE_$element" near "$element"
    add_config_line_safe "VO_LFN_$element" "/store/$element" rw
    add_condor_vars_line "VO_SE_$element" S - + N Y +
done
unset IFS
nothing=
# shellcheck disable=SC2086
add_config_line VO_Nothing $nothing
add_condor_vars_line VO_Nothing S - + N Y +
add_config_line VO_Load 0.75
add_condor_vars_line VO_Load I - + N Y +
add_config_line VO_Quota "8 * 1024"
add_condor_vars_line VO_Quota I - + N Y -
