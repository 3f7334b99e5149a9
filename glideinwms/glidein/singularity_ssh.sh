#!/bin/bash
# A session of condor_ssh_to_job: a command, or a shell, beside the job in its container. sshd runs it outside, in place of
# HTCondor's own script, which serves where the container cannot be entered.
#   singularity_ssh.sh DECISION HTCONDORS_SCRIPT ENVIRONMENT_FILE
decision=$1
shift
stock=("$@")
export PATH=/usr/bin:/bin

# inside PID: in another root directory, with the environment that a runtime gives.
inside() {
    [ ! "/proc/$1/root" -ef / ] && grep -qzE '^(APPTAINER|SINGULARITY)_CONTAINER=' "/proc/$1/environ" 2> /dev/null
}

# job_inside PID...: prints the first of these processes and their descendants that is in a container; 1 if none is.
job_inside() {
    local pid stat parent todo=("$@")
    local -A children=()
    for stat in /proc/[0-9]*/stat; do
        read -r stat < "$stat" || continue
        read -r _ parent _ <<< "${stat##*) }"
        children[$parent]+=" ${stat%% *}"
    done 2> /dev/null
    while [ "${#todo[@]}" -gt 0 ]; do
        pid=${todo[0]}
        inside "$pid" && echo "$pid" && return 0
        # shellcheck disable=SC2206
        todo=("${todo[@]:1}" ${children[$pid]:-})
    done
    return 1
}

# Of the job's environment only this is wanted.
# shellcheck disable=SC1090
job_pids=$(. "$2" > /dev/null 2>&1 && echo "$_CONDOR_JOB_PIDS")
# shellcheck disable=SC2086
case $decision/${SSH_ORIGINAL_COMMAND:-} in
REQUIRED/*) target=$(job_inside $job_pids) ;;
*sftp-server*) target="" ;;
*) target=$(job_inside $job_pids) ;;
esac
enter=(nsenter --target "$target" --user --mount --pid --ipc --preserve-credentials --)
if [ -z "$target" ] || ! "${enter[@]}" /bin/sh -c : 2> /dev/null; then
    if [ "$decision" = REQUIRED ]; then
        echo "the job's container cannot be entered, and jobs of this pilot must have one" >&2
        exit 1
    fi
    exec "${stock[@]}"
fi
variables=()
while IFS= read -r -d '' line; do
    variables+=("$line")
done < "/proc/$target/environ"
# shellcheck disable=SC2016
exec "${enter[@]}" /usr/bin/env -i "${variables[@]}" "TERM=${TERM:-dumb}" /bin/sh -c '
    cd /srv 2> /dev/null || cd "$HOME"
    [ -z "$1" ] || exec /bin/sh -c "$1"
    for shell in /bin/bash /bin/sh; do
        [ ! -x "$shell" ] || exec "$shell" -i
    done' - "${SSH_ORIGINAL_COMMAND:-}"
