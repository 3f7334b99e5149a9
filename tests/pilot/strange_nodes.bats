# Accounts and nodes that are unlike others: shell options, dotfiles, accounts without a name, commands that fail.

load common

# bin NAME TEXT: a command that comes before the node's.
bin() {
    mkdir -p "$home/bin"
    printf '#!/bin/bash\n%s\n' "$2" > "$home/bin/$1"
    chmod +x "$home/bin/$1"
    pilot_env+=(PATH="$home/bin:/usr/bin:/bin")
}

@test "an account without a name, for which id fails" {
    bin id 'echo "uid=12345 gid=12345 groups=12345"; exit 1'
    pilot
    [ "$status" = 0 ]
    [ "$(grep -c '^GLIDEIN_LOCAL_TMP_DIR ' "$EVIDENCE/glidein_config")" = 1 ]
    grep -qx "GLIDEIN_LOCAL_TMP_DIR $home/tmp/glide_${UID}_......" "$EVIDENCE/glidein_config"
    nothing_left
}

@test "an account whose name is no part of a path" {
    bin id 'printf "uid=0(a/b\nc) gid=0(root)"'
    pilot
    [ "$status" = 0 ]
    grep -qx "GLIDEIN_LOCAL_TMP_DIR $home/tmp/glide_${UID}_......" "$EVIDENCE/glidein_config"
    nothing_left
}

@test "a uname that fails" {
    bin uname 'echo nonsense; exit 1'
    pilot
    [ "$status" = 0 ]
    ! grep -q nonsense "$EVIDENCE/condor_config" || false
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
    ! grep -q '^GLIDEIN_Forged' "$EVIDENCE/glidein_config" || false
    grep -qx 'VO_Lines one GLIDEIN_Forged yes' "$EVIDENCE/glidein_config"
    cd "$BATS_TEST_TMPDIR"
    : > config
    run bash -c '. "$1"; glidein_config=config; gconfig_add A $'"'a\nB c'"'; gconfig_add_safe C $'"'c\nD e'"'; gconfig_add A $'"'x\nB c'" \
        bash "$REPO/glideinwms/glidein/add_config_line.source"
    [ "$(cat config)" = "$(printf 'C c D e\nA x B c')" ]
}

# alone LINE...: a directory with a glidein_config of these lines, and commands in $top/bin.
alone() {
    top=$BATS_TEST_TMPDIR/top
    mkdir -p "$top/bin" "$top/tmp"
    cp "$REPO/glideinwms/glidein/error_gen.sh" "$top/" && chmod +x "$top/error_gen.sh"
    printf '%s\n' "ADD_CONFIG_LINE_SOURCE $REPO/glideinwms/glidein/add_config_line.source" "ERROR_GEN_PATH $top/error_gen.sh" \
        "GLIDEIN_WORKSPACE_ORIG $top" "GLIDEIN_LOCAL_TMP_DIR $top/tmp" "CONDOR_VARS_FILE $top/vars" "$@" > "$top/config"
    : > "$top/vars"
    # a minute passes in a moment
    tool timeout 'while [ "${1:0:1}" = - ]; do shift 2; done; shift; exec /usr/bin/timeout -k 1 "${LIMIT:-1}" "$@"'
    cd "$top"
}

# tool NAME TEXT
tool() {
    printf '#!/bin/bash\n%s\n' "$2" > "$top/bin/$1"
    chmod +x "$top/bin/$1"
}

script() {
    run env "PATH=$top/bin:/usr/bin:/bin" bash "$REPO/glideinwms/glidein/$1" config main
}

result() {
    grep -q -- "$1" "$top/otrb_output.xml" || { cat "$top/otrb_output.xml" && false; }
}

@test "df and quota that hang, fail or are not there do not pass" {
    alone "MIN_DISK_GBS 1"
    tool df 'sleep 20'
    script validate_node.sh
    [ "$status" = 1 ] && result 'df cannot tell the free space.*exit code 124' && result '>WN_Resource<'
    tool df 'echo head; echo "/dev/a 9 9 99999999 9% /"; exit 1'
    script validate_node.sh
    [ "$status" = 1 ] && result 'exit code 1'
    tool df 'echo head; echo "/dev/a none"'
    script validate_node.sh
    [ "$status" = 1 ] && result 'does not tell'
    tool df 'echo head; echo "/dev/a 9 9 99999999 9% /"'
    echo "CHECK_QUOTA 1" >> config
    tool quota 'sleep 20'
    script validate_node.sh
    [ "$status" = 1 ] && result 'quota cannot tell: exit code 124'
    tool quota 'exit 127'
    script validate_node.sh
    [ "$status" = 1 ] && result 'quota cannot tell: exit code 127'
    # some file system is over its quota
    tool quota 'printf "Disk quotas\n/dev/b 9* 1 1\n"; exit 1'
    script validate_node.sh
    [ "$status" = 0 ]
}

@test "the list of bad nodes: a hostname that hangs or knows no addresses" {
    alone "BLACKLIST_FILE $BATS_TEST_TMPDIR/top/bad"
    echo "'10.20.30.40' bad disk" > bad
    tool hostname 'echo 10.20.30.40'
    script check_blacklist.sh
    [ "$status" = 1 ] && result 'node 10.20.30.40 is on the list'
    tool hostname 'echo 10.20.30.40; exit 1'
    script check_blacklist.sh
    [ "$status" = 0 ]
    tool hostname 'sleep 20'
    echo "'127.0.0.1' bad" > bad
    script check_blacklist.sh
    [ "$status" = 1 ] && result 'node 127.0.0.1 is on the list'
}

@test "a Java that hangs is none" {
    alone "GLIDEIN_Java_Use REQUIRED"
    tool java 'sleep 20'
    script java_setup.sh
    [ "$status" = 1 ] && result 'Java is required'
}

@test "a search for GPUs that hangs or fails finds none, and the pilot says so" {
    alone
    mkdir -p condor/libexec
    detect() {
        printf '#!/bin/bash\n%s\n' "$1" > condor/libexec/condor_gpu_discovery
        chmod +x condor/libexec/condor_gpu_discovery
        run env "PATH=$top/bin:/usr/bin:/bin" bash -c \
            'declare -A cfg=([CONDOR_DIR]=$PWD/condor); . "$1"; detected_gpus' bash "$REPO/glideinwms/glidein/condor_resources.source"
    }
    detect 'echo "DetectedGPUs=\"GPU-1, GPU-2\""; echo "Common=1"'
    [ "$output" = 2 ]
    detect 'echo DetectedGPUs=0'
    [ "$output" = 0 ]
    detect 'echo "DetectedGPUs=\"GPU-1, GPU-2\""; exit 1'
    [ "${lines[1]}" = 0 ] && [[ $output == *"exit code 1 "* ]]
    detect 'echo "DetectedGPUs=\"GPU-1\""; sleep 20'
    [ "${lines[1]}" = 0 ] && [[ $output == *"exit code 124"* ]]
}

@test "containers: a runtime and modules that hang" {
    alone
    tool apptainer 'case $1 in version | --version) sleep 20 ;; esac'
    run env "PATH=$top/bin:/usr/bin:/bin" bash -c '. "$1"; runtime_version "$2" || echo none' bash \
        "$REPO/glideinwms/glidein/singularity_find.source" "$top/bin/apptainer"
    [ "$output" = none ]
    run env "PATH=$top/bin:/usr/bin:/bin" bash -c 'module() { case $2 in singularity) PATH=$PWD/there:$PATH ;; *) sleep 20 ;; esac; }
        export -f module; mkdir there; ln -s /bin/true there/singularity; . "$1"; from_module' bash \
        "$REPO/glideinwms/glidein/singularity_find.source"
    [ "$output" = "$top/there/singularity" ]
}

@test "a module that hangs does not keep a job" {
    alone
    mkdir -p lmod/init
    echo 'module() { case $2 in slow) sleep 20 ;; esac; export LOADED="${LOADED:-} $2"; }' > lmod/init/sh
    echo 'LoadModules = "slow,gcc"' > ad
    for shell in dash bash; do
        run env -i PATH=/usr/bin:/bin LMOD_PKG="$top/lmod" _CONDOR_JOB_AD="$top/ad" GLIDEIN_MODULE_TIMEOUT=1 \
            "$shell" -c '. "$0"; echo "$LOADED"' "$REPO/glideinwms/glidein/setup_prejob.sh" 3>&-
        [ "${lines[0]}" = "module slow cannot be loaded" ] && [ "${lines[1]}" = " gcc" ]
    done
}

@test "GLIDEIN_SCRIPT_TIMEOUT reaches the last script, until it starts HTCondor" {
    pilot_env+=(GLIDEIN_SCRIPT_TIMEOUT=2 STUB_MASTER_TIME=5)
    pilot
    [ "$status" = 0 ]
    bin sed 'grep -q condor_startup /proc/$PPID/cmdline && exec sleep 20; exec /usr/bin/sed "$@"'
    pilot
    [ "$status" = 1 ]
    says out "HTCondor was not started within 2 s"
    says out ">WN_Resource<"
    nothing_left
}
