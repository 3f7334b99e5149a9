# Accounts and nodes that are unlike others: shell options, dotfiles, accounts without a name, commands that fail.

load common

# bin NAME TEXT: a command that comes before the node's.
bin() {
    mkdir -p "$home/bin"
    printf '#!/bin/bash\n%s\n' "$2" > "$home/bin/$1"
    chmod +x "$home/bin/$1"
    pilot_env+=(PATH="$home/bin:/usr/bin:/bin")
}

@test "an account without a name: what id prints although it fails is not used" {
    bin id 'case $1 in -un) echo "12345"; exit 1 ;; esac; exec /usr/bin/id "$@"'
    pilot
    [ "$status" = 0 ]
    [ "$(grep -c '^GLIDEIN_LOCAL_TMP_DIR ' "$EVIDENCE/glidein_config")" = 1 ]
    grep -qx "GLIDEIN_LOCAL_TMP_DIR $home/tmp/glide_${UID}_......" "$EVIDENCE/glidein_config"
    nothing_left
}

@test "an account whose name is no part of a path, and an id that hangs" {
    bin id 'case $1 in -un) printf "a/b\nc" ;; esac'
    pilot
    [ "$status" = 0 ]
    grep -qx "GLIDEIN_LOCAL_TMP_DIR $home/tmp/glide_${UID}_......" "$EVIDENCE/glidein_config"
    nothing_left
}

@test "a uname that fails" {
    bin uname 'echo nonsense; exit 1'
    pilot
    [ "$status" = 0 ]
    ! grep -q nonsense "$EVIDENCE/condor_config"
    says out "Running on $HOSTNAME"
    nothing_left
}

@test "options of the account's shell, functions and variables that it exports have no effect" {
    echo 'set -euf; shopt -s nullglob expand_aliases; alias printf=false; rm() { :; }; export -f rm' > "$home/prologue"
    pilot_env+=(SHELLOPTS=nounset:errexit:noclobber:noglob:posix:pipefail BASHOPTS=failglob:dotglob:nocasematch
        BASH_ENV="$home/prologue" ENV="$home/prologue" CDPATH=/tmp:/usr GLOBIGNORE='*' POSIXLY_CORRECT=1
        GREP_OPTIONS=-v TAR_OPTIONS=--nonsense GZIP=--nonsense IFS=/ LC_ALL=de_DE.UTF-8 LC_NUMERIC=de_DE.UTF-8
        LANG=de_DE.UTF-8 PYTHONHOME=/nowhere PYTHONSTARTUP=/nowhere BASH_FUNC_grep%%='() { echo none; }'
        BASH_FUNC_cd%%='() { return 1; }' BASH_FUNC_mkdir%%='() { exit 9; }')
    umask 0777
    pilot
    umask 0022
    [ "$status" = 0 ]
    says out " with code 0 after "
    says out "=== End XML description of glidein activity ==="
    grep -qx 'path .*/.gwms.d/bin' "$EVIDENCE/group"
    nothing_left
}

@test "a site's own setup that sets shell options does not set the pilot's" {
    mkdir "$home/site"
    echo 'set -euo pipefail; set -o noclobber; shopt -s nullglob; export SHELLOPTS BASHOPTS; umask 0777' > "$home/site/cp_1.sh"
    pilot_env+=(GLITE_LOCAL_CUSTOMIZATION_DIR="$home/site")
    pilot
    [ "$status" = 0 ]
    nothing_left
}

@test "started as sh, the pilot is the same" {
    ln -s /bin/bash "$home/sh"
    status=0
    (cd "$home" && exec env -i "${pilot_env[@]}" timeout 60 ./sh "$STAGE/good/glidein_startup.sh" "${words[@]}") \
        > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" 3>&- || status=$?
    [ "$status" = 0 ]
    nothing_left
}

@test "the account's .curlrc does not count, wherever it is" {
    printf 'include\noutput = "%s/x"\n' "$home" | tee "$home/.curlrc" > "$home/.config_curlrc"
    mkdir -p "$home/.config"
    cp "$home/.curlrc" "$home/.config/curlrc"
    cp "$home/.curlrc" "$home/tmp/.curlrc"
    pilot_env+=(CURL_HOME="$home/tmp" XDG_CONFIG_HOME="$home/.config")
    pilot
    [ "$status" = 0 ]
    [ ! -e "$home/x" ]
    nothing_left
}

@test "the account's .wgetrc and .netrc do not count" {
    local dir=$BATS_TEST_TMPDIR/bin
    mkdir -p "$dir"
    ln -sf /usr/bin/* /bin/* "$dir/" 2> /dev/null || true
    rm -f "$dir/curl"
    printf 'output_document = %s/x\nhttp_proxy = http://127.0.0.1:9/\nuse_proxy = on\n' "$home" > "$home/.wgetrc"
    cp "$home/.wgetrc" "$home/wgetrc"
    pilot_env+=(PATH="$dir" WGETRC="$home/wgetrc")
    pilot
    [ "$status" = 0 ]
    [ ! -e "$home/x" ]
    nothing_left
}

@test "every curl is told first to read no file of the account, every wget has no home" {
    cd "$REPO/glideinwms/glidein"
    run grep -nE '\bcurl +-([^q]|q[^ ])' ./*.sh ./*.source ./*.helper
    [ "$output" = "" ]
    run grep -nE '(^|[ (|])wget +-' ./*.sh ./*.source ./*.helper
    [ "${#lines[@]}" -gt 1 ] && ! grep -v 'HOME=/nonexistent WGETRC=' <<< "$output"
}

@test "a home that is missing, or not there, or not to be written to" {
    local place
    for place in HOME=/nonexistent HOME=/proc HOME=; do
        pilot_env=("${pilot_env[@]/HOME=*/$place}")
        pilot
        [ "$status" = 0 ]
        nothing_left
    done
    pilot_env=("${pilot_env[@]/HOME=*/NO_HOME=1}")
    pilot
    [ "$status" = 0 ]
    nothing_left
}

@test "a newline in a value never makes a key of its own" {
    words+=(-param_VO_Lines $'one\nGLIDEIN_Forged yes')
    pilot
    [ "$status" = 0 ]
    ! grep -q '^GLIDEIN_Forged' "$EVIDENCE/glidein_config"
    grep -qx 'VO_Lines one GLIDEIN_Forged yes' "$EVIDENCE/glidein_config"
    cd "$BATS_TEST_TMPDIR"
    : > config
    run bash -c '. "$1"; glidein_config=config; gconfig_add A $'"'a\nB c'"'; gconfig_add_safe C $'"'c\nD e'"'; gconfig_add A $'"'x\nB c'" \
        bash "$REPO/glideinwms/glidein/add_config_line.source"
    [ "$(cat config)" = "$(printf 'C c D e\nA x B c')" ]
}
