#!/bin/bash
# HTCondor runs this when a job has ended, however it ended, in the job's directory. What is to act after jobs runs from
# here, outside the container; its output goes to log/PostjobLog. HTCondor waits for it.
work_dir=${0%/main/*}
glidein_config=$work_dir/glidein_config
exec >> "$work_dir/log/PostjobLog" 2>&1 < /dev/null
# what the starter has of its parent is not for scripts
unset CONDOR_INHERIT CONDOR_PRIVATE_INHERIT CONDOR_PRIVATE_SHARED_PORT_COOKIE
# shellcheck disable=SC1091
. "$work_dir/add_config_line.source"
# shellcheck disable=SC1091
. "$work_dir/glidein_paths.source"
for script in "$work_dir"/.gwms.d/exec/postjob/*; do
    (gwms_process_script "$script" "$glidein_config")
done
