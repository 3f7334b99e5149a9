# main/singularity_lib.sh, as VO scripts of GlideinWMS 3.10 use it: its names, arguments, output and exit codes.
# The examples with a table are those of the script API (docs/reference/script-api.md).

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$PILOT_FILES"/*.source "$PILOT_FILES/error_gen.sh" "$PILOT_FILES/singularity_lib.sh" .
    chmod u+x error_gen.sh
    : > vars
    printf '%s\n' "ADD_CONFIG_LINE_SOURCE $PWD/add_config_line.source" "ERROR_GEN_PATH $PWD/error_gen.sh" \
        "CONDOR_VARS_FILE $PWD/vars" "TRUEKEY Yes" "KEY one" "KEY two  words" > glidein_config
}

# in_shell SHELL CODE: run code over the library in a script of its own; `output` and `status` of bats.
in_shell() {
    printf '%s\n' ". ./singularity_lib.sh" "$2" > script
    # shellcheck disable=SC2086
    run env -i PATH=/usr/bin:/bin ${environment:-} $1 script
}

in_bash() {
    in_shell bash "glidein_config=\$PWD/glidein_config; . ./singularity_lib.sh; $1"
}

# everywhere CODE OUTPUT [STATUS]: in each shell that a container may have.
everywhere() {
    local shell
    for shell in bash "bash --posix" dash "busybox sh"; do
        command -v "${shell%% *}" > /dev/null || continue
        in_shell "$shell" "$1"
        [ "$output" = "$2" ] && [ "$status" = "${3:-0}" ] || {
            echo "$shell: $1: exit code $status, says: $output"
            return 1
        }
    done
}

D=' key 1:val1:opt1,key2:val2,key3:val3:opt3,key4,key5:,key6 :val6'

# dict CALL OUTPUT [STATUS]: with the dictionaries of the examples, by their names.
dict() {
    everywhere "D='$D' E= F=a:1,b:2,a:3; $1" "$2" "${3:-0}"
}

@test "dictionaries are given by the variable's name" {
    dict 'dict_get_val D key2' val2
    dict 'dict_get_val D key3' val3:opt3
    dict 'dict_get_val D " key 1"' val1:opt1
    dict 'dict_get_val D key4' "" 1
    dict 'dict_get_val D key5' "" 1
    dict 'dict_get_val D nokey,key2' val2
    dict 'dict_get_val D key4,key3' val3:opt3
    dict 'dict_get_val F a' 3
    dict 'dict_get_val nothing a' "" 1
    dict 'dict_check_key D key4 && dict_check_key D key5 && dict_check_key D key2'
    dict 'dict_check_key D key' "" 1
    dict 'dict_check_key D val2' "" 1
    dict 'dict_set_val D key2 new' ' key 1:val1:opt1,key3:val3:opt3,key4,key5:,key6 :val6,key2:new'
    dict 'dict_set_val D key7 v7' "$D,key7:v7" 1
    dict 'dict_set_val D key3' ' key 1:val1:opt1,key2:val2,key4,key5:,key6 :val6,key3'
    dict 'dict_set_val E a b' a:b 1
    dict 'dict_set_val E a' a 1
    dict 'dict_get_keys D' ' key 1,key2,key3,key4,key5,key6 '
    dict 'dict_get_keys E' ''
    dict 'dict_get_first D' val1:opt1
    dict 'dict_get_first D key' ' key 1'
    dict 'dict_get_first D item' ' key 1:val1:opt1'
    dict 'dict_get_first E' ''
    dict 'dict_get_first D word' ''
    dict 'show() { printf "<%s>" "$@"; echo; }; dict_items_iterator F show p1; dict_keys_iterator_bash F show' \
        $'<p1><a><1>\n<p1><b><2>\n<p1><a><3>\n<a>\n<b>\n<a>'
}

@test "names that the functions use themselves may be those of dictionaries; a name is never code" {
    local name
    for name in rest pair keys key out value status; do
        dict "$name=a:1; dict_get_val $name a" 1
        dict "$name=a:1; dict_set_val $name a 2; dict_get_keys $name; dict_get_first $name" $'a:2\na\n1'
    done
    dict 'dict_get_val "D;touch made;F" a' 3
    [ ! -e made ]
}

@test "lists have in common what is in both; any as a whole list is the other one" {
    everywhere 'list_get_intersection rhel7,rhel6,rhel8 rhel8,rhel7' rhel7,rhel8
    everywhere 'list_get_intersection any any' any
    everywhere 'list_get_intersection any b,c' b,c
    everywhere 'list_get_intersection a,any b' "" 1
    everywhere 'list_get_intersection "" b' "" 1
    everywhere 'list_get_intersection a b' "" 1
}

@test "what a path or URI must be" {
    local good bad
    for good in /etc/hosts file:///etc/hosts file://etc/hosts docker://x http://a oras://x; do
        everywhere "uri_is_valid_file_or_remote $good" ""
    done
    for bad in "''" /nonexistent etc; do
        everywhere "uri_is_valid_file_or_remote $bad" "" 1
    done
}

@test "values of ads: true, numbers, quotes, undefined, defaults" {
    printf '%s\n' 'A = true' 'DD = 12' 'E1 = "some string"' 'F = undefined' 'I = -1' 'U = "docker://a/b?c=d"' 'N = "NotTrue"' > f
    local call wanted
    while IFS='|' read -r call wanted; do
        everywhere "$call; echo \$?" "${wanted/ /$'\n'}"
    done << 'END'
get_prop_bool f A|1 0
get_prop_bool f DD|1 0
get_prop_bool f E1|0 1
get_prop_bool f F|0 1
get_prop_bool f F 1|1 0
get_prop_bool f NO 1|1 0
get_prop_bool f I|0 1
get_prop_bool f N|0 1
get_prop_bool NONE x 1|1 0
get_prop_bool VALUE_PROVIDED true|1 0
get_prop_bool VALUE_PROVIDED "tr ue"|0 1
get_prop_bool one|0 1
get_prop_bool absent x 1|1 0
get_prop_str f A|true 0
get_prop_str f NO def|def 0
get_prop_str NONE k def|def 1
get_prop_str absent k def|def 1
get_prop_str f U|docker://a/b?c=d 0
END
    everywhere 'get_prop_str f E1; get_prop_str f e1; get_prop_str f F; get_prop_str one; echo $?' \
        $'some string\nsome string\n\n1'
    everywhere 'is_condor_true 1 && ! is_condor_true 0 && ! is_condor_true ""'
}

@test "messages: where they go, quiet, debug, and the log" {
    everywhere 'info a b 2> /dev/null; info_stdout out; info_dbg no; warn_muted no; GLIDEIN_QUIET=1; info q; warn w' \
        $'out\nWARNING  w'
    everywhere 'info a; info_raw b; warn_raw c' $'INFO  a\nb\nc'
    environment="GLIDEIN_DEBUG_OUTPUT=1 GWMS_THIS_SCRIPT=$PWD/me.sh" \
        in_bash 'info_dbg d; GLIDEIN_QUIET=1; warn_muted m; info q; cat .LOG_me.sh.$$.txt'
    [ "$(grep -c '^INFO  q' <<< "$output")" = 1 ]
    [ "$(tail -n 3 <<< "$output")" = "DEBUG ($PWD/me.sh) d
WARNING  m
INFO  q" ] || { echo "$output" && false; }
}

@test "sourcing finds glidein_config and its functions, also in the child of a script that did" {
    in_bash 'gconfig_get KEY; gwms_from_config NO default; gwms_from_config TRUEKEY 0 get_prop_bool; echo $?
        echo $GWMS_SINGULARITY_LIB_VERSION $SOURCED_ADD_CONFIG_LINE ${error_gen##*/}
        bash -c "glidein_config=$glidein_config; . ./singularity_lib.sh; gconfig_get KEY"'
    [ "$output" = "two  words
default
0
1
3 1 error_gen.sh
two  words" ]
    in_shell bash 'unset glidein_config; cd /; . "$OLDPWD/singularity_lib.sh"; echo $glidein_config'
    mkdir elsewhere && cd elsewhere
    run env -i PATH=/usr/bin:/bin bash -c '. ../singularity_lib.sh; echo "$glidein_config $error_gen"'
    [ "$output" = "NONE warn" ]
}

@test "it may be sourced with set -u, -e and pipefail" {
    run env -i PATH=/usr/bin:/bin bash -c 'set -eu -o pipefail; glidein_config=glidein_config; . ./singularity_lib.sh
        gconfig_get NONE; info x; setup_from_environment; setup_classad_variables; echo "$HAS_SINGULARITY"'
    [ "$status" = 0 ]
    [ "${lines[-1]}" = 0 ]
}

@test "advertise: configuration, slots, jobs, and the line of an ad" {
    in_bash 'advertise ADV1 "a b" S; advertise_safe ADV2 3 I; gconfig_get ADV1; cut -f 1-7 vars | tr "\t" " "'
    [ "$output" = 'ADV1 = "a b"
ADV2 = 3
a b
ADV1 S - + Y Y +
ADV2 I - + Y Y +' ]
}

@test "variables of job wrappers and hooks come from the ads" {
    printf '%s\n' 'HAS_SINGULARITY = true' 'SINGULARITY_PATH = "/bin/apptainer"' 'GWMS_SINGULARITY_STATUS = "PREFERRED"' \
        'SINGULARITY_IMAGES_DICT = "rhel8:/a,rhel9:/b"' 'GPUs = 2' > machine
    printf '%s\n' 'SingularityImage = "/own"' 'ProjectName = "P"' 'SingularityBindCVMFS = false' 'REQUIRED_OS = "rhel9"' > job
    everywhere '_CONDOR_JOB_AD=job _CONDOR_MACHINE_AD=machine; http_proxy=x; setup_classad_variables
        echo "$HAS_SINGULARITY $GWMS_SINGULARITY_PATH $GWMS_SINGULARITY_STATUS $SINGULARITY_IMAGES_DICT $OSG_MACHINE_GPUS"
        echo "$GWMS_SINGULARITY_IMAGE $OSGVO_PROJECT_NAME $GWMS_SINGULARITY_BIND_CVMFS $REQUIRED_OS ${http_proxy-unset}"
        echo "$GWMS_SINGULARITY_STATUS_EFFECTIVE $GWMS_SINGULARITY_AUTOLOAD $MODULE_USE $STASHCACHE"' \
        '1 /bin/apptainer PREFERRED rhel8:/a,rhel9:/b 2
/own P 0 rhel9 unset
REQUIRED_Singularity_image_in_job 1 1 0'
    echo 'SingularityAutoLoad = false' > job
    everywhere '_CONDOR_JOB_AD=job _CONDOR_MACHINE_AD=machine; setup_classad_variables; echo $HAS_SINGULARITY' 0
}

@test "variables of set-up scripts come from the environment, then from the configuration" {
    printf '%s\n' "HAS_SINGULARITY True" "SINGULARITY_PATH /bin/apptainer" "GWMS_SINGULARITY_STATUS REQUIRED" \
        "SINGULARITY_IMAGES_DICT rhel8:/a" >> glidein_config
    in_bash 'GWMS_SINGULARITY_STATUS=PREFERRED; setup_from_environment
        echo "$HAS_SINGULARITY $GWMS_SINGULARITY_PATH $GWMS_SINGULARITY_STATUS $SINGULARITY_IMAGES_DICT $OSG_MACHINE_GPUS"
        printenv STASHCACHE GWMS_SINGULARITY_AUTOLOAD'
    [ "$output" = "1 /bin/apptainer PREFERRED rhel8:/a 0
0
1" ]
}

@test "CVMFS: what is in it, and where a path is" {
    everywhere 'for p in /cvmfs /cvmfs/a /cvmfsx /x; do cvmfs_path_in_cvmfs $p && echo $p; done; :' $'/cvmfs\n/cvmfs/a'
    mkdir -p mnt/r/img1 && ln -s /cvmfs/r/img1 mnt/r/link
    everywhere "CVMFS_MOUNT_DIR=$PWD/mnt/; for p in /cvmfs /cvmfs/r/img1 /cvmfs/r/link /x; do cvmfs_resolve_path \$p; done
        cvmfs_path_in_cvmfs $PWD/mnt/r && echo in; cvmfs_path_in_cvmfs_literal $PWD/mnt/r || echo out" \
        "$PWD/mnt
$PWD/mnt/r/img1
$PWD/mnt/r/img1
/x
in
out"
    everywhere "CVMFS_MOUNT_DIR=$PWD/mnt; cvmfs_test_and_open r,no :" \
        $'"/cvmfs/r" exists and available\n"/cvmfs/no" NOT available'
    everywhere "CVMFS_MOUNT_DIR=$PWD/mnt; cvmfs_test_and_open no; echo went on" '"/cvmfs/no" NOT available' 1
}

@test "binds and names of the job's directory" {
    everywhere 'singularity_check_paths e /etc/hosts /dst:ro' /etc/hosts:/dst:ro,
    everywhere 'GLIDEIN_QUIET=1; singularity_check_paths e /nonex' "" 1
    everywhere 'singularity_check_paths ev /nonex /etc:ro' /nonex:/etc:ro,
    everywhere 'GLIDEIN_QUIET=1; GLIDEIN_SINGULARITY_BINDPATH=/etc/hosts:/h; GLIDEIN_SINGULARITY_BINDPATH_DEFAULT=/nonex,/etc
        singularity_get_binds e /tmp:/t:ro /usr' /usr,/etc/hosts:/h,/etc,/tmp:/t:ro
    everywhere 'GLIDEIN_QUIET=1; singularity_get_binds e /nonex' "" 1
    mkdir -p real && ln -s real link
    everywhere "singularity_make_outside_pwd_list $PWD/real $PWD/link /tmp" "$PWD/real:$PWD/link"
    everywhere "singularity_make_outside_pwd_list : $PWD/real $PWD/link" "$PWD/real:$PWD/link"
    in_bash "cd real; GWMS_SINGULARITY_OUTSIDE_PWD=$PWD/link; singularity_update_path /srv a $PWD/link/x $PWD/real $PWD/reality --x=$PWD/real
        printf '%s\n' \"\${GWMS_RETURN[@]}\""
    [ "$output" = "a
/srv/x
/srv
$PWD/reality
--x=$PWD/real" ]
}

@test "images by platform, with the codes of what is wrong" {
    local call wanted
    while IFS='|' read -r call wanted; do
        everywhere "SINGULARITY_IMAGES_DICT=rhel7:/etc/hosts,rhel8:/nonex,rhel9:docker://x; singularity_get_image $call; echo \$?" \
            "${wanted/ /$'\n'}"
    done << 'END'
rhel7|/etc/hosts 0
rhel8|/nonex 2
rhel9|docker://x 2
rhel9 remote|docker://x 0
rhel7 cvmfs|/etc/hosts 3
zz|1
zz test|oras://ghcr.io/apptainer/alpine:latest 0
zz,any|/etc/hosts 0
END
    everywhere 'SINGULARITY_IMAGES_DICT=default:/d,rhel8:/e; get_all_platforms' rhel8
    everywhere 'SINGULARITY_IMAGE_DEFAULT6=/etc/hosts; singularity_get_image rhel6' /etc/hosts
}

@test "the environment of containers: options, clearing, what is handed in" {
    everywhere 'env_process_options; env_process_options clear,x; env_process_options condorset' \
        $'clearpaths\nclear,x,clearall,gwmsset,osgset,condorset\ncondorset,gwmsset'
    everywhere 'env_get_singularity_opts clearall "--nv"; env_gets_cleared "--nv --cleanenv" && ! env_gets_cleared --nv' \
        '--nv --cleanenv'
    everywhere 'PYTHONPATH=/p; env_clear clearpaths; echo "${PYTHONPATH-unset} $PATH"; env_restore clearpaths; echo $PYTHONPATH' \
        $'unset /usr/bin:/bin\n/p'
    # shellcheck disable=SC2028
    printf '%s\n' "Environment = \"A=1 B='x y' C=\"\"q\"\" D2=4\"" > job
    everywhere 'htc_parse_env_file job; htc_parse_env_file none; echo $?' $' A B C D2\n1'
    everywhere 'export GLIDEIN_Site=S TZ=UTC STASHCACHE=1 XRD_PLUGINCONFDIR=/x; env_preserve osgset
        env | grep ^APPTAINERENV_ | sort' \
        $'APPTAINERENV_GLIDEIN_Site=S\nAPPTAINERENV_STASHCACHE=1\nAPPTAINERENV_TZ=UTC\nAPPTAINERENV_XRD_PLUGINCONFDIR=/x'
    everywhere 'export TZ=UTC SINGULARITYENV_TZ=mine; env_preserve osgset; echo "${APPTAINERENV_TZ-none}"' none
}

@test "scripts of a point run in their order, in their directory" {
    mkdir -p d/exec/prejob
    echo 'echo "sourced $glidein_config $1 $2 $PWD"' > d/exec/prejob/a.sh
    printf '%s\n' '#!/bin/sh' 'echo "run $*"' > d/exec/prejob/0001_client_group_b.sh
    echo 'echo never' > d/exec/prejob/c.ignore
    echo 'echo never' > d/exec/prejob/data.txt
    chmod +x d/exec/prejob/0001_client_group_b.sh
    in_bash 'gwms_process_scripts "$PWD/d" prejob glidein_config; pwd'
    [ "$output" = "run $PWD/glidein_config client_group
sourced $PWD/glidein_config $PWD/glidein_config main $PWD/d/exec/prejob
$PWD" ]
    in_bash 'gwms_process_scripts "$PWD/none" cleanup glidein_config; echo $? $GWMS_SUBDIR_EXEC_CLEANUP'
    [[ $output == *"no directory"*"0 exec/cleanup" ]]
}

@test "without a container: a job that may goes on, any other ends by the script's own exit_wrapper" {
    everywhere 'GWMS_SINGULARITY_STATUS=PREFERRED; singularity_exit_or_fallback why; echo "$HAS_SINGULARITY"' \
        $'WARNING  why; going on without a container\n0'
    everywhere 'GWMS_SINGULARITY_STATUS=PREFERRED GWMS_SINGULARITY_STATUS_EFFECTIVE=REQUIRED_x
        exit_wrapper() { echo "$@"; exit 4; }; singularity_exit_or_fallback why 3 5; echo on' "why 3 5" 4
    everywhere 'singularity_exit_or_fallback why 7; echo on' "WARNING  why" 7
}

@test "shells without the means of bash read the rest" {
    local shell
    for shell in "busybox sh" dash; do
        command -v "${shell%% *}" > /dev/null || continue
        # shellcheck disable=SC2016
        run $shell -c 'eval "$(sed "/# START bash\$/,/# END bash\$/d" singularity_lib.sh)"; D=a:1; dict_get_val D a; type singularity_exec'
        [ "${lines[0]}" = 1 ] || { echo "$shell: $output" && false; }
        [ "$status" != 0 ]
    done
}

MOCK=$BATS_TEST_DIRNAME/mock/apptainer

@test "a runtime is started with the usual words, and its exit code is the function's" {
    mkdir job image && cd job
    cp ../glidein_config ../singularity_lib.sh .
    export EVIDENCE=$BATS_TEST_TMPDIR
    environment="EVIDENCE=$EVIDENCE" in_bash "singularity_exec $MOCK $PWD/../image /etc/hosts --nv --debug '' sh -c 'exit 7'; echo code \$?
        singularity_exec_simple $MOCK $PWD/../image sh -c 'exit 3'; echo code \$?
        singularity_exec '' image '' '' '' '' true; echo code \$?
        singularity_test_exec $PWD/../image $MOCK; singularity_exec $MOCK image '' '' '' exec sh -c 'exit 5'; echo never"
    [ "$status" = 5 ] || { echo "$output" && false; }
    [[ $output == *"code 7"*"code 3"*"code 1"*unprivileged* && $output != *never* ]]
    grep -qxF -- "--debug exec --home $PWD:/srv --pwd /srv --ipc --contain --nv --pid --bind /etc/hosts $PWD/../image sh -c exit 7" \
        "$EVIDENCE/runtime.log"
}

@test "a runtime is found, and its six lines say how" {
    mkdir bin && cp "$MOCK" bin/apptainer
    environment="GLIDEIN_SINGULARITY_BINARY_OVERRIDE=$PWD/bin" in_bash 'singularity_locate_bin "" ; echo $?
        echo "$HAS_SINGULARITY $GWMS_SINGULARITY_PATH $GWMS_SINGULARITY_VERSION $GWMS_SINGULARITY_MODE"
        singularity_test_bin "s,$PWD/bin/apptainer"'
    [ "${lines[0]}" = 0 ]
    [ "${lines[1]}" = "True $PWD/bin/apptainer 1.3.9-mock unknown" ]
    [ "${lines[2]}" = _s ] && [ "${lines[-1]}" = "_@ s($PWD/bin/apptainer):T" ] || { echo "$output" && false; }
}

@test "an old default wrapper of a VO puts the job into its container" {
    mkdir -p main .gwms.d/bin tmp job image
    cp singularity_lib.sh main/
    printf '%s\n' "TMP_DIR $PWD/tmp" >> glidein_config
    cp "$BATS_TEST_DIRNAME/vo/renamed_wrapper.sh" condor_job_wrapper.sh
    echo 'exec "$@"' >> condor_job_wrapper.sh
    chmod +x condor_job_wrapper.sh
    printf '%s\n' 'HAS_SINGULARITY = true' "SINGULARITY_PATH = \"$MOCK\"" 'GWMS_SINGULARITY_STATUS = "REQUIRED"' \
        "SINGULARITY_IMAGES_DICT = \"rhel9:$PWD/image\"" 'GPUs = 1' > job/.machine.ad
    echo 'REQUIRED_OS = "rhel9"' > job/.job.ad
    local top=$PWD
    cd job
    run env -i PATH=/usr/bin:/bin EVIDENCE="$top" _CONDOR_JOB_AD="$PWD/.job.ad" _CONDOR_MACHINE_AD="$PWD/.machine.ad" \
        ../condor_job_wrapper.sh sh -c 'echo "$PWD $1 $GWMS_SINGULARITY_REEXEC"; exit 6' - "$PWD/x"
    [ "$status" = 6 ] || { echo "$output" && false; }
    [ "${lines[-1]}" = "/srv /srv/x 1" ] || { echo "$output" && false; }
    grep -q -- "exec --home $PWD:/srv --pwd /srv --ipc --contain --nv --pid --bind /etc/hosts,.* $top/image /srv/.gwms-user-job-wrapper.sh sh -c" \
        "$top/runtime.log"
    # no image: the job must not run outside
    echo 'REQUIRED_OS = "suse"' > .job.ad
    run env -i PATH=/usr/bin:/bin _CONDOR_JOB_AD="$PWD/.job.ad" _CONDOR_MACHINE_AD="$PWD/.machine.ad" \
        ../condor_job_wrapper.sh touch never
    [ "$status" = 1 ] && [ ! -e never ]
}

@test "a prepare-job hook as a large pool has it" {
    mkdir -p main .gwms.d/bin client_group_main job
    cp singularity_lib.sh main/
    printf '%s\n' "GLIDECLIENT_GROUP_WORK_DIR $PWD/client_group_main" "HAS_SINGULARITY True" "SINGULARITY_PATH /bin/apptainer" >> glidein_config
    cp "$BATS_TEST_DIRNAME/vo/prepare_hook.sh" client_group_main/prepare-hook
    chmod +x client_group_main/prepare-hook
    echo 'SingularityImage = "/cvmfs/repo/image"' > job/.job.ad
    echo 'HAS_SINGULARITY = true' > job/.machine.ad
    local top=$PWD
    cd job
    run env -i PATH=/usr/bin:/bin _CONDOR_JOB_AD="$PWD/.job.ad" _CONDOR_MACHINE_AD="$PWD/.machine.ad" ../client_group_main/prepare-hook
    [ "$status" = 0 ]
    [ "${lines[-2]}" = 'HookStatusCode = 0' ] && [ "${lines[-1]}" = 'ContainerImage = "/cvmfs/repo/image"' ] || { echo "$output" && false; }
    [[ $output == *"group $top/client_group_main"* ]]
}
