# Logs of pilots for log servers (contract 1.12).

load common

# server TOKEN: a log server that knows it; `url`, and what it got in `kept`.
server() {
    kept=$BATS_TEST_TMPDIR/kept
    mkdir -p "$kept"
    python "$BATS_TEST_DIRNAME/mock/logserver.py" "$BATS_TEST_TMPDIR/port" "$1" "$kept" 3>&- &
    server=$!
    local n
    for ((n = 0; n < 3000; n++)); do
        [ -e "$BATS_TEST_TMPDIR/port" ] && break
        sleep 0.1
    done
    url=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")/logs/
}

teardown() {
    [ -z "$server" ] || kill "$server"
}

# tokens PLACE TOKEN...: as the Factory sends them along.
tokens() {
    mkdir -p "$BATS_TEST_TMPDIR/t/tokens"
    while [ $# -gt 0 ]; do
        mkdir "$BATS_TEST_TMPDIR/t/tokens/$1"
        printf '%s' "$2" > "$BATS_TEST_TMPDIR/t/tokens/$1/default.jwt"
        shift 2
    done
    tar -czf "$home/tokens.tgz" -C "$BATS_TEST_TMPDIR/t" tokens
}

@test "logs go to every server that there is a token for, when jobs can come and at the end; servers that are away harm nothing" {
    server abc.def.ghi
    tokens one abc.def.ghi two wrong three abc.def.ghi
    printf '%s\n' "$url one" "${url%/} two" "http://127.0.0.1:1/ three" "$url none" > "$home/url_dirs.desc"
    pilot
    [ "$status" = 0 ]
    uuid=$(sed -n "s/^glidein_uuid *= '\(.*\)'/\1/p" "$BATS_TEST_TMPDIR/out")
    [ "$(sort "$kept/order" | uniq -c | tr -s ' ')" = " 2 /logs/$uuid.err good
 2 /logs/$uuid.log good
 2 /logs/$uuid.out good
 2 /logs/$uuid.out refused" ]
    # whole, both there and where the batch system has them
    says out "=== End XML description of glidein activity ==="
    diff <(sed '1,/^Running in /d' "$BATS_TEST_TMPDIR/out") "$kept/out"
    grep -q "=== End encoded XML description of glidein activity ===" "$kept/err"
    python - "$kept/log" << END
import json, sys
first, *events = json.load(open(sys.argv[1]))
assert first["glidein_uuid"] == "$uuid", first
assert any(e["content"].startswith("validated in ") for e in events), events
END
    # nobody else reads the tokens
    ! grep -q abc.def "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err" "$EVIDENCE"/* 2> /dev/null || false
    nothing_left
}

@test "a pilot that fails or is ended sends its logs, too; without tokens nothing is copied" {
    server t1
    tokens one t1
    echo "$url one" > "$home/url_dirs.desc"
    pilot_env+=(VO_FAIL=1)
    pilot
    [ "$status" = 1 ]
    grep -q 'late_failure.sh failed with exit code 3' "$kept/err"
    grep -q '"severity":"error"' "$kept/log"
    grep -q '=== End XML description' "$kept/out"
    nothing_left
    rm "$home/tokens.tgz" "$kept/order"
    pilot
    [ "$status" = 1 ] && [ ! -e "$kept/order" ]
}
