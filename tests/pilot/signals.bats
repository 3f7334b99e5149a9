# Signals from the first second (decision 24).

load common

begin() {
    (cd "$home" && exec env -i "${pilot_env[@]}" bash "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- &
    pid=$!
}

until_there() {
    local n
    for ((n = 0; n < 3000; n++)); do
        eval "$1" && return 0
        sleep 0.1
    done
    echo "never: $1"
    return 1
}

finish() {
    status=0
    wait "$pid" || status=$?
}

# hidden PID: what is left of the pilot's processes.
processes_left() {
    local uuid
    uuid=$(sed -n "s/^glidein_uuid *= '\(.*\)'/\1/p" "$BATS_TEST_TMPDIR/out")
    # before it has one it has no processes but itself
    [ -n "$uuid" ] || return 0
    grep -lzxF "GLIDEIN_UUID=$uuid" /proc/[0-9]*/environ 2> /dev/null || true
}

@test "TERM at any moment of the start: nothing is left" {
    pilot_env+=(STUB_MASTER_TIME=300)
    local after
    for after in 0.02 0.05 0.09 0.15 0.25 0.4 0.6 0.8 1.1; do
        begin
        sleep "$after"
        kill -TERM "$pid"
        finish
        case $status in
        0 | 143) ;;
        *) echo "after $after s: exit code $status" && tail -n 20 "$BATS_TEST_TMPDIR/err" && false ;;
        esac
        nothing_left
        until_there '[ -z "$(processes_left)" ]'
    done
}

@test "TERM while files are downloaded" {
    # accepts, and never answers
    python -c 'import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(50)
print(s.getsockname()[1], flush=True)
time.sleep(600)' > "$home/port" 3>&- &
    local server=$!
    until_there '[ -s "$home/port" ]'
    option -web "http://127.0.0.1:$(cat "$home/port")/factory/stage"
    pilot_env+=(GLIDEIN_FETCH_PATIENCE=300)
    begin
    until_there 'grep -q "^Downloading files" "$BATS_TEST_TMPDIR/out"'
    sleep 0.3
    SECONDS=0
    kill -TERM "$pid"
    finish
    kill "$server"
    [ "$status" = 143 ]
    [ "$SECONDS" -lt 120 ]
    nothing_left
    until_there '[ -z "$(processes_left)" ]'
}

@test "TERM while the server is away: in a pause, and in a try that gets no answer" {
    local where bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    cat > "$bin/sleep" << 'END'
#!/bin/sh
[ "$1" != 1 ] || { echo > "$HOME/there" && exec /bin/sleep 600; }
exec /bin/sleep "$@"
END
    # the first tries, one for each description, go on beside the pilot
    cat > "$bin/curl" << 'END'
#!/bin/bash
[[ "$*" != *--version ]] || exec /usr/bin/curl --version
echo >> "$HOME/tries"
[ -z "$HANG" ] || [ "$(wc -l < "$HOME/tries")" -le 4 ] || { echo > "$HOME/there" && exec /bin/sleep 600; }
exit 7
END
    chmod +x "$bin"/*
    pilot_env+=(GLIDEIN_FETCH_PATIENCE=300 "PATH=$bin:/usr/bin:/bin")
    for where in "" try; do
        rm -f "$home/there" "$home/tries"
        pilot_env+=(HANG=$where)
        begin
        until_there '[ -e "$home/there" ]'
        SECONDS=0
        kill -TERM "$pid"
        finish
        [ "$status" = 143 ]
        [ "$SECONDS" -lt 200 ]
        nothing_left
        until_there '[ -z "$(processes_left)" ]'
    done
}

@test "TERM in a script of the validation" {
    pilot_env+=(VO_HANG=1)
    begin
    until_there '[ -s "$EVIDENCE/helpers" ]'
    kill -TERM "$pid"
    finish
    [ "$status" = 143 ]
    nothing_left
    until_there '[ -z "$(processes_left)" ]'
}

@test "TERM while HTCondor runs: it is ended first, exit code 0" {
    pilot_env+=(STUB_MASTER_TIME=300)
    begin
    until_there '[ -s "$EVIDENCE/condor_config" ]'
    kill -TERM "$pid"
    finish
    [ "$status" = 0 ]
    says err "stub got QUIT"
    says out "=== Condor ended "
    nothing_left
    until_there '[ -z "$(processes_left)" ]'
}

@test "TERM in the hold-down" {
    pilot_env+=(VO_FAIL=1 GLIDEIN_HOLD_DOWN=300)
    begin
    until_there 'grep -q "Waiting 300 s" "$BATS_TEST_TMPDIR/err"'
    kill -TERM "$pid"
    finish
    [ "$status" = 1 ]
    nothing_left
    until_there '[ -z "$(processes_left)" ]'
}

@test "KILL of the main shell: the reaper ends the rest" {
    pilot_env+=(STUB_MASTER_TIME=300)
    begin
    until_there '[ -s "$EVIDENCE/condor_config" ]'
    kill -KILL "$pid"
    finish
    until_there '[ -z "$(processes_left)" ]'
    says err "stub got QUIT"
    nothing_left
}

@test "KILL of everything: the next pilot removes the directories" {
    pilot_env+=(STUB_MASTER_TIME=300)
    begin
    until_there '[ -s "$EVIDENCE/condor_config" ]'
    # all at once, so that none has time to clear up after another
    local signal file
    for signal in STOP KILL; do
        kill -"$signal" "$pid"
        for file in $(processes_left); do
            file=${file#/proc/}
            kill -"$signal" "${file%%/*}" 2> /dev/null || true
        done
    done
    until_there '[ -z "$(processes_left)" ]'
    finish
    run nothing_left
    [ "$status" = 1 ]
    pilot_env+=(STUB_MASTER_TIME=0.1)
    pilot
    [ "$status" = 0 ]
    nothing_left
}
