# Running a pilot over the staged files. Sourced by the suites.
# shellcheck disable=SC2034
# shellcheck shell=bash

setup() {
    export EVIDENCE=$BATS_TEST_TMPDIR/evidence
    home=$BATS_TEST_TMPDIR/home
    mkdir -p "$EVIDENCE" "$home/tmp"
    local claims
    claims=$(printf '{"exp": %s}' $(($(date +%s) + 86400)) | base64 -w 0 | tr -d = | tr '/+' '_-')
    echo "x.$claims.x" > "$home/credential_a.idtoken"
    mapfile -t words < "$STAGE/good/args"
    pilot_env=(PATH=/usr/bin:/bin HOME="$home" GLIDEIN_TMP="$home/tmp" GLIDEIN_HOLD_DOWN=0 EVIDENCE="$EVIDENCE"
        GLIDEIN_FETCH_PATIENCE=3)
}

# altered NAME: another copy of the stage area, and the command line for it.
altered() {
    mkdir -p "$STAGE/$1"
    cp -r "$STAGE/good/factory" "$STAGE/good/frontend" "$STAGE/$1/"
    words=("${words[@]//"/good/"/"/$1/"}")
}

# option NAME VALUE: another value on the command line.
option() {
    local n
    for n in "${!words[@]}"; do
        [ "${words[$n]}" = "$1" ] && words[n + 1]=$2
    done
    return 0
}

without256() {
    local kept=() n
    for ((n = 0; n < ${#words[@]}; n += 2)); do
        [[ ${words[$n]} == *256 ]] || kept+=("${words[@]:n:2}")
    done
    words=("${kept[@]}")
}

# pilot: run it to its end; stdout and stderr in files, `status`.
pilot() {
    status=0
    (cd "$home" && exec env -i "${pilot_env[@]}" timeout 60 bash "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- || status=$?
}

says() {
    grep -qF -- "$2" "$BATS_TEST_TMPDIR/$1" || {
        echo "$1 does not say: $2"
        tail -n 30 "$BATS_TEST_TMPDIR/$1"
        return 1
    }
}

nothing_left() {
    local found
    found=$(ls -d "$home"/glide_* "$home"/tmp/glide_* 2> /dev/null || true)
    [ -z "$found" ] || {
        echo "left: $found"
        return 1
    }
}
