# When a pilot retires and ends (contract 1.18), and what the site says of its node. By sourcing, without a pilot.
# shellcheck shell=bash

setup() {
    glidein=$BATS_TEST_DIRNAME/../../glideinwms/glidein
    glidein_config=$BATS_TEST_TMPDIR/glidein_config
    : > "$glidein_config"
    . "$glidein/add_config_line.source"
    . "$glidein/condor_lifetime.source"
    declare -gA cfg=([GLIDEIN_Retire_Time_Spread]=0)
    now=$(date +%s)
    cfg[GLIDEIN_STARTUP_TIME]=$now
}

refuse() {
    echo "$1: $2"
    exit 3
}

# life: retirement and end, in seconds from the start.
life() {
    set_lifetime
    echo "$((to_retire - startup_time)) $((to_die - startup_time))"
}

@test "without a walltime: retirement, then the longest job" {
    [ "$(life)" = "21600 151200" ]
    cfg[GLIDEIN_Retire_Time]=1000 cfg[GLIDEIN_Job_Max_Time]=500
    [ "$(life)" = "1000 1500" ]
}

@test "with a walltime: everything fits into it, Job_Max_Time is lowered aloud" {
    cfg[GLIDEIN_Max_Walltime]=10000 cfg[GLIDEIN_Job_Max_Time]=2000
    [ "$(life)" = "7510 9510" ]
    cfg[GLIDEIN_Job_Max_Time]=129600
    run life
    [[ $output == *"lowered to 8910 s"*"600 9510" ]]
}

@test "an impossible walltime is refused, and so is nonsense" {
    cfg[GLIDEIN_Max_Walltime]=1000
    run life
    [ "$status" = 3 ]
    [[ $output == "Config: GLIDEIN_Max_Walltime 1000 s is too short: at least 1090 s are needed" ]]
    cfg[GLIDEIN_Max_Walltime]="2 days"
    run life
    [[ $output == "Config: GLIDEIN_Max_Walltime '2 days' is not a number of seconds" ]]
}

@test "time already spent counts, and a pilot that is too late does not begin" {
    cfg[GLIDEIN_Max_Walltime]=10000 cfg[GLIDEIN_Job_Max_Time]=2000 cfg[GLIDEIN_STARTUP_TIME]=$((now - 3000))
    set_lifetime
    [ "$to_die" = "$((now - 3000 + 9510))" ]
    [ "$((session_life - 6510))" -le 0 ]
    cfg[GLIDEIN_STARTUP_TIME]=$((now - 8000))
    run life
    [ "$status" = 3 ]
    [[ $output == "WN_Resource: validation took "* ]]
}

@test "the spread is random within its bounds, and never below the least life" {
    cfg[GLIDEIN_Retire_Time]=10000 cfg[GLIDEIN_Retire_Time_Spread]=1000
    local n
    for ((n = 0; n < 20; n++)); do
        set_lifetime
        [ "$((to_retire - startup_time))" -le 10000 ]
        [ "$((to_retire - startup_time))" -gt 9000 ]
        [ "$((to_die - to_retire))" = 129600 ]
    done
    cfg[GLIDEIN_Retire_Time]=600
    set_lifetime
    [ "$((to_retire - startup_time))" = 600 ]
}

@test "the token's end cuts the life, what was planned is kept for a longer token" {
    cfg[GLIDEIN_CONDOR_TOKEN]=t cfg[GLIDEIN_CONDOR_TOKEN_EXPIRE]=$((now + 5000))
    [ "$(life)" = "4700 4700" ]
    [ "$(gconfig_get GLIDEIN_Planned_Die)" = "$((now + 151200))" ]
    cfg[GLIDEIN_CONDOR_TOKEN_EXPIRE]=$((now + 800))
    run life
    [ "$status" = 3 ]
    [[ $output == "WN_Resource: the pilot's credential ends in "* ]]
}

@test "a proxy counts only where nothing is left of it or it is asked for" {
    cfg[X509_EXPIRE]=$((now + 50000))
    [ "$(life)" = "21600 151200" ]
    cfg[GLIDEIN_Ignore_X509_Duration]=false
    [ "$(life)" = "21600 49700" ]
}

# a node whose site gives job and machine features
drain() {
    printf '%s\n' "ADD_CONFIG_LINE_SOURCE $glidein/add_config_line.source" "ERROR_GEN_PATH /bin/true" \
        "GLIDEIN_WORKSPACE_ORIG $BATS_TEST_TMPDIR" "GLIDEIN_ToRetire 1000" "GLIDEIN_ToDie 11000" > "$glidein_config"
    GLIDEIN_PERIODIC_SCRIPT=true JOBFEATURES=$1 MACHINEFEATURES=$2 bash "$glidein/check_wn_drainstate.sh" "$glidein_config" main
}

@test "draining: no more jobs when less than the jobs' time is left, jobs are stopped in the last half hour" {
    mkdir "$BATS_TEST_TMPDIR"/{job,machine}
    local none="SiteWMS_WN_Draining = False
SiteWMS_WN_Preempt = False"
    [ "$(drain "" "")" = "$none" ]
    echo $((now + 20000)) > "$BATS_TEST_TMPDIR/machine/shutdowntime"
    [ "$(drain "$BATS_TEST_TMPDIR/job" "$BATS_TEST_TMPDIR/machine")" = "$none" ]
    echo $((now + 9000)) > "$BATS_TEST_TMPDIR/job/shutdowntime_job"
    [ "$(drain "$BATS_TEST_TMPDIR/job" "$BATS_TEST_TMPDIR/machine")" = "${none/False/True}" ]
    grep -q 'no more jobs' "$BATS_TEST_TMPDIR/exit_message"
    echo $((now + 1700)) > "$BATS_TEST_TMPDIR/machine/shutdowntime"
    [ "$(drain "$BATS_TEST_TMPDIR/job" "$BATS_TEST_TMPDIR/machine")" = "${none//False/True}" ]
    echo soon > "$BATS_TEST_TMPDIR/machine/shutdowntime"
    run drain "$BATS_TEST_TMPDIR/job" "$BATS_TEST_TMPDIR/machine"
    [ "$status" = 1 ]
}

@test "draining: features may be URLs" {
    mkdir "$BATS_TEST_TMPDIR/web"
    echo -n $((now + 1700)) > "$BATS_TEST_TMPDIR/web/shutdowntime"
    local port n
    port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    python -m http.server --bind 127.0.0.1 --directory "$BATS_TEST_TMPDIR/web" "$port" > /dev/null 2>&1 3>&- &
    local server=$!
    for ((n = 0; n < 3000; n++)); do
        curl -sf "http://127.0.0.1:$port/" > /dev/null && break
        sleep 0.1
    done
    run drain "" "http://127.0.0.1:$port/"
    kill "$server"
    [[ $output == *"SiteWMS_WN_Draining = True"*"SiteWMS_WN_Preempt = True" ]]
}
