#!/bin/bash
# Last script of the pilot: configures HTCondor, starts it, forwards signals, and says what it did.
glidein_config=$1
declare -A cfg=()
while IFS= read -r line || [ -n "$line" ]; do
    key=${line%%[[:blank:]]*}
    [[ -z $key || $key == "#"* ]] || cfg[$key]=${line:${#key}+1}
done < "$glidein_config"
# shellcheck disable=SC1090
. "${cfg[ADD_CONFIG_LINE_SOURCE]}"
error_gen=${cfg[ERROR_GEN_PATH]}
work_dir=${cfg[GLIDEIN_WORKSPACE_ORIG]}
# shellcheck disable=SC1090
. "${cfg[B64UUENCODE_SOURCE]}"
# shellcheck disable=SC1090
. "${cfg[GLIDEIN_WORK_DIR]}/condor_config.source"
# shellcheck disable=SC1090
. "${cfg[GLIDEIN_WORK_DIR]}/condor_lifetime.source"
# shellcheck disable=SC1090
. "${cfg[GLIDEIN_WORK_DIR]}/condor_resources.source"
# shellcheck disable=SC1090
. "${cfg[GLIDEIN_WORK_DIR]}/job_stats.source"
# shellcheck disable=SC1090
. "${cfg[GLIDEIN_WORK_DIR]}/condor_monitor.source"
# shellcheck disable=SC1090
. "${cfg[GLIDEIN_WORK_DIR]}/condor_served.source"

refuse() {
    echo "condor_startup.sh: $2" >&2
    "$error_gen" -error condor_startup.sh "$1" "$2"
    exit 1
}

# write_guard: behind all wrappers, one of which was to start the job's container: outside, in the pilot's own mount
# namespace, nothing is run.
write_guard() {
    local space
    space=$(readlink /proc/self/ns/mnt)
    cat << EOF
if [ -z "\$gwms_session" ] && [ -e "$work_dir/glidein_config" ] &&
    [ "\$(PATH=/usr/bin:/bin readlink /proc/self/ns/mnt 2> /dev/null || echo "$space")" = "$space" ]; then
    gwms_why="no job wrapper started the container that this job must have (launch: ${cfg[GWMS_CONTAINER_LAUNCH]:-none})"
    echo "\$gwms_why" >&2
    echo "\$gwms_why" > "\${_CONDOR_WRAPPER_ERROR_FILE:-/dev/null}"
    echo "A job was put back: \$gwms_why" >> "$work_dir/exit_message"
    PATH=/usr/bin:/bin sleep "\${GWMS_ERROR_WAIT:-600}"
    exit 1
fi
EOF
}

write_wrapper() {
    local file contained=no
    case ${cfg[GWMS_CONTAINER_LAUNCH]:-none} in native | wrapper | vo) contained=yes ;; esac
    {
        # with -p a shell takes no functions and options from the job's environment
        [ "$contained" = yes ] && echo "#!/bin/bash -p" || echo "#!/bin/sh"
        # shellcheck disable=SC2016
        echo '[ -n "$BASH_VERSION" ] && set +o posix'
        # shellcheck disable=SC2016
        echo 'case ,${GLIDEIN_DEBUG_OPTIONS:-}, in *,usertrace,*) PS4="+ "; set -x ;; esac'
        echo 'gwms_session=""'
        while IFS= read -r file; do
            cat "$file"
            echo
        done < "${cfg[WRAPPER_LIST]}"
        [ "${cfg[GWMS_SINGULARITY_STATUS]:-}" != REQUIRED ] || write_guard
        # inside a container the pilot's directory is elsewhere
        echo "gwms_d=\${GWMS_DIR:-$work_dir/.gwms.d}"
        cat "${cfg[GLIDEIN_WORK_DIR]}/job_points.sh"
        # shellcheck disable=SC2016
        echo "exec ${cfg[GLIDEIN_WRAPPER_EXEC]:-\"\$@\"}"
        # shellcheck disable=SC2016
        echo 'echo "the job could not be started: $1" > "${_CONDOR_WRAPPER_ERROR_FILE:-/dev/null}"; exit 1'
    } > "$work_dir/condor_job_wrapper.sh"
    chmod 0755 "$work_dir/condor_job_wrapper.sh"
}

# HTCondor looks for what sshd needs (condor_ssh_to_job) in the directory of its other libraries; some distributions have it
# one above.
join_libraries() {
    local lib=${cfg[CONDOR_DIR]}/lib
    [ -d "$lib/condor" ] && [ -e "$lib/libgetpwnam.so" ] && [ ! -e "$lib/condor/libgetpwnam.so" ] || return 0
    ln -s ../libgetpwnam.so "$lib/condor/"
}

# Order group, client, entry, main: a later line of HTCondor's configuration replaces an earlier one.
write_condor_config() {
    local vars methods=IDTOKENS missing="" wrong=""
    daemon_name=glidein_${cfg[GLIDEIN_STARTUP_PID]}_$((RANDOM * RANDOM))
    [ -z "${cfg[X509_USER_PROXY]:-}" ] || methods="IDTOKENS, SSL"
    CONDOR_CONFIG=$work_dir/condor_config
    export CONDOR_CONFIG
    check_numbers
    write_base > "$CONDOR_CONFIG"
    for vars in GLIDECLIENT_GROUP_CONDOR_VARS_FILE GLIDECLIENT_CONDOR_VARS_FILE ENTRY_CONDOR_VARS_FILE CONDOR_VARS_FILE; do
        [ -z "${cfg[$vars]:-}" ] || use_vars "${cfg[$vars]}" >> "$CONDOR_CONFIG"
    done
    # use_vars ran here, not in a subshell: what it found is known
    [ -z "$missing" ] || refuse Config "these variables have no value:$missing"
    [ -z "$wrong" ] || refuse Config "these variables have a value that does not fit their type:$wrong"
    [ "${cfg[DEBUG_MODE]}" != 2 ] || cfg[GLIDEIN_CPUS]=1
    # also of defaults that came with the lists of variables
    check_numbers
    set_lifetime
    gconfig_add GLIDEIN_ToRetire "$to_retire"
    gconfig_add GLIDEIN_ToDie "$to_die"
    {
        write_slots
        write_fixed
        cat "${cfg[GLIDEIN_condor_config_startd_cron_include]}"
        write_policy
    } >> "$CONDOR_CONFIG"
}

master=""
killed=False killed_at=0 stop_patience=60
# shellcheck disable=SC2329  # the trap calls it
stop_master() {
    [ "$killed" = True ] || killed_at=$SECONDS
    killed=True
    [ -z "$master" ] || kill -QUIT "$master" 2> /dev/null
}

# condor_master asks DAEMON_SHUTDOWN only with its next word to the collectors: as soon as it has noted that the startd
# ended by itself (99), it is told to end. Nothing is asked for meanwhile.
watch=""
watch_startd() {
    trap startd_ended CHLD
    tail -n +1 -F -s 5 --pid="$master" "$work_dir/log/MasterLog" 2> /dev/null |
        grep -qm 1 'The STARTD (pid [0-9]*) exited with status 99 ' &
    watch=$!
}

# shellcheck disable=SC2329  # the trap calls it
startd_ended() {
    [ -n "$watch" ] && ! kill -0 "$watch" 2> /dev/null || return 0
    local ended=$watch
    watch=""
    if wait "$ended"; then
        ask_pool
        kill -QUIT "$master" 2> /dev/null
    fi
}

# check_startd: in check mode no jobs come; the pilot ends as soon as the pool has its startd, or after 500 s without.
check_startd() {
    local ask=${cfg[CONDOR_DIR]}/bin/condor_status until=$((SECONDS + 500))
    while sleep 2 && kill -0 "$master" 2> /dev/null && [ "$SECONDS" -lt "$until" ]; do
        [ -s "$work_dir/log/.startd_address" ] || continue
        [ ! -x "$ask" ] || [ -n "$(timeout -k 5 60 "$ask" -constraint "regexp(\"$daemon_name\", Name)" -af Name 2> /dev/null)" ] || continue
        echo "=== Check mode: the startd is up ==="
        : > "$work_dir/.checked"
        break
    done
    kill -QUIT "$master" 2> /dev/null
}

run_master() {
    local pid_file=$work_dir/condor_master2.pid status=0 asked=""
    "${cfg[CONDOR_DIR]}/sbin/condor_master" -f -pidfile "$pid_file" < /dev/null &
    master=$!
    watch_startd
    [ "${cfg[DEBUG_MODE]}" != 2 ] || check_startd &
    [ "$killed" = True ] || wait "$master"
    status=$?
    # a signal ends only the waiting; a master that does not listen is killed
    while kill -0 "$master" 2> /dev/null; do
        if [ "$killed" = False ]; then
            wait "$master"
            status=$?
        elif [ "$SECONDS" -lt "$((killed_at + stop_patience))" ]; then
            # until it has its handlers, a signal is lost
            if [ "$SECONDS" != "$asked" ] && [ "$SECONDS" -lt "$((killed_at + 5))" ]; then
                asked=$SECONDS
                kill -QUIT "$master" 2> /dev/null
            fi
            sleep 0.2
        else
            echo "condor_master does not end, it is killed" >&2
            kill -KILL "$master"
            wait "$master"
        fi
    done
    trap - CHLD
    # the trap may have cut the waiting short (128 + CHLD)
    [ "$status" != 145 ] || { wait "$master" && status=0 || status=$?; }
    [ -z "$watch" ] || kill "$watch" 2> /dev/null
    [ "$status" = 99 ] && status=0
    [ "$killed" = True ] && status=0
    [ "${cfg[DEBUG_MODE]}" != 2 ] || [ -e "$work_dir/.checked" ] || status=1
    return "$status"
}

print_logs() {
    local file
    for file in MasterLog StartdLog StarterLog StartdHistoryLog; do
        [ "$file" = StartdLog ] && [ ! -e "$work_dir/log/StartdLog" ] && [ -e "$work_dir/log/StartLog" ] &&
            ln -s StartLog "$work_dir/log/StartdLog"
        print_log "$file" "$work_dir/log/$file"
    done
    for file in "$work_dir"/log/StarterLog.*; do
        [ -e "$file" ] && print_log "${file##*/}" "$file"
    done
}

trap '' HUP
trap stop_master TERM INT QUIT
clean_environment
join_libraries
write_wrapper
write_condor_config
if [ "${cfg[DEBUG_MODE]}" != 0 ]; then
    echo "--- glidein_config ---" >&2
    masked < "$glidein_config" >&2
    echo "--- condor_config ---" >&2
    masked < "$CONDOR_CONFIG" >&2
fi
printf -v began '%(%s)T' -1
: > "$work_dir/.condor_starts"
[ "$killed" = True ] && exit 0
printf '=== Condor starting %(%a %b %e %H:%M:%S %Z %Y)T (%s) ===\n' "$began" "$began"
start_monitor
run_master
status=$?
stop_monitor
printf -v ended '%(%s)T' -1
printf '=== Condor ended %(%a %b %e %H:%M:%S %Z %Y)T (%s) after %s ===\n\n' "$ended" "$ended" "$((ended - began))"
count_jobs "$work_dir"/log/StarterLog*
print_stats
print_logs >&2
print_monitor_logs >&2
metrics=(AutoShutdown "$([ "$killed" = True ] && echo False || echo True)" CondorDuration "$((ended - began))"
TotalJobsNr "$jobs_total" TotalJobsTime "$time_total" goodZJobsNr "${jobs[goodZ]}" goodZJobsTime "${times[goodZ]}"
goodNZJobsNr "${jobs[goodNZ]}" goodNZJobsTime "${times[goodNZ]}" badSignalJobsNr "${jobs[badSignal]}"
badSignalJobsTime "${times[badSignal]}" badOtherJobsNr "${jobs[badOther]}" badOtherJobsTime "${times[badOther]}"
CondorKilled "$killed")
if [ "$status" = 0 ] && never_served; then
    echo "$failure" >&2
    status=1
    "$error_gen" -error condor_startup.sh "$failure_type" "$failure" "${metrics[@]}"
elif [ "$status" = 0 ]; then
    "$error_gen" -ok condor_startup.sh "${metrics[@]}"
else
    "$error_gen" -error condor_startup.sh Unknown "condor_master ended with exit code $status" "${metrics[@]}"
fi
exit "$status"
