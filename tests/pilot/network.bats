# Ways to the files: curl or wget alone, proxies that fail, then none.

load common

# only TOOL...: a PATH without downloaders but these.
only() {
    local dir=$BATS_TEST_TMPDIR/bin file
    mkdir -p "$dir"
    ln -sf /usr/bin/* /bin/* "$dir/" 2> /dev/null || true
    rm -f "$dir/curl" "$dir/wget"
    for file in "$@"; do
        ln -s "$(command -v "$file")" "$dir/$file"
    done
    pilot_env+=(PATH="$dir")
}

@test "without wget" {
    only curl
    pilot
    [ "$status" = 0 ]
}

@test "without curl" {
    only wget
    pilot
    [ "$status" = 0 ]
}

@test "with neither, the pilot says so" {
    only
    pilot
    [ "$status" = 1 ]
    says out "there is neither curl nor wget"
}

@test "a proxy that is not there is passed over" {
    option -proxy 127.0.0.1:9
    pilot
    [ "$status" = 0 ]
}

@test "of several proxies one that works is enough, then none" {
    option -proxy 127.0.0.1:9,http://127.0.0.1:7
    pilot
    [ "$status" = 0 ]
}

# through MODE [DELAY]: the pilot's proxy is one that misbehaves; what it was asked for is in $proxy_log.
through() {
    local port n
    port=$(python -c 'from glideinwms.demo.pool import free_port; print(free_port())')
    proxy_log=$BATS_TEST_TMPDIR/proxy
    (cd "$REPO" && exec python -m tests.support.faulty_proxy --port "$port" --mode "$1" --delay "${2:-0}") > "$proxy_log" 3>&- &
    proxy=$!
    for ((n = 0; n < 3000; n++)); do
        (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break
        sleep 0.1
    done
    option -proxy "127.0.0.1:$port"
}

teardown() {
    [ -z "${proxy:-}" ] || kill "$proxy"
}

@test "a slow proxy is asked for everything, by many connections at once" {
    through slow 0.1
    pilot
    [ "$status" = 0 ]
    ! grep -qF "Downloads do not go through" "$BATS_TEST_TMPDIR/err" || false
    [ "$(grep -c . "$proxy_log")" -ge 60 ]
}

@test "a proxy that refuses, lies, cuts short or never answers is left for none" {
    local mode
    for mode in refuse lie cut stall; do
        through "$mode"
        SECONDS=0
        pilot
        kill "$proxy"
        proxy=""
        [ "$status" = 0 ] || {
            echo "$mode: exit code $status"
            head -n 20 "$BATS_TEST_TMPDIR/err"
            return 1
        }
        says err "Downloads do not go through 127.0.0.1:"
        [ "$SECONDS" -lt 150 ]
    done
}

@test "with wget too, a proxy that refuses, lies or cuts short is left for none" {
    local mode
    only wget
    for mode in refuse lie cut; do
        through "$mode"
        pilot
        kill "$proxy"
        proxy=""
        [ "$status" = 0 ] || {
            echo "$mode: exit code $status"
            return 1
        }
    done
}

@test "OSG is the site's squid, whose port is 3128 where it says none" {
    option -proxy OSG
    pilot_env+=(OSG_SQUID_LOCATION=http://127.0.0.2)
    pilot
    [ "$status" = 0 ]
    says err "Downloads do not go through http://127.0.0.2:3128: "
    # what jobs get as GLIDEIN_Proxy_URL
    grep -qx 'PROXY_URL http://127.0.0.2:3128' "$EVIDENCE/glidein_config"
}

@test "the curl of EL7 is enough" {
    only
    ln -sf "$BATS_TEST_DIRNAME/mock/curl-7.29" "$BATS_TEST_TMPDIR/bin/curl"
    pilot_env+=(REAL_CURL="$(command -v curl)")
    pilot
    [ "$status" = 0 ]
    ! grep -q "is unknown" "$BATS_TEST_TMPDIR/err" || false
    run "$BATS_TEST_TMPDIR/bin/curl" --parallel http://127.0.0.1:9/
    [ "$status" = 2 ]
}

@test "a server that is not there is a Network failure within the patience" {
    option -web http://127.0.0.1:9/nothing
    SECONDS=0
    pilot
    [ "$status" = 1 ]
    [ "$SECONDS" -lt 150 ]
    says out ">Network</metric>"
    nothing_left
}

@test "without a writable /tmp the work directory serves" {
    pilot_env+=(GLIDEIN_TMP=/proc)
    pilot
    [ "$status" = 0 ]
    nothing_left
}
