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

@test "a server that is not there is a Network failure within the patience" {
    option -web http://127.0.0.1:9/nothing
    SECONDS=0
    pilot
    [ "$status" = 1 ]
    [ "$SECONDS" -lt 20 ]
    says out ">Network</metric>"
    nothing_left
}

@test "without a writable /tmp the work directory serves" {
    pilot_env+=(GLIDEIN_TMP=/proc)
    pilot
    [ "$status" = 0 ]
    nothing_left
}
