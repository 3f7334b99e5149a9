#!/bin/bash
# Memory in MB that the pilot offers: GLIDEIN_MaxMemMBs, else what the batch system grants, else with
# GLIDEIN_MaxMemMBs_Estimate the share of the node's that belongs to its cores. Without any, HTCondor decides.
# shellcheck disable=SC1090,SC1091,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
. "${BASH_SOURCE[0]%/*}/node_resources.source"

# share_of_node: sets `memory`, for the cores that the pilot will offer. Other pilots may have the rest.
share_of_node() {
    local offered
    asked_cpus || cpus=1
    offered=$cpus cpus=""
    node_cpus
    [ "$offered" -lt "$cpus" ] || offered=$cpus
    node_memory
    memory=$((memory * offered / cpus))
}

number_of GLIDEIN_MaxMemMBs
memory=$value
if [ -z "$memory" ]; then
    granted_memory
    [ -n "$memory" ] || ! gconfig_get_bool GLIDEIN_MaxMemMBs_Estimate || share_of_node
    memory_limit
    [ "$limit" = 0 ] || { [ -n "$memory" ] && [ "$memory" -le "$limit" ]; } || memory=$limit
elif ! whole "$memory"; then
    "$error_gen" -error glidein_memory_setup.sh Config "GLIDEIN_MaxMemMBs $memory is not a number of MB above 0"
    exit 1
fi
if [ -n "$memory" ]; then
    overloaded "$((10#$memory))" GLIDEIN_OVERLOAD_MEMORY 0
    memory=$number
    gconfig_add GLIDEIN_MEMORY_MB "$memory"
fi
exec "$error_gen" -ok glidein_memory_setup.sh memory "${memory:-default}"
