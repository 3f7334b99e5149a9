#!/bin/bash
# Which batch system runs the pilot, and under which id: published, so that a site finds its job.
# shellcheck disable=SC1090,SC2154  # gconfig_get_to sets variables by name

glidein_config=$1
while read -r key path; do [ "$key" = ADD_CONFIG_LINE_SOURCE ] && . "$path" && break; done < "$glidein_config"
gconfig_get_to error_gen ERROR_GEN_PATH
# shellcheck disable=SC2034  # add_condor_vars_line writes there
gconfig_get_to condor_vars_file CONDOR_VARS_FILE
kind=Unknown slot=Unknown job=Unknown queue=Unknown

ad_value() {
    awk -F ' = ' -v name="$2" '$1 == name { gsub(/"/, "", $2); print $2 }' "$1" 2> /dev/null
}

if [ -r "${_CONDOR_JOB_AD:-/nonexistent}" ]; then
    kind=HTCondor job=$(ad_value "$_CONDOR_JOB_AD" GlobalJobId) slot=${_CONDOR_SLOT:-Unknown}
    [ -r "${_CONDOR_MACHINE_AD:-/nonexistent}" ] && slot=$(ad_value "$_CONDOR_MACHINE_AD" Name)
elif [ -n "${SLURM_JOBID:-}" ]; then
    kind=SLURM job=$SLURM_JOBID queue=${SLURM_JOB_PARTITION:-Unknown}
elif [ -n "${PBS_JOBID:-}" ]; then
    kind=PBS job=$PBS_JOBID queue=${PBS_QUEUE:-Unknown}
elif [ -n "${LSB_JOBID:-}" ]; then
    kind=LSF job=$LSB_JOBID queue=${LSB_QUEUE:-Unknown}
elif [ -n "${JOB_ID:-}" ] && [ -n "${QUEUE:-}" ]; then
    kind=SGE job=$JOB_ID queue=$QUEUE
fi
for row in "GLIDEIN_SiteWMS=$kind" "GLIDEIN_SiteWMS_Slot=$slot" "GLIDEIN_SiteWMS_JobId=$job" "GLIDEIN_SiteWMS_Queue=$queue"; do
    gconfig_add "${row%%=*}" "${row#*=}"
    add_condor_vars_line "${row%%=*}" S "-" "+" N Y "-"
done
exec "$error_gen" -ok glidein_sitewms_setup.sh wms "$kind" job "$job"
