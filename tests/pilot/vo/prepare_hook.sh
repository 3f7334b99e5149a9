#!/bin/bash
# A prepare-job hook of HTCondor as large pools have it: it chooses the job's image before the starter starts it.
top=$(cd "$(dirname "$0")/.." && pwd)
glidein_config=$top/glidein_config
export glidein_config
export GWMS_THIS_SCRIPT=$0
# shellcheck disable=SC1091
. "$top/main/singularity_lib.sh"
info_dbg "starting"
setup_from_environment
setup_classad_variables
echo "group $(gconfig_get GLIDECLIENT_GROUP_WORK_DIR)" >&2
image=$(get_prop_str "$_CONDOR_JOB_AD" SingularityImage)
cvmfs_path_in_cvmfs "$image" || warn "$image is not in CVMFS"
if [ "$HAS_SINGULARITY" = 1 ] && [ "$(get_prop_bool "$_CONDOR_JOB_AD" WantsNothing 1)" = 1 ]; then
    echo "HookStatusCode = 0"
    echo "ContainerImage = \"$image\""
fi
