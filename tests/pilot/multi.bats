# Several pilots on one node (contract 1.14), with stub masters.
# shellcheck shell=bash

load common

# with_params NAME VALUE ...: more parameters on the command line.
with_params() {
    while [ $# -gt 0 ]; do
        words+=("-param_$1" "$2")
        shift 2
    done
}

uuids() {
    sed -n "s/^glidein_uuid *= '\(.*\)'/\1/p" "$BATS_TEST_TMPDIR/out" | sort -u
}

@test "a parent of two: each has its own directory and credential, the exit code is 0, nothing is left" {
    with_params GLIDEIN_MULTIGLIDEIN 2
    pilot
    [ "$status" = 0 ]
    [ "$(uuids | wc -l)" = 3 ]
    [ "$(grep -c '=== Condor ended ' "$BATS_TEST_TMPDIR/out")" = 2 ]
    [ "$(grep -c ' with code 0 after ' "$BATS_TEST_TMPDIR/out")" = 2 ]
    [ -s "$home/glidein_dir1/credential_a.idtoken" ]
    [ -s "$home/glidein_dir2/credential_a.idtoken" ]
    [ -z "$(ls -d "$home"/glide_* "$home"/glidein_dir*/glide_* "$home"/tmp/glide_* 2> /dev/null)" ]
}

@test "the option does the same, children that fail do not change the parent's exit code" {
    words+=(-multiglidein 2)
    pilot_env+=(STUB_MASTER_STATUS=44)
    pilot
    [ "$status" = 0 ]
    [ "$(grep -c ' with code 44 after ' "$BATS_TEST_TMPDIR/out")" = 2 ]
    nothing_left
}

@test "a launcher starts each child" {
    printf '#!/bin/sh\necho "launched $3 $4"\nexec "$@"\n' > "$home/launch.sh"
    chmod +x "$home/launch.sh"
    with_params GLIDEIN_MULTIGLIDEIN 2 GLIDEIN_MULTIGLIDEIN_LAUNCHER ./launch.sh
    pilot
    [ "$status" = 0 ]
    [ "$(grep -c '^launched ' "$BATS_TEST_TMPDIR/out")" = 2 ]
}

@test "one command launches all" {
    # three tasks, as srun would have
    printf '#!/bin/sh\necho "tasks of $2 $3"\nfor n in 1 2 3; do bash "$@" & done\nwait\nexit 5\n' > "$home/launch.sh"
    chmod +x "$home/launch.sh"
    with_params GLIDEIN_MULTIGLIDEIN 2 GLIDEIN_MULTIGLIDEIN_LAUNCHALL ./launch.sh
    pilot
    [ "$status" = 0 ]
    [ "$(grep '^tasks of ' "$BATS_TEST_TMPDIR/out")" = "tasks of -multirestart 0" ]
    [ "$(grep -c '=== Condor ended ' "$BATS_TEST_TMPDIR/out")" = 3 ]
    [ ! -e "$home/glidein_dir1" ]
    nothing_left
}

# start_two [NAME=VALUE...]: a parent `pid` of two pilots whose masters listen to signals.
start_two() {
    local n
    with_params GLIDEIN_MULTIGLIDEIN 2
    pilot_env+=(STUB_MASTER_TIME=300 "$@")
    (cd "$home" && exec env -i "${pilot_env[@]}" bash "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- &
    pid=$!
    # the stub writes it when it listens
    for ((n = 0; n < 3000; n++)); do
        [ "$(find "$home" -name condor_master2.pid -size +0 2> /dev/null | wc -l)" = 2 ] && return 0
        sleep 0.1
    done
    return 1
}

@test "TERM of the parent ends the children" {
    local pid
    start_two
    kill -TERM "$pid"
    wait "$pid"
    [ "$(grep -c 'stub got QUIT' "$BATS_TEST_TMPDIR/err")" = 2 ] || {
        grep -n 'stub' "$BATS_TEST_TMPDIR/err"
        return 1
    }
    [ -z "$(ls -d "$home"/glide_* "$home"/glidein_dir*/glide_* "$home"/tmp/glide_* 2> /dev/null)" ]
}

@test "KILL of the parent alone: the children and all they started end, nothing is left" {
    local pid n
    start_two MULTI_TEST="$BATS_TEST_TMPDIR"
    kill -KILL "$pid"
    wait "$pid" || true
    for ((n = 0; n < 3000; n++)); do
        grep -qlzxF "MULTI_TEST=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ 2> /dev/null || break
        sleep 0.1
    done
    [ "$n" -lt 3000 ]
    [ "$(grep -c 'stub got QUIT' "$BATS_TEST_TMPDIR/err")" = 2 ]
    [ -z "$(ls -d "$home"/glide_* "$home"/glidein_dir*/glide_* "$home"/tmp/glide_* 2> /dev/null)" ]
}
