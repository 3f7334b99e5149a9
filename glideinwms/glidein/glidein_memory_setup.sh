#!/bin/bash
# Memory in MB that the pilot offers: GLIDEIN_MaxMemMBs, else all of the node where that is to be estimated.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
gconfig_get_to memory GLIDEIN_MaxMemMBs
if [ -z "$memory" ] && gconfig_get_bool GLIDEIN_MaxMemMBs_Estimate; then
    memory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
fi
if [[ $memory == *[!0-9]* ]]; then
    "$error_gen" -error glidein_memory_setup.sh Config "GLIDEIN_MaxMemMBs $memory is not a number"
    exit 1
fi
gconfig_get_to factor GLIDEIN_OVERLOAD_MEMORY
if [ -n "$memory" ] && gconfig_get_bool GLIDEIN_OVERLOAD_ENABLED && [ -n "$factor" ]; then
    memory=$(awk -v n="$memory" -v f="$factor" 'BEGIN { print int(n * f) }')
fi
[ -z "$memory" ] || gconfig_add GLIDEIN_MEMORY_MB "$memory"
"$error_gen" -ok glidein_memory_setup.sh memory "${memory:-default}"
