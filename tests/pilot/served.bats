# Whether a pilot that ended by itself could have served, by its daemons' logs.

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir -p log bin
}

# judged [VARIABLE=VALUE...]: `failure_type: failure`, or nothing for a pilot that could serve.
judged() {
    run bash -c 'declare -A cfg=([USE_CCB]=True [DEBUG_MODE]=0 [CONDOR_DIR]=$PWD)
        work_dir=$PWD daemon_name=glidein_1_2 killed=False jobs_total=0 claims=0
        . "$1"; shift
        for pair; do printf -v "${pair%%=*}" %s "${pair#*=}"; done
        ask_pool
        ! never_served || echo "$failure_type: $failure"' bash "$GLIDEIN/condor_served.source" "$@"
    [ "$status" = 0 ]
}

pool_has_it() {
    printf '#!/bin/sh\necho glidein_1_2\n' > bin/condor_status
    chmod +x bin/condor_status
}

DENIED='11/30/26 17:56:20 (pid:9) ERROR: SECMAN:2010:Received "DENIED" from server for user a@b using method IDTOKENS.'

@test "in the pool, without jobs: no failure" {
    echo '11/30/26 17:56:15 (pid:9) CCBListener: registered with CCB server 1.2.3.4:9618 as ccbid 1.2.3.4:9618#1' > log/StartLog
    : > log/MasterLog
    judged
    [ "$output" = "" ]
    # one update did not get through
    echo "$DENIED" >> log/MasterLog
    pool_has_it
    judged
    [ "$output" = "" ]
}

@test "refused by the pool, unless jobs ran or somebody else ended the pilot" {
    echo "$DENIED" > log/MasterLog
    judged
    [ "$output" = 'VO_Proxy: the pool never had this startd: ERROR: SECMAN:2010:Received "DENIED" from server for user a@b using method IDTOKENS.' ]
    judged jobs_total=1
    [ "$output" = "" ]
    judged killed=True
    [ "$output" = "" ]
}

@test "a CCB server that does not take the startd, though the pool has its ad" {
    echo '11/30/26 17:56:15 (pid:9) CCBListener: connection to CCB server c:1 failed; will try to reconnect in 60 seconds.' > log/StartLog
    pool_has_it
    judged
    [[ $output == "Network: nobody can reach this startd, the CCB server does not take it: CCBListener: connection to CCB server c:1 failed;"* ]]
    echo '11/30/26 17:57:15 (pid:9) CCBListener: registered with CCB server c:1 as ccbid c:1#1' >> log/StartLog
    judged
    [ "$output" = "" ]
}

@test "claims that never come to run a job, and claims that are all refused" {
    echo '11/30/26 17:56:15 (pid:9) ERROR "cannot change to the directory" at line 1 in file x' > log/StarterLog.slot1
    judged claims=3
    [ "$output" = 'WN_Resource: no claim came to run a job, 3 tried: ERROR "cannot change to the directory" at line 1 in file x' ]
    echo '11/30/26 17:56:15 slot1: Request to claim resource refused.' > log/StartLog
    judged
    [ "$output" = "Config: every claim was refused: slot1: Request to claim resource refused." ]
    echo '11/30/26 17:56:16 slot1: Request accepted.' >> log/StartLog
    judged
    [ "$output" = "" ]
}
