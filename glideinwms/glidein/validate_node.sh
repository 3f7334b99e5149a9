#!/bin/bash
# Whether the node has what every pilot needs: disk and a writable temporary directory.
glidein_config=$1
# shellcheck disable=SC1090
. "$(grep '^ADD_CONFIG_LINE_SOURCE ' "$glidein_config" | cut -d ' ' -f 2-)"
error_gen=$(gconfig_get ERROR_GEN_PATH)
here=$(gconfig_get GLIDEIN_WORKSPACE_ORIG)
local_tmp=$(gconfig_get GLIDEIN_LOCAL_TMP_DIR)

free_kb() {
    df -kP "$1" 2> /dev/null | awk 'NR == 2 { print $4 }'
}

refuse() {
    "$error_gen" -error validate_node.sh WN_Resource "$1" "${@:2}"
    exit 1
}

least=$(gconfig_get MIN_DISK_GBS "$glidein_config" -i)
free=$(free_kb "$here")
if [ -n "$least" ] && [ "${free:-0}" -lt $((${least%%.*} * 1024 * 1024)) ]; then
    refuse "$here has $((${free:-0} / 1024 / 1024)) GB free, MIN_DISK_GBS asks for $least" disk_kb "${free:-0}"
fi
[ "$(free_kb "$local_tmp")" -ge 10240 ] || refuse "$local_tmp has less than 10 MB free"
if ! : > "$local_tmp/.probe"; then
    refuse "$local_tmp is not writable"
fi
rm -f "$local_tmp/.probe"
"$error_gen" -ok validate_node.sh disk_kb "${free:-0}"
