#!/bin/bash
# Looks for software and advertises it, as scripts of CMS and OSG do: everything found by names in glidein_config.
glidein_config="$1"

function info {
    echo "INFO " "$@" 1>&2
}

error_gen=$(grep '^ERROR_GEN_PATH ' "$glidein_config" | awk '{print $2}')
add_config_line_source=$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | awk '{print $2}')
condor_vars_file=$(grep -i "^CONDOR_VARS_FILE " "$glidein_config" | awk '{print $2}')
# shellcheck disable=SC1090
source "$add_config_line_source"

function advertise {
    local key=$1 value=$2 atype=$3
    add_config_line "$key" "$value"
    add_condor_vars_line "$key" "$atype" "-" "+" "Y" "Y" "+"
}

work_dir=$(grep '^GLIDECLIENT_WORK_DIR ' "$glidein_config" | awk '{print $2}')
group_dir=$(grep '^GLIDECLIENT_GROUP_WORK_DIR ' "$glidein_config" | awk '{print $2}')
tool_dir=$(grep '^GLIDECLIENT_VO_TOOLS_DIR ' "$glidein_config" | awk '{print $2}')
if [ ! -r "$work_dir/regular.txt" ] || [ ! -d "$group_dir" ]; then
    "$error_gen" -error software.sh Corruption "files are not where they were" file regular.txt
    exit 1
fi
version=$(cat "$tool_dir/share/version") || exit 1
advertise HAS_VO_SOFTWARE True C
advertise VO_SOFTWARE_VERSION "$version" S
advertise VO_SOFTWARE_PATH "$tool_dir" S
# the old way
echo "VO_DIRECT written by hand" >> "$glidein_config"
info "condor_vars_file is $condor_vars_file"
"$error_gen" -ok software.sh version "$version"
exit 0
