# Numbers of the pilot's policy: what is none ends the pilot with Config, which names attribute and value.

load common

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein

@test "each number of HTCondor's policy that is none is refused by name" {
    local name value
    for name in GLIDEIN_Max_Idle GLIDEIN_Max_Tail GLIDEIN_Graceful_Shutdown GLIDEIN_Job_Max_Time GLIDEIN_Retire_Time \
        GLIDEIN_Retire_Time_Spread GLIDEIN_Max_Walltime PREEMPT_GRACE_TIME HOLD_GRACE_TIME GLIDEIN_CLAIM_WORKLIFE \
        GLIDEIN_CLAIM_WORKLIFE_DYNAMIC GLIDEIN_BLACKHOLE_NUMJOBS GLIDEIN_CPUS GLIDEIN_MEMORY_MB GLIDEIN_DISK; do
        for value in 20m abc -2 '1 2' 9999999999999999999999 '1+1' 'a[$(touch ran)]'; do
            # HTCondor knows such amounts
            [ "$name$value" != GLIDEIN_DISK20m ] && [ "$name/${value:0:1}" != GLIDEIN_DISK/9 ] || continue
            run bash -c 'refuse() { echo "$1: $2"; exit 1; }; declare -A cfg=(["$2"]=$3); . "$1"; check_numbers' \
                bash "$GLIDEIN/condor_lifetime.source" "$name" "$value"
            [ "$status" = 1 ] || { echo "$name '$value' passes" && false; }
            [[ $output == "Config: $name '$value' is not "* ]]
        done
        run bash -c 'refuse() { echo "$1: $2"; exit 1; }; declare -A cfg=(["$2"]=" 0900 "); . "$1"; check_numbers
            echo "${cfg[$2]}"' bash "$GLIDEIN/condor_lifetime.source" "$name"
        [ "$status" = 0 ]
        [[ $output == 900 || $name/$output == GLIDEIN_DISK/0900 ]]
    done
    [ ! -e ran ]
}

@test "a pilot with GLIDEIN_Max_Idle 20m ends with Config; blanks and zeros around a number do not count" {
    words+=(-param_GLIDEIN_Max_Idle 20m)
    pilot
    [ "$status" = 1 ]
    says err "GLIDEIN_Max_Idle '20m' is not a number of seconds"
    says out '<metric name="failure"'
    says out '>Config<'
    nothing_left
    option -param_GLIDEIN_Max_Idle .nbsp,0900
    words+=(-param_GLIDEIN_CLAIM_WORKLIFE .minus,1)
    pilot
    [ "$status" = 0 ]
    grep -q 'STARTD_NOCLAIM_SHUTDOWN = 900$' "$EVIDENCE/condor_config"
    grep -qx 'GLIDEIN_Max_Idle = 900' "$EVIDENCE/condor_config"
    grep -q 'CLAIM_WORKLIFE = .*, -1)$' "$EVIDENCE/condor_config"
}

@test "seconds of the environment that are no numbers do not count" {
    pilot_env+=(GLIDEIN_FETCH_PATIENCE='a[$(id)]' GLIDEIN_SCRIPT_TIMEOUT=10m)
    pilot
    [ "$status" = 0 ]
    says err "GLIDEIN_SCRIPT_TIMEOUT '10m' is not a number of seconds"
}
