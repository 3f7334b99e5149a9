# One stage area and one web server for all suites: $STAGE/good, its command line in $STAGE/good/args.
# shellcheck shell=bash

setup_suite() {
    local here=$BATS_TEST_DIRNAME
    export REPO=$here/../..
    export STAGE=$BATS_SUITE_TMPDIR/stage
    mkdir -p "$STAGE/good"
    cd "$REPO" || return 1
    PORT=$(python -c 'from glideinwms.demo.pool import free_port; print(free_port())')
    export PORT
    local vo=$here/vo
    # the pilot's files as they are staged
    export PILOT_FILES=$STAGE/files
    python -m tests.support.pilot_files "$PILOT_FILES"
    mkdir -p "$STAGE/tools/share"
    echo 4.2 > "$STAGE/tools/share/version"
    tar -czf "$STAGE/tools.tar.gz" -C "$STAGE/tools" share
    python -m tests.support.pilot_stage "$STAGE/good" "http://127.0.0.1:$PORT/good" \
        --entry-attr GLIDEIN_Site=SiteA --entry-attr GLIDEIN_CPUS=2 --client-attr VO_Const="a b  'c' [d] \$(id)" \
        --param VO_Param='x:y; (z) "q" %&' \
        --factory-files "<file absfname='$STAGE/tools.tar.gz' relfname='module.tar.gz' untar='True'>
            <untar_options dir='lib/python/module' absdir_outattr='VO_MODULE_DIR'/></file>" \
        --entry-files "<file absfname='$vo/late_failure.sh' executable='True'/>" \
        --client-files "<file absfname='$vo/helpers.sh' executable='True' after_entry='False'/>
            <file absfname='$vo/regular.txt'/><file absfname='$vo/wrapper.sh' wrapper='True'/>
            <file absfname='$vo/extra.conf' type='config:condor'/>
            <file absfname='$vo/periodic.sh' executable='True' period='600' prefix='VO_'/>
            <file absfname='$vo/at_end.sh' executable='True' time='cleanup'/>
            <file absfname='$vo/before_job' type='source' time='prejob'/>
            <file absfname='$vo/exits' type='source' time='cleanup'/>
            <file absfname='$vo/sourced.sh' type='source' time='setup,cleanup'/>
            <file absfname='$vo/contained.sh' executable='True' type='run:singularity' time='prejob'/>
            <file absfname='$STAGE/tools.tar.gz' untar='True'><untar_options absdir_outattr='VO_TOOLS_DIR'/></file>
            <file absfname='$vo/regular.txt' relfname='runs[1-2]{a,b}.txt'/>
            <file absfname='$vo/fresh.txt' const='False'/>" \
        --group-files "<file absfname='$vo/group.sh' executable='True'/>
            <file absfname='$vo/software.sh' executable='True'/>
            <file absfname='$vo/everything.sh' executable='True'/>
            <file absfname='$vo/careless.sh' executable='True'/>
            <file absfname='$vo/in_python.py' executable='True'/>" > "$STAGE/log" 2>&1 ||
        {
            cat "$STAGE/log" >&2
            return 1
        }
    python -m glideinwms.demo.web --port "$PORT" --map "/=$STAGE" > "$STAGE/web.log" 2>&1 3>&- &
    WEB_PID=$!
    export WEB_PID
    local n
    for ((n = 0; n < 100; n++)); do
        curl -sf "http://127.0.0.1:$PORT/good/args" > /dev/null && return 0
        sleep 0.1
    done
    return 1
}

teardown_suite() {
    kill "$WEB_PID"
}
