# The contract between pilot and scripts, and what the pilot prints (contract 1.7-1.12).

load common

@test "a pilot runs every list, starts HTCondor and leaves nothing" {
    pilot
    [ "$status" = 0 ]
    says out "checksum          = '$(md5sum < "$STAGE/good/glidein_startup.sh" | cut -d ' ' -f 1)'"
    says out "=== Last script starting "
    says out " with code 0 after "
    says out '<metric name="AutoShutdown"'
    says out "=== End XML description of glidein activity ==="
    says err "=== Encoded XML description of glidein activity ==="
    nothing_left
}

@test "scripts get the config, their tree's id, the work directory and the helpers" {
    pilot
    cd "$EVIDENCE"
    grep -qx 'argument glidein_config' helpers
    grep -qx 'id client' helpers
    grep -qx "cwd $home/glide_......" helpers
    grep -qx 'stdin 0' helpers
    grep -qxE 'descript description\.[0-9a-f]{12}\.cfg' helpers
    grep -qx "dir $home/glide_....../client" helpers
    grep -qxE 'signature [0-9a-f]{40}' helpers
    grep -qx 'prefix GLIDECLIENT_' helpers
    grep -qx 'param x:y; (z) "q" %&' helpers
    grep -qxF "const a b  'c' [d] \$(id)" helpers
}

@test "a key is replaced whatever its value is, and later lists see it" {
    pilot
    [ "$(cat "$EVIDENCE/group")" = "id client_group
path $(sed -n 's/^cwd //p' "$EVIDENCE/helpers")/.gwms.d/bin
1
a.c [x" ]
    grep -qx 'VO_Safe two  words' "$EVIDENCE/glidein_config"
}

@test "condor vars become typed lines, published and in the job's environment; no value is evaluated" {
    pilot
    cd "$EVIDENCE"
    grep -qxF 'VO_Old = "a.c [x"' condor_config
    grep -qxF "LSB_RELEASE = \"$(. /etc/os-release && echo "$VERSION_ID")\"" condor_config
    grep -qxF "LSB_DESCRIPTION = \"$(. /etc/os-release && echo "$PRETTY_NAME")\"" condor_config
    grep -qxF 'VO_Count = 17' condor_config
    grep -q '^GLIDEIN_VARIABLES = .*VO_Old.*VO_Count' condor_config
    grep -q "^STARTER_JOB_ENVIRONMENT = .*VO_Old='a.c \[x'.*VO_Count='17'" condor_config
    ! grep -qE "idtoken|GLIDEIN_CPUS=" <(grep '^STARTER_JOB_ENVIRONMENT' condor_config) || false
    # an attribute of the slots for those who ask how the pilot has joined
    grep -q '^GLIDEIN_CONDOR_TOKEN = ".*idtoken"' condor_config
    grep -q '^GLIDEIN_VARIABLES = .*,GLIDEIN_CONDOR_TOKEN\b' condor_config
}

@test "scripts may be careless: IFS of their own, keys without a value, numbers that are none, no result" {
    pilot
    [ "$status" = 0 ]
    cd "$EVIDENCE"
    grep -qx 'VO_SE_data near data' glidein_config
    grep -qx 'VO_LFN_data /store/data rw' glidein_config
    grep -qxF 'VO_SE_cache = "near cache"' condor_config
    ! grep -q 'VO_Nothing' condor_config || false
    grep -qxF 'VO_Load = 0.75' condor_config
    grep -qxF 'VO_Quota = 8 * 1024' condor_config
    grep -q "^STARTER_JOB_ENVIRONMENT = .*VO_SE_data='near data'.* VO_Load='0.75'" condor_config
}

@test "a script that removes the work directory: the pilot still holds the node, and says how it ended" {
    pilot_env+=(VO_REMOVE=1 GLIDEIN_HOLD_DOWN=1)
    pilot
    [ "$status" = 1 ]
    says err "Waiting 1 s before the next pilot may come"
    says out " with code 1 after "
    says out '<metric name="TestID"'
    says out "=== End XML description of glidein activity ==="
    nothing_left
}

@test "files of every kind are where they belong" {
    pilot
    cd "$EVIDENCE"
    grep -qx 'VO_KNOB = 5' condor_config.d/extra.conf
    grep -qx "VO_MODULE_DIR $home/glide_....../main/lib/python/module" glidein_config
    grep -q "^gwms_d=.*$home/glide_....../.gwms.d}$" condor_job_wrapper.sh
    [ "$(VO_WRAPPED='' sh condor_job_wrapper.sh env | grep -c '^VO_WRAPPED=yes$')" = 1 ]
    grep -q 'STARTD_CRON_GLIDEIN_PS_[0-9]*_PERIOD = 600s' condor_config
    grep -q 'STARTD_CRON_GLIDEIN_PS_[0-9]*_PREFIX = VO_' condor_config
}

@test "a file runs or is sourced at the points that its time says" {
    pilot
    # at the end only: a run at set-up would have found GLIDEIN_INITIALIZED 0
    [ "$(cat "$EVIDENCE/at_end")" = "1 client
0002_client_before_job.sh
0005_client_contained.sh
0005_client_contained.sh.ignore
client.setup_prejob.sh
vo_dropped.sh
yes" ]
    # in its own shell: the exit of the one before ends only that
    [ "$(cat "$EVIDENCE/sourced_at_end")" = "client" ]
    ! grep -q "Executing .*at_end.sh" "$BATS_TEST_TMPDIR/out" || false
    says err "client:at_end."
}

@test "what is sourced at set-up hands on what it exports, and nothing else" {
    pilot
    [ "$(cat "$EVIDENCE/sourced")" = "client/0 glidein_config client ok" ]
    # seen by a later script of the same list
    [ "$(cat "$EVIDENCE/group.env")" = "a 'b' \$c two
lines unset in lower case /a:/b" ]
    pilot_env+=(VO_FAIL_SOURCE=7)
    pilot
    [ "$status" = 1 ]
    says err "client/sourced.sh failed with exit code 7"
    nothing_left
}

@test "before jobs: sources and executables in the order of the lists; one for containers goes through the wrapper" {
    local top=$BATS_TEST_TMPDIR/top shell
    mkdir -p "$top/.gwms.d/exec/prejob" "$top/job"
    : > "$top/glidein_config"
    cd "$top/.gwms.d/exec/prejob"
    echo 'export SEEN="$SEEN ${0##*/}:$2:$PWD"; cd /' > 0001_client_group_a.sh
    printf '#!/bin/sh\necho "$1 $2" > "$EVIDENCE/ran"\ncat\nexit 4\n' > 0002_main_b
    echo 'echo never' > 0003_main_c
    echo 'exit 1' > 0004_main_d.sh.ignore
    echo 'SEEN="$SEEN last"' > client.setup_prejob.sh
    chmod +x 0002_main_b
    cd "$top/job"
    for shell in dash bash "bash --posix"; do
        run $shell -c "gwms_d='$top/.gwms.d'; . '$REPO/glideinwms/glidein/job_points.sh'; echo \"\$SEEN \$* \$PWD\"; cat" \
            job argument <<< input
        [ "$status" = 0 ]
        [[ ${lines[0]} == *0002_main_b\ ended\ with\ exit\ code\ 4 ]]
        [ "${lines[1]}" = " job:client_group:$top/job last argument $top/job" ]
        [ "${lines[2]}" = input ]
        [ "$(cat "$EVIDENCE/ran")" = "$top/glidein_config main" ]
    done
}

@test "a failing script ends the pilot with its result, category and text" {
    pilot_env+=(VO_FAIL=1)
    pilot
    [ "$status" = 1 ]
    says out '>entry/late_failure.sh</metric>'
    says out 'uri="local">VO_Config</metric>'
    says out 'uri="local">ROOT</metric>'
    says out 'there is no &lt;such&gt; software'
    says err "Validation error in"
    ! grep -q "Condor starting" "$BATS_TEST_TMPDIR/out" || false
    nothing_left
}

@test "HTCondor's exit code is the pilot's, and 99 is a normal end" {
    pilot_env+=(STUB_MASTER_STATUS=44)
    pilot
    [ "$status" = 44 ]
    pilot_env+=(STUB_MASTER_STATUS=99)
    pilot
    [ "$status" = 0 ]
}

@test "the result on stderr holds every script, and is what deployed tools unpack" {
    pilot
    xml=$(sed -n '/=== Encoded XML/,/=== End encoded/p' "$BATS_TEST_TMPDIR/err" |
        sed '1,/^begin-base64/d;/^====/,$d' | base64 -d | gzip -d)
    grep -q '<OSGTestResult id="client/helpers.sh" version="4.3.1">' <<< "$xml"
    grep -q '<env name="glidein_entry">Alpha</env>' <<< "$xml"
    grep -q 'name="VO_Metric"' <<< "$xml"
    python -c 'import sys; from lxml import etree; etree.fromstring(sys.stdin.read().encode())' <<< "$xml"
}

@test "debug options: of the environment and of the configuration" {
    words+=(-param_GLIDEIN_DEBUG_OPTIONS nocleanup.comma,nowait)
    pilot
    [ "$status" = 0 ]
    [ "$(ls -d "$home"/glide_*/main "$home"/tmp/glide_* | wc -l)" = 2 ]
    run env GLIDEIN_DEBUG_OPTIONS=nowait,usertrace bash "$EVIDENCE/condor_job_wrapper.sh" true
    [[ $output == *"+ exec true"* ]]
    run bash "$EVIDENCE/condor_job_wrapper.sh" true
    [[ $output != *"+ exec true"* ]]
}

@test "check mode: a master without a startd in the pool is a failure" {
    option -v check
    pilot
    [ "$status" = 1 ]
    grep -q '^START = .*&& False' "$EVIDENCE/condor_config"
    grep -q '^NUM_CPUS = 1$' "$EVIDENCE/condor_config"
    nothing_left
}

@test "unknown options and missing ones are refused" {
    words=(-nonsense 1)
    pilot
    [ "$status" = 1 ]
    says err "unknown option -nonsense"
    words=(-name a)
    pilot
    [ "$status" = 1 ]
    says err "is missing"
}

@test "a work directory that is not there is an early failure" {
    option -dir '/nonexistent/<a&b>'
    pilot_env+=(TZ=Asia/Tokyo)
    pilot
    [ "$status" = 1 ]
    says out '>WN_RESOURCE</metric>'
    says out "ts=\"$(date -u +%Y-%m-%dT)"
    sed -n '/^=== XML/,/^=== End XML/{/^===/!p}' "$BATS_TEST_TMPDIR/out" |
        python -c 'import sys, xml.dom.minidom as m; m.parseString(sys.stdin.buffer.read())'
}
