#!/bin/bash
# GLIDEIN_CPUS as a number: given, or what the batch system grants on this host (auto, slot, -1), or the node (node, 0).
# shellcheck disable=SC1090,SC1091,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
. "${BASH_SOURCE[0]%/*}/node_resources.source"

if ! asked_cpus; then
    "$error_gen" -error glidein_cpus_setup.sh Config "GLIDEIN_CPUS $wanted is neither a number nor auto, slot, node"
    exit 1
fi
overloaded "$cpus" GLIDEIN_OVERLOAD_CPUS 5000
gconfig_add GLIDEIN_CPUS "$number"
exec "$error_gen" -ok glidein_cpus_setup.sh cpus "$number"
