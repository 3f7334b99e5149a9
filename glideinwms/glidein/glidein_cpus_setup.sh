#!/bin/bash
# GLIDEIN_CPUS as a number: given, or what the batch system's slot has (auto, slot, -1), or the node (node, 0).
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH

slot_cpus() {
    local found=""
    if [ -r "${_CONDOR_MACHINE_AD:-/nonexistent}" ]; then
        found=$(awk -F ' *= *' '$1 == "Cpus" { print $2 }' "$_CONDOR_MACHINE_AD")
    elif [ -n "${SLURM_CPUS_ON_NODE:-}" ]; then
        found=$SLURM_CPUS_ON_NODE
    elif [ -n "${PBS_NUM_PPN:-}" ]; then
        found=$PBS_NUM_PPN
    elif [ -n "${LSB_DJOB_NUMPROC:-}" ]; then
        found=$LSB_DJOB_NUMPROC
    elif [ -n "${NSLOTS:-}" ]; then
        found=$NSLOTS
    fi
    echo "${found:-$(nproc)}"
}

gconfig_get_to wanted GLIDEIN_CPUS
case ${wanted,,} in
"") cpus=1 ;;
auto | slot | -1) cpus=$(slot_cpus) ;;
node | 0) cpus=$(nproc --all) ;;
*[!0-9]*)
    "$error_gen" -error glidein_cpus_setup.sh Config "GLIDEIN_CPUS $wanted is neither a number nor auto, slot, node"
    exit 1
    ;;
*) cpus=$wanted ;;
esac
gconfig_get_to factor GLIDEIN_OVERLOAD_CPUS
if gconfig_get_bool GLIDEIN_OVERLOAD_ENABLED && [ -n "$factor" ]; then
    cpus=$(awk -v n="$cpus" -v f="$factor" 'BEGIN { n = int(n * f + 0.5); print n < 1 ? 1 : n }')
fi
gconfig_add GLIDEIN_CPUS "$cpus"
"$error_gen" -ok glidein_cpus_setup.sh cpus "$cpus"
