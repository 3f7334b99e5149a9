# Checks of the node and what the site says of it (contract 1.16, 1.17): disk, Java, machine/job features, modules.

load common

GLIDEIN=$BATS_TEST_DIRNAME/../../glideinwms/glidein

# config LINE...: a glidein_config with the helpers and these lines, and a directory of commands that come first.
config() {
    top=$BATS_TEST_TMPDIR/top
    mkdir -p "$top/bin" "$top/tmp"
    [ -e "$top/error_gen.sh" ] || { cp "$GLIDEIN/error_gen.sh" "$top/" && chmod +x "$top/error_gen.sh"; }
    printf '%s\n' "ADD_CONFIG_LINE_SOURCE $GLIDEIN/add_config_line.source" "ERROR_GEN_PATH $top/error_gen.sh" \
        "GLIDEIN_WORKSPACE_ORIG $top" "GLIDEIN_LOCAL_TMP_DIR $top/tmp" "CONDOR_VARS_FILE $top/vars" "$@" > "$top/config"
    : > "$top/vars"
    cd "$top"
}

# command_is NAME TEXT: a command of the node.
command_is() {
    printf '#!/bin/sh\n%s\n' "$2" > "$top/bin/$1"
    chmod +x "$top/bin/$1"
}

# script NAME [VARIABLE=VALUE...]: its exit code in `status`, its result in otrb_output.xml.
script() {
    run env "PATH=$top/bin:/usr/bin:/bin" "${@:2}" bash "$GLIDEIN/$1" config main
}

result() {
    grep -q -- "$1" "$top/otrb_output.xml" || { cat "$top/otrb_output.xml" && false; }
}

@test "disk: what is free, what the quota leaves" {
    config "min_disk_gbs 3"
    command_is df 'echo head; echo "/dev/a 9 9 ${FREE:-4194304} 9% /"'
    command_is quota 'printf "Disk quotas for user x:\n Filesystem blocks quota limit grace\n/dev/a 100* 0 2000000 0\n/dev/b 1 1 1\n"'
    script validate_node.sh
    [ "$status" = 0 ] && result 'name="disk_kb".*>4194304<'
    script validate_node.sh FREE=2097152
    [ "$status" = 1 ] && result WN_Resource && result '2 GB free, MIN_DISK_GBS asks for 3'
    echo "CHECK_QUOTA 1" >> config
    script validate_node.sh
    [ "$status" = 1 ] && result '>1999900<'
    echo "MIN_DISK_GBS 1" >> config
    script validate_node.sh
    [ "$status" = 0 ] && result '>1999900<'
    rm bin/quota
    command_is quota 'exit 1'
    script validate_node.sh
    [ "$status" = 0 ] && result '>4194304<'
    echo "MIN_DISK_GBS many" >> config
    script validate_node.sh
    [ "$status" = 1 ] && result Config
}

@test "disk: a temporary directory that is full or not writable" {
    config
    command_is df 'echo head; case $2 in */tmp) echo "/dev/a 9 9 10239 9% /" ;; *) echo "/dev/a 9 9 99999999 9% /" ;; esac'
    script validate_node.sh
    [ "$status" = 1 ] && result 'less than 10 MB'
    rm bin/df
    sed -i "s|^GLIDEIN_LOCAL_TMP_DIR .*|GLIDEIN_LOCAL_TMP_DIR /proc/self|" config
    command_is df 'echo head; echo "/dev/a 9 9 99999999 9% /"'
    script validate_node.sh
    [ "$status" = 1 ] && result 'is not writable'
}

@test "Java: unwanted, there, not there, broken, and a word that is none" {
    config
    command_is java 'exit ${JAVA_ENDS:-0}'
    script java_setup.sh
    [ "$status" = 0 ] && result '>unwanted<' && [ ! -s vars ]
    for word in OPTIONAL required; do
        config "GLIDEIN_Java_Use $word"
        script java_setup.sh
        [ "$status" = 0 ] && result ">$top/bin/java<"
        grep -qx "JAVA $top/bin/java" config
        [ "$(cut -f 1,2,6 vars)" = $'JAVA\tC\tN' ]
    done
    config "GLIDEIN_Java_Use OPTIONAL"
    script java_setup.sh JAVA_ENDS=1
    [ "$status" = 0 ] && result '>none<' && [ ! -s vars ]
    config "GLIDEIN_Java_Use REQUIRED"
    script java_setup.sh JAVA_ENDS=1
    [ "$status" = 1 ] && result WN_Resource
    config "GLIDEIN_Java_Use sometimes"
    script java_setup.sh
    [ "$status" = 1 ] && result 'Config' && result 'none of NEVER'
}

@test "machine and job features: of directories, published at set-up and again while jobs run" {
    config
    mkdir machine job
    printf '2000000000' > machine/shutdowntime
    echo 'a "name" of \ node' > machine/nodename
    echo 12.5 > machine/hs06
    echo 3 > job/allocated_cpu
    : > job/empty
    printf 'two\001' > job/control
    echo bad > 'job/not-a-name'
    script mjf_setparams.sh MACHINEFEATURES="$top/machine" JOBFEATURES="$top/job"
    [ "$status" = 0 ]
    grep -qxF 'MJF_MACHINE_nodename a "name" of \ node' config
    grep -qx 'MJF_MACHINE_shutdowntime 2000000000' config
    [ "$(cut -f 1 vars | sort | tr '\n' ' ')" = "MJF_JOB_allocated_cpu MJF_MACHINE_hs06 MJF_MACHINE_nodename MJF_MACHINE_shutdowntime " ]
    # HTCondor's environment is cleaned: what set-up kept says where they are
    printf '%s\n' "GLIDEIN_MACHINEFEATURES $top/machine" "GLIDEIN_JOBFEATURES $top/job" >> config
    echo 4 > job/allocated_cpu
    script mjf_setparams.sh GLIDEIN_PERIODIC_SCRIPT=true
    [ "$status" = 0 ]
    [ "$(grep allocated <<< "$output")" = 'JOB_allocated_cpu = "4"' ]
    grep -qxF 'MACHINE_nodename = "a \"name\" of \\ node"' <<< "$output"
    [ "${#lines[@]}" = 4 ]
}

@test "machine features of a web server; none at all" {
    config
    script mjf_setparams.sh
    [ "$status" = 0 ] && result '>none<' && [ "$output" = "" ]
    mkdir -p "$STAGE/features"
    echo 7 > "$STAGE/features/total_cpu"
    echo '<a href="total_cpu">total_cpu</a> <a href="../">up</a> <a href="gone">gone</a>' > "$STAGE/features/index.html"
    command_is curl 'for url; do :; done; case $url in */) url=${url}index.html ;; esac; exec /usr/bin/curl -sf "$url"'
    script mjf_setparams.sh MACHINEFEATURES="http://127.0.0.1:$PORT/features"
    [ "$status" = 0 ] && [ "$(cut -f 1 vars)" = MJF_MACHINE_total_cpu ]
    # without curl
    mkdir only && for name in bash env cat grep cut ls date; do ln -s "$(command -v "$name")" only/; done
    # shellcheck disable=SC2016
    echo 'for url; do :; done; case $url in */) url=${url}index.html ;; esac; exec /usr/bin/curl -sf "$url"' > only/wget
    sed -i '1i #!/bin/bash' only/wget
    chmod +x only/wget
    config
    run env PATH="$top/only" MACHINEFEATURES="http://127.0.0.1:$PORT/features" bash "$GLIDEIN/mjf_setparams.sh" config main
    [ "$status" = 0 ] && [ "$(cut -f 1 vars)" = MJF_MACHINE_total_cpu ]
}

@test "a job gets the site's proxy, and modules where it asks for them" {
    config
    mkdir -p lmod/init cvmfs/connect.opensciencegrid.org/modules/lmod/current/init
    echo 'module() { [ "$2" != none ] && export LOADED="${LOADED:-} $2"; }' > lmod/init/sh
    echo 'module() { :; }; export OF_OSG=1' > cvmfs/connect.opensciencegrid.org/modules/lmod/current/init/sh
    # loaded AD [VARIABLE=VALUE...]: in each shell, what is in the job's environment.
    loaded() {
        local shell
        echo "$1" > ad
        for shell in dash bash; do
            run env -i PATH=/usr/bin:/bin LMOD_PKG="$top/lmod" _CONDOR_JOB_AD="$top/ad" "${@:2}" \
                "$shell" -c '. "$0"; echo "$LOADED${OF_OSG:-}|$(command -v module)|$GLIDEIN_Proxy_URL"' "$GLIDEIN/setup_prejob.sh"
        done
    }
    loaded 'Cmd = "x"' && [ "$output" = "||" ]
    loaded 'Cmd = "x"' OSG_SQUID_LOCATION=p:1 GLIDEIN_Proxy_URL=None && [ "$output" = "||p:1" ]
    loaded 'Cmd = "x"' OSG_SQUID_LOCATION=p:1 GLIDEIN_Proxy_URL=own:2 && [ "$output" = "||own:2" ]
    loaded 'Cmd = "x"' CVMFS_MOUNT_DIR="$top/cvmfs" && [ "$output" = "1|module|" ]
    loaded 'Cmd = "x"' CVMFS_MOUNT_DIR="$top/cvmfs" MODULE_USE=0 && [ "$output" = "||" ]
    loaded 'Cmd = "x"' MODULE_USE=1 && [ "$output" = "|module|" ]
    loaded 'InitializeModulesEnv = 1' && [ "$output" = "|module|" ]
    loaded 'InitializeModulesEnv = false' MODULE_USE=1 && [ "$output" = "||" ]
    loaded 'Cmd = "x"' MODULE_USE=1 GLIDEIN_Client=ligo-fe.main && [ "$output" = "||" ]
    loaded 'loadmodules = "gcc/9, none,python"'
    [ "${lines[0]}" = "module none cannot be loaded" ] && [ "${lines[1]}" = " gcc/9 python|module|" ]
    loaded 'LoadModules = "gcc"' LMOD_PKG="$top/nowhere"
    [ "${lines[0]}" = "There are no modules on this node" ] && [ "${lines[1]}" = "||" ]
}
