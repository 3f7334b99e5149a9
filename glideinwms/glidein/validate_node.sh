#!/bin/bash
# Whether the node has what every pilot needs: disk (MIN_DISK_GBS; what the quota leaves too, with CHECK_QUOTA 1) and a
# writable temporary directory.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
gconfig_get_to here GLIDEIN_WORKSPACE_ORIG
gconfig_get_to local_tmp GLIDEIN_LOCAL_TMP_DIR

# `free`: kB that a directory has left; `device`: where it lies. A df that does not tell ends the pilot.
free_kb() {
    local text
    text=$(exec timeout -k 5 60 df -kP "$1" 2> /dev/null) ||
        refuse "df cannot tell the free space of $1: exit code $? (124: not within 60 s, 127: there is no df)"
    read -r device _ _ free _ <<< "${text#*$'\n'}"
    [[ $free =~ ^[0-9]+$ ]] || refuse "df does not tell the free space of $1 but '$text'"
}

# `left`: kB that the quota leaves on a device; empty without a quota there.
quota_kb() {
    local name used soft hard text status
    left=""
    # it ends with 1 where a quota is exceeded
    text=$(exec timeout -k 5 60 quota -w 2> /dev/null)
    status=$?
    [ "$status" -le 1 ] ||
        refuse "CHECK_QUOTA is 1, but quota cannot tell: exit code $status (124: not within 60 s, 127: there is no quota)"
    while read -r name used soft hard _; do
        [ "$name" = "$1" ] && [[ ${used%\*} =~ ^[0-9]+$ && $soft =~ ^[0-9]+$ && $hard =~ ^[0-9]+$ ]] || continue
        [ "$hard" -gt 0 ] || hard=$soft
        [ "$hard" -gt 0 ] && left=$((hard > ${used%\*} ? hard - ${used%\*} : 0))
    done <<< "$text"
}

refuse() {
    "$error_gen" -error validate_node.sh WN_Resource "$1" "${@:2}"
    exit 1
}

gconfig_get_to least MIN_DISK_GBS "$glidein_config" -i
gconfig_get_to check_quota CHECK_QUOTA "$glidein_config" -i
[[ ${least:-0} =~ ^[0-9]{1,9}(\.[0-9]*)?$ ]] || {
    "$error_gen" -error validate_node.sh Config "MIN_DISK_GBS '$least' is not a number of GB"
    exit 1
}
free_kb "$here"
free_here=$free
if [ "$check_quota" = 1 ] && quota_kb "$device" && [ -n "$left" ] && [ "$left" -lt "$free_here" ]; then
    free_here=$left
fi
if [ -n "$least" ] && [ "$free_here" -lt $((10#${least%%.*} * 1024 * 1024)) ]; then
    refuse "$here has $((free_here / 1024 / 1024)) GB free, MIN_DISK_GBS asks for $least" disk_kb "$free_here"
fi
free_kb "$local_tmp"
[ "$free" -ge 10240 ] || refuse "$local_tmp has less than 10 MB free"
if ! : > "$local_tmp/.probe"; then
    refuse "$local_tmp is not writable"
fi
rm -f "$local_tmp/.probe"
exec "$error_gen" -ok validate_node.sh disk_kb "$free_here"
