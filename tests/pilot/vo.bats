# Scripts as VOs write them, and what helps them (contract 1.7, 1.10).

bats_require_minimum_version 1.5.0
load common

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein

@test "what a script finds by names in glidein_config, and tells the slots" {
    pilot
    [ "$status" = 0 ]
    cd "$EVIDENCE"
    grep -qx 'HAS_VO_SOFTWARE = True' condor_config
    grep -qx 'VO_SOFTWARE_VERSION = "4.2"' condor_config
    grep -q "^VO_SOFTWARE_PATH = \"$home/glide_....../client/tools\"" condor_config
    grep -q '^GLIDEIN_VARIABLES = .*HAS_VO_SOFTWARE,VO_SOFTWARE_VERSION' condor_config
}

@test "every shell helper" {
    pilot
    [ "$(cat "$EVIDENCE/everything")" = "direct written by hand
file written by hand
case written by hand
none []
lower  mixed 
upper  MIXED 
trim [MiXed]
bool yes
bool no
safe sa.*fe [x
history 5
locked by 1
lines 1
tree client_group GLIDECLIENT_GROUP_client_group_main
from default VALUE_PROVIDED unsafe default
begin-base64 644 -
dGV4dAo=
====
glog 1
augment ok" ] || { cat "$EVIDENCE/everything" && false; }
    [ "$(cat "$EVIDENCE/dropped")" = 1 ]
}

@test "a script in Python: configuration, variables, its result" {
    pilot
    grep -qx "VO_From_Python café 'x' \[a-z\]\*" "$EVIDENCE/glidein_config"
    grep -qx 'VO_From_Python_Safe WRITTEN BY HAND' "$EVIDENCE/glidein_config"
    grep -qx "VO_From_Python = \"café 'x' \[a-z\]\*\"" "$EVIDENCE/condor_config"
    pilot_env+=(VO_FAIL_PYTHON=1)
    pilot
    [ "$status" = 1 ]
    says out '>client_group/in_python.py</metric>'
    says out 'uri="local">VO_Config</metric>'
    says out 'a &lt;b&gt; &amp; c'
}

gpy() {
    run env glidein_config="$BATS_TEST_TMPDIR/config" python3 "$GLIDEIN/gconfig.py" "$@"
}

@test "gconfig.py as a command: exact keys, blanks of values, missing files" {
    printf 'A 1\nAB  two\nA\t3\nEMPTY\n' > "$BATS_TEST_TMPDIR/config"
    gpy get A && [ "$output" = 3 ]
    gpy get AB && [ "$output" = " two" ]
    gpy get EMPTY && [ "$status" = 0 ] && [ "$output" = "" ]
    gpy get a && [ "$output" = "" ]
    gpy add A "x.*y [" && gpy add_config_line B one two && gpy add_safe AB
    [ "$status" = 2 ]
    gpy add_safe AB 4
    [ "$(cat "$BATS_TEST_TMPDIR/config")" = "EMPTY
A x.*y [
B one two
AB 4" ]
    [ "$(sed 's/^\([A-Z]*\)[0-9]*/\1/' "$BATS_TEST_TMPDIR/config.history")" = "REG A x.*y [
REG B one two
DUPSAF AB 4
REG AB 4" ]
    gpy add A $'two\nlines'
    [ "$status" = 1 ] && [[ $output == *"may not contain a newline"* ]]
    gpy get A "$BATS_TEST_TMPDIR/none"
    [ "$status" = 1 ] && [[ $output == *none* ]]
    run env -u glidein_config python3 "$GLIDEIN/gconfig.py" get A
    [ "$status" = 1 ] && [[ $output == *"no glidein_config"* ]]
    echo "CONDOR_VARS_FILE $BATS_TEST_TMPDIR/vars" >> "$BATS_TEST_TMPDIR/config"
    gpy add_condor_config_var X 0 I && gpy add_condor_config_var X - S Y NAME
    [ "$(cat "$BATS_TEST_TMPDIR/vars")" = "X	S	-	NAME	N	Y	-" ]
    gpy get NONE "$BATS_TEST_TMPDIR/config" default && [ "$output" = default ]
    cd "$BATS_TEST_TMPDIR" && gpy config && grep -q '<status>OK</status>' otrb_output.xml
}

@test "Python and shell keep to one lock" {
    config=$BATS_TEST_TMPDIR/config
    : > "$config"
    # shellcheck disable=SC1091
    (glidein_config=$config && . "$GLIDEIN/add_config_line.source" && for n in {1..20}; do gconfig_add_safe "S$n" "$n"; done) &
    for n in {1..8}; do
        (for m in 1 2 3; do glidein_config=$config python3 "$GLIDEIN/gconfig.py" add_safe "P$n.$m" "$n"; done) &
    done
    wait
    [ "$(wc -l < "$config")" = 44 ]
}

@test "gwms-python finds a Python, and its modules; where there is none it says so" {
    mkdir -p "$BATS_TEST_TMPDIR/d/bin" "$BATS_TEST_TMPDIR/d/lib/python" "$BATS_TEST_TMPDIR/main/lib/python" "$BATS_TEST_TMPDIR/none"
    cp "$GLIDEIN/gwms-python" "$BATS_TEST_TMPDIR/d/bin/"
    chmod +x "$BATS_TEST_TMPDIR/d/bin/gwms-python"
    echo 'value = 7' > "$BATS_TEST_TMPDIR/d/lib/python/mine.py"
    echo 'value = 8' > "$BATS_TEST_TMPDIR/main/lib/python/more.py"
    run "$BATS_TEST_TMPDIR/d/bin/gwms-python" -c 'import mine, more, sys; print(mine.value, more.value, sys.argv[1])' "a b"
    [ "$output" = "7 8 a b" ]
    ln -s /bin/bash "$BATS_TEST_TMPDIR/none/bash"
    run -127 env PATH="$BATS_TEST_TMPDIR/none" bash "$BATS_TEST_TMPDIR/d/bin/gwms-python" -c 'print(1)'
    [[ $output == *"there is no Python"* ]]
}

@test "a result is augmented, and replaced where it does not fit the exit code" {
    cd "$BATS_TEST_TMPDIR"
    augment=(bash "$GLIDEIN/error_augment.sh")
    bash "$GLIDEIN/error_gen.sh" -error my.sh Network "no <way>" host a
    "${augment[@]}" -process 1 "main/my.sh" "/here & there" "my.sh x" 0 60
    grep -q '<env name="cwd">/here &amp; there</env>' otrx_output.xml
    grep -q '<tEnd>1970-01-01T00:01:00+00:00</tEnd>' otrx_output.xml
    grep -q 'no &lt;way&gt;' otrx_output.xml
    "${augment[@]}" -concat list
    "${augment[@]}" -process 0 "main/my.sh" / my.sh 0 1
    grep -q '<status>OK</status>' otrx_output.xml && ! grep -q 'no &lt;way' otrx_output.xml
    "${augment[@]}" -concat list
    [ "$(grep -c '<OSGTestResult id="main/my.sh"' list)" = 2 ] && ! grep -q '<?xml' list
    python -c 'import sys; from lxml import etree; etree.fromstring("<a>" + sys.stdin.read() + "</a>")' < list
    "${augment[@]}" -init
    [ ! -e otrb_output.xml ] && [ ! -e otrx_output.xml ]
    run "${augment[@]}" -nonsense
    [ "$status" = 1 ]
    [[ $output == *"-process STATUS"* ]]
}

# periodic STATUS: a run of a periodic script that ends so.
periodic() {
    echo "$1" > "$BATS_TEST_TMPDIR/ends"
    run bash "$GLIDEIN/script_wrapper.sh" "$top/glidein_config" client GLIDEIN_PS_3 "$top/my.sh" "${2:-NOPREFIX}"
}

@test "a periodic script: its lines, what the slot and glidein_config say, its failure in the pilot's result" {
    top=$BATS_TEST_TMPDIR/top
    mkdir -p "$top/tmp"
    cat > "$top/glidein_config" << END
ADD_CONFIG_LINE_SOURCE $GLIDEIN/add_config_line.source
ERROR_GEN_PATH $BATS_TEST_TMPDIR/main/error_gen.sh
GLIDEIN_WORK_DIR $BATS_TEST_TMPDIR/main
GLIDEIN_WORKSPACE_ORIG $top
END
    mkdir "$BATS_TEST_TMPDIR/main"
    cp "$GLIDEIN"/error_{gen,augment}.sh "$BATS_TEST_TMPDIR/main/"
    chmod +x "$BATS_TEST_TMPDIR/main"/*
    cat > "$top/my.sh" << END
#!/bin/bash
echo "VO_Seen = \"\$2 \$GLIDEIN_PERIODIC_SCRIPT \${PWD%.*} \$start_dir\""
ends=\$(cat '$BATS_TEST_TMPDIR/ends')
[ "\$ends" = 0 ] || '$BATS_TEST_TMPDIR/main/error_gen.sh' -error my.sh WN_Resource 'no "disk" left'
exit "\$ends"
END
    chmod +x "$top/my.sh"
    periodic 0
    [ "${lines[1]}" = "GLIDEIN_PS_OK = True" ] && [ "${lines[2]}" = "GLIDEIN_PS_LAST = \"$top/my.sh\"" ]
    [[ ${lines[0]} == "VO_Seen = \"client true $top/tmp/ps_"*" $top\"" ]] && [ "${lines[-1]}" = - ]
    periodic 3 MY_
    [ "${lines[1]}" = "OK = False" ] && [ "${lines[4]}" = "FAILED_LAST = \"$top/my.sh\"" ]
    [[ ${lines[5]} =~ ^'FAILED_LAST_REASON = "exit code 3 after '[0-9]+' s: no  disk  left"'$ ]]
    periodic 4
    grep -qx 'GLIDEIN_PS_FAILING_LIST GLIDEIN_PS_3' "$top/glidein_config"
    periodic 0
    [ "${lines[1]}" = "GLIDEIN_PS_OK = True" ]
    [ "$(grep -c '^GLIDEIN_PS_OK ' "$top/glidein_config")" = 1 ]
    grep -qx 'GLIDEIN_PS_FAILED_LIST GLIDEIN_PS_3' "$top/glidein_config"
    grep -q '^GLIDEIN_PS_FAILED_LAST_REASON exit code 4 after ' "$top/glidein_config"
    # one of the two failures in a row
    [ "$(grep -c '<OSGTestResult id="client/my.sh"' "$top/otr_outlist.list")" = 1 ]
    [ "$(ls "$top/tmp")" = "" ]
}

# periodic_top: what a periodic script finds, for one that is written to $top/my.sh.
periodic_top() {
    top=$BATS_TEST_TMPDIR/top
    mkdir -p "$top/tmp" "$BATS_TEST_TMPDIR/main"
    cp "$GLIDEIN"/error_{gen,augment}.sh "$BATS_TEST_TMPDIR/main/"
    chmod +x "$BATS_TEST_TMPDIR/main"/*
    printf '%s\n' "ADD_CONFIG_LINE_SOURCE $GLIDEIN/add_config_line.source" "ERROR_GEN_PATH $BATS_TEST_TMPDIR/main/error_gen.sh" \
        "GLIDEIN_WORK_DIR $BATS_TEST_TMPDIR/main" "GLIDEIN_WORKSPACE_ORIG $top" > "$top/glidein_config"
    echo "STARTD_CRON_GLIDEIN_PS_3_PERIOD = ${1}s" > "$top/condor_config_startd_cron_include"
}

@test "periodic scripts that end at the same time do not forget each other's failure" {
    local n
    periodic_top 60
    printf '#!/bin/sh\necho > "%s/ran"\n' "$top" > "$top/my.sh"
    chmod +x "$top/my.sh"
    # another one has the lock
    ln -s "$BASHPID" "$top/glidein_config.lock"
    bash "$GLIDEIN/script_wrapper.sh" "$top/glidein_config" client GLIDEIN_PS_3 "$top/my.sh" NOPREFIX > "$top/said" 3>&- &
    local pid=$!
    # it waits for it: sleeps between its looks
    for ((n = 0; n < 3000; n++)); do
        [ -e "$top/ran" ] && [ "$(ps -o comm= --ppid "$pid")" = sleep ] && break
        sleep 0.05
    done
    [ "$n" -lt 3000 ]
    echo "GLIDEIN_PS_FAILING_LIST GLIDEIN_PS_4" >> "$top/glidein_config"
    rm "$top/glidein_config.lock"
    wait "$pid"
    grep -qx 'GLIDEIN_PS_FAILING_LIST GLIDEIN_PS_4' "$top/glidein_config"
    grep -qx 'GLIDEIN_PS_OK = False' "$top/said"
    [ ! -e "$top/glidein_config.lock" ]
}

@test "a periodic script that hangs is ended with all it started when its turn comes again, and fails; not at the pilot's end" {
    local n period
    for period in 1 600; do
        periodic_top "$period"
        printf '#!/bin/bash\nsleep 300 &\necho $! > "%s/ran"\nsleep 300\n' "$top" > "$top/my.sh"
        chmod +x "$top/my.sh"
        rm -f "$top/ran" "$top/otr_outlist.list"
        bash "$GLIDEIN/script_wrapper.sh" "$top/glidein_config" client GLIDEIN_PS_3 "$top/my.sh" NOPREFIX > "$top/said" 3>&- &
        local pid=$!
        for ((n = 0; n < 3000; n++)); do
            [ -s "$top/ran" ] && break
            sleep 0.05
        done
        [ "$period" != 1 ] || sleep 1
        kill -TERM "$pid"
        wait "$pid"
        for ((n = 0; n < 3000; n++)); do
            kill -0 "$(cat "$top/ran")" 2> /dev/null || break
            sleep 0.05
        done
        [ "$n" -lt 3000 ]
        [ -z "$(ls "$top/tmp")" ]
        if [ "$period" = 1 ]; then
            grep -qx 'GLIDEIN_PS_OK = False' "$top/said"
            grep -q 'exit code 137 after .* s: not done when its next turn came' "$top/said" "$top/glidein_config"
            grep -q '<OSGTestResult id="client/my.sh"' "$top/otr_outlist.list"
        else
            [ ! -s "$top/said" ]
            [ ! -e "$top/otr_outlist.list" ]
        fi
    done
}
