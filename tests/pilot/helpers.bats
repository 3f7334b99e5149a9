# What the helpers of scripts do by themselves (contract 8): configuration, lock, collectors, credentials.

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$GLIDEIN"/*.source "$GLIDEIN/error_gen.sh" .
    chmod u+x error_gen.sh
    printf '%s\n' "# --- glidein_config ---" "KEY first" "KEYS another" "KEY  two  words " "TAB 	value" \
        "ADD_CONFIG_LINE_SOURCE $PWD/add_config_line.source" "ERROR_GEN_PATH $PWD/error_gen.sh" > glidein_config
}

# lib CODE: run code over the helpers; `output` and `status` of bats.
lib() {
    run bash -c ". ./add_config_line.source; $1" lib
}

with_config() {
    lib "glidein_config=\$PWD/glidein_config; $1"
}

@test "without glidein_config reading and writing end the script, trimming says so, and no file appears" {
    local files call
    files=$(ls)
    for call in "gconfig_get KEY" "gconfig_add KEY value" "gconfig_add_safe KEY value" "add_config_line KEY value"; do
        lib "$call; echo went on"
        [ "$status" = 1 ]
        [[ $output == *"the variable glidein_config is not defined"* && $output != *"went on"* ]]
    done
    lib "gconfig_trim; echo status \$?"
    [ "$status" = 0 ]
    [[ $output == *"is not defined"*"status 1" ]]
    [ "$(ls)" = "$files" ]
}

@test "the last line of exactly this key counts, blanks of its value stay" {
    with_config 'printf "[%s]\n" "$(gconfig_get KEY)" "$(gconfig_get KEYS)" "$(gconfig_get TAB)" "$(gconfig_get key)" "$(gconfig_get KE)"'
    [ "$output" = '[ two  words ]
[another]
[	value]
[]
[]' ]
    with_config 'gconfig_get key glidein_config -i'
    [ "$output" = " two  words " ]
    lib 'gconfig_get KEY nowhere; echo status $?'
    [ "$output" = "status 0" ]
}

@test "converted values" {
    printf '%s\n' "MIXED  aBc  " "T1 yes" "T2 12" "T3 True" "F1 0" "F2 no" "F3 -3" >> glidein_config
    with_config 'echo "$(gconfig_get_tolower MIXED)|$(gconfig_get_toupper MIXED)|$(gconfig_get_trim MIXED)"
        for key in T1 T2 T3 F1 F2 F3 NONE; do gconfig_get_bool $key && echo $key; done; :'
    [ "$output" = ' abc  | ABC  |aBc
T1
T2
T3' ]
}

@test "a key is set once, whatever it and its value look like" {
    with_config 'for value in a.c abc "[x" "*" "a/b&c" "" "\\1"; do gconfig_add K.Y "$value"; gconfig_get K.Y; done
        gconfig_add KAY other; gconfig_get K.Y; grep -cF "K.Y " glidein_config'
    [ "$output" = 'a.c
abc
[x
*
a/b&c
\1
\1
1' ]
}

@test "history: a line for each key that was set, two under the lock, cut at 4 kB" {
    with_config 'gconfig_add A 1; gconfig_add_safe B 2 3; gconfig_add_unsafe C 4; gconfig_add D "$(printf %5000s x)"; echo $$
        [ "$(gconfig_log_name)" = "$glidein_config.history" ]'
    [ "$status" = 0 ]
    [ "$(head -n 4 glidein_config.history)" = "REG$output A 1
DUPSAF$output B 2 3
REG$output B 2 3
UNS$output C 4" ]
    [ "$(wc -l < glidein_config.history)" = 5 ]
    [ "$(tail -n 1 glidein_config.history | wc -c)" = 4097 ]
}

@test "trimming keeps comments and the last line of each key" {
    with_config 'gconfig_trim && cat glidein_config'
    [ "$(head -n 4 <<< "$output")" = '# --- glidein_config ---
KEYS another
KEY  two  words 
TAB 	value' ]
    with_config 'gconfig_trim_safe && ls glidein_config.lock'
    [ "$status" = 2 ]
}

@test "the lock is a link with its owner, who may take it again, and is the only one to give it back" {
    lib 'lock_file f && lock_file f && [ "$(readlink f.lock)" = $$ ] && [ "$(cat f.pid)" = $$ ] || exit 1
        (unlock_file f; lock_file f 1 || echo kept)
        unlock_file f; ls f.*'
    [ "${lines[0]}" = kept ]
    [[ ${lines[1]} == *"No such file"* ]]
}

@test "the lock of a process that has gone is broken after a minute, that of a living one is not" {
    # waiting makes the clock run
    local wait='sleep() { SECONDS=$((SECONDS + 10)); }; SECONDS=0;'
    lib "$wait ln -s 999999999 f.lock; lock_file f && echo after \$SECONDS"
    [[ $output == *"breaking the lock of 999999999"*"after "[67]? ]]
    rm -f f.*
    lib "$wait ln -s $$ f.lock; lock_file f 300 || echo after \$SECONDS"
    [[ $output == "after 3"?? ]]
    [ "$(readlink f.lock)" = "$$" ]
}

@test "scripts that run beside each other lose none of their keys" {
    with_config 'for n in 1 2 3 4 5 6; do (for m in 1 2 3 4 5; do gconfig_add_safe K_${n}_$m $m; done) & done; wait'
    [ "$status" = 0 ]
    [ "$(grep -c ^K_ glidein_config)" = 30 ]
    [ ! -e glidein_config.lock ]
}

@test "condor vars have seven columns, a line for each name" {
    lib 'condor_vars_file=vars; add_condor_vars_line A S - + N Y @; add_condor_vars_line B I 5 B2 Y N -
        add_condor_vars_line A C - + N N +; cat vars'
    [ "$output" = "B	I	5	B2	Y	N	-
A	C	-	+	N	N	+" ]
    lib 'add_condor_vars_line A S - + N Y @'
    [ "$status" = 1 ]
}

@test "ranges of ports and of sock names become one of them" {
    local wanted given
    while read -r given wanted; do
        with_config ". '$GLIDEIN/collector_setup.sh' glidein_config; expand_range '$given'; echo \"\$expanded\""
        [ "$output" = "$wanted" ] || {
            echo "$given: $output, not $wanted"
            return 1
        }
    done << 'END'
host.domain host.domain
host-1.domain:9618 host-1.domain:9618
host:9620-9640 host:$RANDOM_INTEGER(9620,9640)
ho-st-1:9620-9640 ho-st-1:$RANDOM_INTEGER(9620,9640)
host:9618?sock=collector host:9618?sock=collector
host:9618?sock=collector1-20 host:9618?sock=collector$RANDOM_INTEGER(1,20)
host-1.do-main:9618?sock=collector_1-20 host-1.do-main:9618?sock=collector_$RANDOM_INTEGER(1,20)
host:9618?noUDP&sock=collector1-20 host:9618?noUDP&sock=collector$RANDOM_INTEGER(1,20)
host:9618?sock=collector1-20&alias=a-b host:9618?sock=collector$RANDOM_INTEGER(1,20)&alias=a-b
host:9618?varsock=collector1-20 host:9618?varsock=collector1-20
host:9618?sockvar=collector1-20 host:9618?sockvar=collector1-20
END
}

# collectors KEY VALUE...: collector_setup.sh over such a configuration.
collectors() {
    while [ $# -gt 0 ]; do
        echo "$1 $2" >> glidein_config
        shift 2
    done
    run bash "$GLIDEIN/collector_setup.sh" glidein_config main
}

value() {
    sed -n "s/^$1 //p" glidein_config
}

@test "of each group of collectors one is taken, of CCB servers all" {
    collectors GLIDEIN_Collector "a:1,a:2;b:1-5" GLIDEIN_CCB "c:1-3,d:2" GLIDEIN_Factory_Collector f:1
    [ "$status" = 0 ]
    [[ $(value GLIDEIN_Collector) =~ ^a:[12],b:\$RANDOM_INTEGER\(1,5\)$ ]]
    [ "$(value GLIDEIN_CCB)" = 'c:$RANDOM_INTEGER(1,3),d:2' ]
    [ "$(value GLIDEIN_Master_Collector)" = "$(value GLIDEIN_Collector),f:1" ]
}

@test "without a collector the pilot cannot go on" {
    collectors GLIDEIN_Collector Fake
    [ "$status" = 1 ]
    grep -q ">Config<" otrb_output.xml
}

# trust_domain KEY VALUE: what setup_x509.sh makes of the collectors.
trust_domain() {
    printf '%s\n' "GLIDEIN_START_DIR_ORIG $PWD/start" "GLIDEIN_WORKSPACE_ORIG $PWD" "$1 $2" >> glidein_config
    mkdir -p start
    echo "x.$(printf '{"exp": %s}' $(($(date +%s) + 3600)) | base64 -w 0).x" > start/credential_a.idtoken
    run bash "$GLIDEIN/setup_x509.sh" glidein_config main
    [ "$status" = 0 ] && value TRUST_DOMAIN
}

@test "the trust domain is the first collector, else the CCB server" {
    [ "$(trust_domain GLIDEIN_Collector a.b:9618,c.d)" = a.b:9618 ]
    setup
    [ "$(trust_domain GLIDEIN_Collector 'a.b:9618?sock=c d')" = 'a.b:9618?sock=c' ]
    setup
    [ "$(trust_domain GLIDEIN_Collector 'a.b	c.d')" = a.b ]
    setup
    [ "$(trust_domain GLIDEIN_Collector 'a.b:$RANDOM_INTEGER(1,5),c')" = a.b:RANDOM ]
    setup
    [ "$(trust_domain CCB_ADDRESS e.f:1)" = e.f:1 ]
    setup
    [ "$(trust_domain TRUST_DOMAIN given)" = given ]
}

@test "a long result is kept in a moment" {
    "$PWD/error_gen.sh" -error x.sh Config here
    { head -n 7 otrb_output.xml && seq -f '    line %.0f &lt;&amp;' 20000 && tail -n +8 otrb_output.xml; } > long.xml
    SECONDS=0
    run env LC_ALL=C bash -c '. ./glidein_results.source; cp long.xml otrb_output.xml; work_top=$PWD
        keep_result main/x.sh x.sh 0 1 1; echo "$result_failure"; grep -c "line .* &lt;&amp;" <<< "$result_list"'
    [ "$output" = $'Config\n20000' ]
    [ "$SECONDS" -lt 60 ]
}

@test "names and ids of results may hold quotes; the log's lines stay JSON whatever is said" {
    "$PWD/error_gen.sh" -ok 'a"b' 'size "x"' '"&'
    python -c 'import xml.dom.minidom as m; m.parse("otrb_output.xml")'
    run bash -c '. ./logging_utils.source; glog_file=$PWD/log; glog_write x text $'"'"'\e[31mred\b\001"\\ \n'"'"
    python -c 'import json; assert "red" in json.load(open("log"))["content"]'
}

@test "jobs' times over the end of a month and of a year, each log by itself" {
    cat > a << 'END'
11/30/26 23:59:00 (pid:1) ** condor_starter (CONDOR_STARTER) STARTING UP
11/30/26 23:59:10 (pid:1) Create_Process succeeded, pid=2
a line that goes on
12/01/26 00:09:00 (pid:1) Process exited, pid=2, status=0
12/01/26 00:09:00 (pid:1) **** condor_starter (condor_STARTER) pid 1 EXITING WITH STATUS 0
12/31/26 23:59:00 (pid:1) ** condor_starter (CONDOR_STARTER) STARTING UP
12/31/26 23:59:10 (pid:1) Create_Process succeeded, pid=2
01/01/27 00:00:00 (pid:1) still running
END
    cat > b << 'END'
02/28/28 23:00:00 (pid:1) ** condor_starter (CONDOR_STARTER) STARTING UP
02/28/28 23:00:00 (pid:1) Create_Process succeeded, pid=2
03/01/28 00:00:00 (pid:1) Process exited, pid=2, status=3
03/01/28 00:00:00 (pid:1) **** condor_starter (condor_STARTER) pid 1 EXITING WITH STATUS 0
END
    # shellcheck disable=SC2016
    run bash -c '. ./job_stats.source; count_jobs a b; echo "${times[goodZ]} ${times[goodNZ]} ${times[badOther]} $claims"'
    [ "$output" = "600 90000 60 3" ]
}

@test "trimming a value takes its quotes away, a key that is not there prints nothing" {
    printf '%s\n' 'DQ  "quoted v" ' "SQ ' one '" EMPTY >> glidein_config
    with_config 'printf "[%s]" "$(gconfig_get_trim DQ)" "$(gconfig_get_trim SQ)"; gconfig_get NONE; gconfig_get EMPTY; gconfig_get KEY /nonexist'
    [ "$output" = "[quoted v][one]" ]
    with_config 'gconfig_log_add "" one "two  three"; gconfig_log_add other words; cat glidein_config.history other.history'
    [ "$output" = $'one two  three\nwords' ]
}

@test "a script sets its log up by the path of glidein_config, and fails where there is none" {
    printf '%s\n' "GLIDEIN_UUID u" "GLIDEIN_WORKSPACE_ORIG $PWD" "LOGGING_UTILS_SOURCE $PWD/logging_utils.source" \
        "GLIDEIN_LOGDIR logs/u" "GLIDEIN_LOG_LOGFILE u.log" "GLIDEIN_LOG_RELATIVE_BASEPATH $PWD" >> glidein_config
    mkdir -p logs/u && : > logs/u/u.log
    echo "line 1" > some.txt
    # shellcheck disable=SC2016
    local code='. ./add_config_line.source; glidein_config=glidein_config; . "$(gconfig_get LOGGING_UTILS_SOURCE)"
        glog_setup "$glidein_config" || exit 1
        glog_write me text "he\"llo" warn; glog_write me file some.txt; glog_write me file none strange
        glog_get_logfile_path_relative'
    run bash -c "$code"
    [ "$status" = 1 ]
    [[ $output == *"has no log"* ]]
    echo "GLIDEIN_LOG_INITIALIZED 1" >> glidein_config
    run bash -c "$code"
    [ "$status" = 0 ] && [ "$output" = logs/u/u.log ] || { echo "$output" && false; }
    python - << 'END'
import base64, gzip, json
rows = [json.loads(line) for line in open("logs/u/u.log")]
assert [r["severity"] for r in rows] == ["warn", "info", "info"], rows
assert rows[0]["content"] == 'he"llo'
packed = [r["content"].removeprefix("begin-base64 644 -").removesuffix("====") for r in rows[1:]]
assert [gzip.decompress(base64.b64decode(p)) for p in packed] == [b"line 1\n", b"File not found"]
END
    run bash -c '. ./logging_utils.source; glog_setup; echo $?; glog_setup /nonexist; echo $?; glog_get_logfile_path_relative; echo $?'
    [ "$(grep -c '^1$' <<< "$output")" = 3 ]
}

@test "log files as text by every way, and values of files and URLs for ads" {
    # shellcheck disable=SC2016
    run bash -c '. ./b64uuencode.source; seq 99 > f
        for way in b64uuencode base64_b64uuencode python_b64uuencode; do $way < f | cksum; done | uniq | wc -l; get_python'
    [ "${lines[0]}" = 1 ] && [ "${lines[1]}" = python3 ] || { echo "$output" && false; }
    mkdir place
    printf '12.5\n' > place/number
    printf 'some text' > place/text
    printf 'a "b"' > place/quoted
    : > place/empty
    # shellcheck disable=SC2016
    run bash -c 'glidein_config=$PWD/glidein_config; . "$1/glidein_lib.sh"
        for name in number text quoted empty none; do getValueFromFileOrURL $name place; done' - "$GLIDEIN"
    [ "$output" = $'12.5\n"some text"\n"WrongFormat"\n"WrongFormat"\n"Unknown"' ] || { echo "$output" && false; }
}
