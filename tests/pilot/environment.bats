# What the pilot makes of the environment and the directories that a site gives it (contract 1.3, 1.5).

load common

# certificate FILE: something like a proxy, good for a day.
certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj "/CN=pilot" -keyout "$1.key" -out "$1" 2> /dev/null
    cat "$1.key" >> "$1"
}

kept() {
    sed -n "s/^$1 //p" "$EVIDENCE/glidein_config"
}

@test "a proxy named relative to the start directory is found, and so are its authorities" {
    mkdir "$home/authorities"
    certificate "$home/a.proxy"
    pilot_env+=(X509_USER_PROXY=a.proxy X509_CERT_DIR="$home/authorities")
    pilot
    [ "$status" = 0 ]
    [ "$(kept X509_USER_PROXY_ORIG)" = "$home/a.proxy" ]
    [[ $(kept X509_USER_PROXY) == "$home"/glide_*/cred.d/myproxy ]]
    [ "$(kept X509_CERT_DIR)" = "$home/authorities" ]
    local left=$(($(kept X509_EXPIRE) - $(date +%s)))
    [ "$left" -gt 85000 ] && [ "$left" -le 86400 ]
}

@test "while jobs run a renewed proxy is taken over, though HTCondor does not name it" {
    local work=$BATS_TEST_TMPDIR/work code
    mkdir -p "$work"
    cp "$REPO"/glideinwms/glidein/{add_config_line.source,error_gen.sh} "$work/"
    chmod u+x "$work/error_gen.sh"
    cd "$work"
    printf '%s\n' "GLIDEIN_START_DIR_ORIG $home" "GLIDEIN_WORKSPACE_ORIG $work" "TRUST_DOMAIN a" \
        "ERROR_GEN_PATH $work/error_gen.sh" "ADD_CONFIG_LINE_SOURCE $work/add_config_line.source" > glidein_config
    certificate "$home/a.proxy"
    code=$REPO/glideinwms/glidein/setup_x509.sh
    X509_USER_PROXY=$home/a.proxy bash "$code" glidein_config main
    certificate "$home/a.proxy"
    ! cmp -s "$home/a.proxy" cred.d/myproxy || false
    env -u X509_USER_PROXY GLIDEIN_PERIODIC_SCRIPT=true bash "$code" "$work/glidein_config" main
    cmp "$home/a.proxy" cred.d/myproxy
}

@test "the site's own setup is sourced" {
    mkdir "$home/site"
    echo 'echo "FROM_SITE is set" >&2' > "$home/site/cp_1.sh"
    pilot_env+=(GLITE_LOCAL_CUSTOMIZATION_DIR="$home/site")
    pilot
    [ "$status" = 0 ]
    says err "FROM_SITE is set"
}

@test "a directory that is not absolute is below the start directory" {
    mkdir "$home/sub"
    option -dir sub
    pilot
    [ "$status" = 0 ]
    grep -qx "GLIDEIN_WORKSPACE_ORIG $home/sub/glide_......" "$EVIDENCE/glidein_config"
    [ -z "$(ls "$home/sub")" ]
    nothing_left
}

@test "AUTO takes the first directory with room" {
    mkdir "$home/scratch"
    option -dir AUTO
    pilot_env+=(_CONDOR_SCRATCH_DIR=/nonexistent SCRATCH="$home/scratch" TMPDIR="$home")
    pilot
    [ "$status" = 0 ]
    says out "Running in $home/scratch/glide_"
}

@test "with a read-only /tmp everything goes into the work directory, also for a bash that writes here-documents to disk" {
    unshare -rm true 2> /dev/null || skip "no user namespaces here"
    local elsewhere
    elsewhere=$(mktemp -d /var/tmp/pilotXXXXXX)
    cp -r "$home" "$STAGE/good/glidein_startup.sh" "$elsewhere/"
    mkdir "$elsewhere/evidence"
    pilot_env=("${pilot_env[@]/GLIDEIN_TMP=*/GLIDEIN_TMP=/tmp}" HOME="$elsewhere/home" BASH_COMPAT=50
        EVIDENCE="$elsewhere/evidence")
    status=0
    (cd "$elsewhere/home" && exec env -i "${pilot_env[@]}" unshare -rm sh -c '
        mount -t tmpfs -o ro none /tmp || exit 77
        exec timeout 60 bash "$@"' sh "$elsewhere/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- || status=$?
    local left
    left=$(ls -d "$elsewhere"/home/glide_* 2> /dev/null || true)
    rm -rf "$elsewhere"
    [ "$status" = 0 ]
    [ -z "$left" ]
    ! grep -qi "read-only" "$BATS_TEST_TMPDIR/err" || false
}

@test "nocleanup keeps the directories, from the environment or as a parameter" {
    words+=(-param_GLIDEIN_DEBUG_OPTIONS nocleanup)
    pilot
    [ "$status" = 0 ]
    [ -d "$(echo "$home"/glide_??????/main)" ]
}
