# Unusual nodes: directories, tools and variables of the batch system that are not as expected.

load common

# succeeded: the pilot ended well; else what it said, without its encoded logs.
succeeded() {
    [ "$status" = 0 ] || {
        grep -vE '^[A-Za-z0-9+/=]{60,}$' "$BATS_TEST_TMPDIR/err" | tail -n 25
        return 1
    }
}

@test "blanks in the temporary directory and TMPDIR" {
    mkdir "$home/t m p"
    pilot_env+=(GLIDEIN_TMP="$home/t m p" TMPDIR="$home/t m p")
    pilot
    succeeded
    nothing_left
    [ -z "$(ls "$home/t m p")" ]
}

@test "variables of the batch system that are no number, negative, huge, or shell syntax" {
    pilot_env+=(SLURM_JOBID='1;id' SLURM_CPUS_ON_NODE='$(id)' SLURM_MEM_PER_NODE=-1 SLURM_JOB_CPUS_PER_NODE='4(x2'
        PBS_NODEFILE=/nonexistent NSLOTS=99999999999999999999 SLURM_JOB_PARTITION='a"b'\''c')
    words+=(-param_GLIDEIN_CPUS auto)
    pilot
    succeeded
    nothing_left
    ! grep -q 'uid=' "$EVIDENCE/glidein_config" || false
}

@test "a start directory on a read-only file system is named" {
    unshare -rm true || skip "no user namespaces"
    run unshare -rm bash -c 'mount -t tmpfs -o ro t "$1" && cd "$1" && shift && exec "$@"' - "$home" \
        env -i "${pilot_env[@]}" GLIDEIN_TMP=/tmp timeout 60 bash "$STAGE/good/glidein_startup.sh" "${words[@]}"
    [ "$status" = 1 ]
    [[ $output == *"cannot make a directory in $home"* ]]
    [[ $output == *'uri="local">WN_RESOURCE<'* ]]
}

@test "an empty PATH" {
    pilot_env+=(PATH=)
    status=0
    (cd "$home" && exec env -i "${pilot_env[@]}" /usr/bin/timeout 60 /bin/bash "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- || status=$?
    succeeded
    nothing_left
}

@test "a closed stdin" {
    status=0
    (cd "$home" && exec env -i "${pilot_env[@]}" timeout 60 bash "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- <&- || status=$?
    succeeded
    nothing_left
}

@test "a temporary directory without execution" {
    unshare -rm true || skip "no user namespaces"
    run unshare -rm bash -c 'mount -t tmpfs -o noexec t "$1" && cd "$2" && shift 2 && exec "$@"' - "$home/tmp" "$home" \
        env -i "${pilot_env[@]}" timeout 60 bash "$STAGE/good/glidein_startup.sh" "${words[@]}"
    [ "$status" = 0 ] || { tail -n 20 <<< "$output" && false; }
}
