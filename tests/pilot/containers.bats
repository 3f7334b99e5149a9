# Containers: what VO and site agree on, images, binds, environment, and the way into the container (contract 4, 8).
# The runtime is a mock; tests/pilot/test_containers.py has a real one.

load common

GLIDEIN=$PILOT_FILES
MOCK=$BATS_TEST_DIRNAME/mock/apptainer

# lib CODE: run code over the library with each shell there is.
lib() {
    local shell
    for shell in dash bash; do
        command -v "$shell" > /dev/null || continue
        run "$shell" -c ". '$GLIDEIN/singularity_lib.sh'; $1"
        [ "$status" = "${2:-0}" ] || {
            echo "$shell: exit code $status: $output"
            return 1
        }
    done
}

gives() {
    lib "$1" "${3:-0}"
    [ "$output" = "$2" ] || {
        echo "$1 gives: $output"
        return 1
    }
}

# param NAME VALUE: a parameter of the pilot.
param() {
    local value=$2
    value=${value//./@dot@}
    value=${value//,/@comma@}
    value=${value//:/@colon@}
    words+=("-param_$1" "$(printf '%s' "$value" | sed 's/@\([a-z]*\)@/.\1,/g')")
}

containers() {
    mkdir -p "$home/images/nine" "$home/images/eight"
    param GLIDEIN_Singularity_Use "${1:-REQUIRED}"
    param SINGULARITY_IMAGES_DICT "rhel9:$home/images/nine,rhel8:$home/images/eight"
    param SINGULARITY_IMAGE_RESTRICTIONS any
    pilot_env+=(GLIDEIN_SINGULARITY_BINARY_OVERRIDE="$MOCK")
}

# wrapped COMMAND...: run the finished job wrapper in a job's directory, as the starter does.
wrapped() {
    job=$BATS_TEST_TMPDIR/job
    mkdir -p "$job"
    top=$BATS_TEST_TMPDIR/top
    mkdir -p "$top/main" "$top/.gwms.d/bin" "$top/tmp"
    cp "$GLIDEIN/singularity_lib.sh" "$top/main/"
    [ -e "$top/glidein_config" ] || cat > "$top/glidein_config" << EOF
GWMS_SINGULARITY_STATUS REQUIRED
GWMS_SINGULARITY_PATH $MOCK
GWMS_CONTAINER_OPTIONS --pid
SINGULARITY_IMAGES_DICT rhel9:$home/images/nine,rhel8:$home/images/eight
SINGULARITY_IMAGE_RESTRICTIONS any
EOF
    mkdir -p "$home/images/nine" "$home/images/eight"
    # shellcheck disable=SC2016
    { echo '#!/bin/bash -p' && cat "$GLIDEIN/singularity_job_wrapper.sh" && echo 'exec "$@"'; } > "$top/condor_job_wrapper.sh"
    chmod +x "$top/condor_job_wrapper.sh"
    printf '%s\n' "${job_ad[@]}" > "$job/.job.ad"
    echo "GPUs = ${gpus:-0}" > "$job/.machine.ad"
    cd "$job"
    run env -i PATH=/usr/bin:/bin EVIDENCE="$EVIDENCE" GWMS_ERROR_WAIT=0 _CONDOR_SCRATCH_DIR="$job" \
        _CONDOR_JOB_AD="$job/.job.ad" _CONDOR_MACHINE_AD="$job/.machine.ad" _CONDOR_WRAPPER_ERROR_FILE="$job/.error" \
        "${job_env[@]}" "$top/condor_job_wrapper.sh" "$@"
}

@test "platforms keep the job's order of preference; any and nothing stand for all" {
    gives 'platforms_of rhel9,rhel7,rhel8 rhel8,rhel7,rhel9' rhel9,rhel7,rhel8
    gives 'platforms_of "rhel8, rhel7" any' rhel8,rhel7
    gives 'platforms_of rhel8,any rhel7,rhel6' rhel7,rhel6
    gives 'platforms_of "" ""' any
    gives 'platforms_of rhel9 rhel6' "" 1
}

@test "images: platforms, URIs, restrictions" {
    gives 'image_for rhel9:/9,default:/d,rhel8:/8 rhel7,rhel8,rhel9' /8
    gives 'image_for rhel9:/9,default:/d any' /d
    gives 'image_for rhel9:/9,rhel8:/8 any' /9
    gives 'image_for rhel9:/9 rhel8' "" 1
    lib 'is_uri docker://a/b'
    lib 'is_uri file:/a/b' 1
    lib 'is_uri file:///a/b' 1
    lib 'is_uri /a/b' 1
    gives 'uri_path file:///a/b; uri_path file:/a/b; uri_path /a' $'/a/b\n/a/b\n/a'
    lib 'image_check "" any' 1
    lib 'image_check /nonexistent any' 2
    lib 'image_check /usr cvmfs' 3
    lib 'image_check oras://x/y cvmfs' 3
    lib 'image_check oras://x/y remote'
    lib 'image_check /usr any'
}

@test "CVMFS paths with and without another mount point" {
    gives 'cvmfs_path /cvmfs/a/b; cvmfs_path /cvmfsx' $'/cvmfs/a/b\n/cvmfsx'
    gives 'CVMFS_MOUNT_DIR=/mnt/c/; cvmfs_path /cvmfs/a; cvmfs_path /cvmfs; cvmfs_path /x' $'/mnt/c/a\n/mnt/c\n/x'
    lib 'CVMFS_MOUNT_DIR=/mnt/c/; cvmfs_is_below /mnt/c/a'
    lib 'CVMFS_MOUNT_DIR=/mnt/c; cvmfs_is_below /mnt/cx/a' 1
    lib 'cvmfs_is_below /cvmfs/a'
    gives 'CVMFS_MOUNT_DIR=/mnt/c/; bind_cvmfs' /mnt/c:/cvmfs
    mkdir -p "$home/c/repo/v1"
    ln -s v1 "$home/c/repo/latest"
    gives "CVMFS_MOUNT_DIR=$home/c; cvmfs_resolve /cvmfs/repo/latest" "$(cd -P "$home/c/repo/v1" && pwd -P)"
}

@test "binds: missing sources and taken destinations are left out, earlier lists win" {
    gives 'binds_of /usr:/x:ro,/nonexistent /bin:/x,/etc /etc:/etc:ro' /usr:/x:ro,/etc
    gives 'binds_of "" ""' ""
}

@test "paths of the job's directory, as a whole component, become the container's" {
    gives 'path_inside /a/b/c /x:/a/b' /srv/c
    gives 'path_inside /a/b /x:/a/b' /srv
    gives 'path_inside /a/bc /x:/a/b' /a/bc
    gives 'path_inside "/a/b/d e" /a/b' "/srv/d e"
    gives 'path_inside -x=/a/b/c /a/b' -x=/a/b/c
}

@test "environment options, clearing and restoring" {
    gives 'env_process_options ""' clearpaths
    gives 'env_process_options clear' clear,clearall,gwmsset,osgset,condorset
    gives 'env_process_options osgset' osgset,condorset,gwmsset
    gives 'env_process_options keepall' keepall
    gives 'A="1 2"; B=; env_clearlist A,B,C; echo "[${A-unset}][${B-unset}][$GWMS_OLDENV_A]"; env_restorelist A,B,C
        echo "[$A][${B-unset}][${C-unset}][${GWMS_OLDENV_A-unset}]"' $'[unset][][1 2]\n[1 2][][unset][1 2]'
}

@test "what is preserved: the pilot's names, with osgset the site's, those of the job; values are never evaluated" {
    gives 'for n in $GWMS_SET $OSG_SET; do export $n=x; done; env_preserve gwmsset; echo $env_preserved' 16
    gives 'for n in $(env | sed -n "s/^\(_CONDOR_[A-Za-z0-9_]*\)=.*/\1/p"); do unset $n; done; export _CONDOR_A=1 _CONDOR_B=2
        for n in $GWMS_SET $OSG_SET; do export $n=x; done; env_preserve gwmsset,condorset; echo $env_preserved
        env_preserve gwmsset,osgset; echo $env_preserved' $'18\n69'
    printf 'Environment = "MINE='"'"'a b'"'"' APPTAINERENV_X=1 OTHER=2"\n' > "$BATS_TEST_TMPDIR/ad"
    gives "export _CONDOR_JOB_AD=$BATS_TEST_TMPDIR/ad MINE='\$(id) \`id\`' APPTAINERENV_X=1
        env_preserve condorset 2> /dev/null; printenv APPTAINERENV_MINE SINGULARITYENV_MINE; echo \${APPTAINERENV_X-gone}" \
        $'$(id) `id`\n$(id) `id`\ngone'
}

@test "what VO and site agree on" {
    . "$GLIDEIN/singularity_find.source"
    local vo site n=0 want=(DISABLE DISABLE DISABLE DISABLE FAIL NEVER NEVER NEVER FAIL FAIL NEVER NEVER PREFERRED
        REQUIRED REQUIRED NEVER PREFERRED PREFERRED REQUIRED REQUIRED FAIL REQUIRED REQUIRED REQUIRED REQUIRED)
    for vo in DISABLE_GWMS NEVER OPTIONAL PREFERRED REQUIRED; do
        for site in NEVER OPTIONAL PREFERRED REQUIRED REQUIRED_GWMS; do
            [ "$(container_decision $vo $site)" = "${want[n]}" ] || {
                echo "$vo $site"
                return 1
            }
            n=$((n + 1))
        done
    done
    [ "$(container_decision PREFERRED "")" = PREFERRED ]
    [ "$(container_decision "" "")" = DISABLE ]
    [ "$(container_decision Required OPTIONAL)" = FAIL ]
}

@test "where the runtime is looked for: override, SINGULARITY_BIN, PATH, CONDOR, OSG" {
    local place
    for place in over bin path condor/usr/libexec osg; do
        mkdir -p "$home/$place"
        cp "$MOCK" "$home/$place/apptainer"
    done
    cp "$MOCK" "$home/over/singularity"
    gconfig_get() {
        case $1 in
        CONDOR_DIR) echo "$home/condor" ;;
        SINGULARITY_BIN) echo "${bin_key-$home/bin}" ;;
        OSG_SINGULARITY_BINARY) echo "$home/osg/apptainer" ;;
        GLIDEIN_SINGULARITY_BINARY_OVERRIDE) echo "$home/none:$home/over" ;;
        esac
    }
    . "$GLIDEIN/singularity_lib.sh"
    . "$GLIDEIN/singularity_find.source"
    local order="$home/over/singularity $home/over/apptainer $home/bin/apptainer $home/path/apptainer"
    order+=" $home/condor/usr/libexec/apptainer $home/osg/apptainer"
    [ "$(PATH=$home/path:$PATH runtime_candidates | tr '\n' ' ')" = "$order " ]
    bin_key=CONDOR
    [ "$(PATH=$home/path:$PATH runtime_candidates | sed -n 3p)" = "$home/condor/usr/libexec/apptainer" ]
    bin_key=
    [ "$(PATH=$home/path:$PATH runtime_candidates | sed -n 3p)" = "$home/osg/apptainer" ]
    [ "$(mode_of '  0 0 4294967295')/$(mode_of '0 1000 1')/$(mode_of '1000 1000 1')" = privileged/fakeroot/unprivileged ]
}

@test "a pilot with a runtime says so in its slots, and asks for user namespaces where they are needed" {
    containers
    pilot_env+=(MOCK_NEEDS_USERNS=1)
    pilot
    [ "$status" = 0 ] || { tail -n 40 "$BATS_TEST_TMPDIR/err" && false; }
    cd "$EVIDENCE"
    grep -qx 'HAS_SINGULARITY = True' condor_config
    grep -qx 'GWMS_SINGULARITY_STATUS = "REQUIRED"' condor_config
    grep -qx 'SINGULARITY_VERSION = "1.3.9-mock"' condor_config
    grep -qx 'GWMS_SINGULARITY_MODE = "unprivileged"' condor_config
    grep -q '^GLIDEIN_VARIABLES = .*HAS_SINGULARITY.*GLIDEIN_PROVIDES' condor_config
    grep -qx 'GLIDEIN_PROVIDES = "singularity/unprivileged"' condor_config
    grep -qx 'GWMS_CONTAINER_OPTIONS --pid --userns' glidein_config
    # the tarball's HTCondor is a stub, so the wrapper starts containers
    grep -qx 'GWMS_CONTAINER_LAUNCH wrapper' glidein_config
    grep -q gwms_outside condor_job_wrapper.sh
}

@test "without a runtime a REQUIRED pilot fails and a PREFERRED one says that it has none" {
    containers
    pilot_env+=(MOCK_NO_VERSION=1)
    pilot
    [ "$status" = 1 ]
    says out "no container runtime starts"
    says out "apptainer(no version)"
    words=()
    mapfile -t words < "$STAGE/good/args"
    containers PREFERRED
    param GLIDEIN_SINGULARITY_REQUIRE PREFERRED
    pilot
    [ "$status" = 0 ]
    grep -qx 'HAS_SINGULARITY = False' "$EVIDENCE/condor_config"
}

@test "policies that do not go together end the pilot" {
    param GLIDEIN_Singularity_Use NEVER
    param GLIDEIN_SINGULARITY_REQUIRE REQUIRED
    pilot
    [ "$status" = 1 ]
    says out '<metric name="failure"'
    says out VO_Config
}

@test "in native mode HTCondor starts containers: its configuration, and the wrapper completes its command" {
    containers
    param GLIDEIN_Container_Launch native
    param GLIDEIN_SINGULARITY_BINDPATH "/usr:/host_usr:ro"
    pilot
    [ "$status" = 0 ]
    cd "$EVIDENCE"
    grep -qx "SINGULARITY = $MOCK" condor_config.d/00-gwms-containers.conf
    grep -q '^SINGULARITY_BIND_EXPR = .*"/usr:/host_usr:ro ' condor_config.d/00-gwms-containers.conf
    grep -q '^START = (\$(START)) &&' condor_config.d/00-gwms-containers.conf
    grep -qx 'SINGULARITY_USE_PID_NAMESPACES = True' condor_config.d/00-gwms-containers.conf
    grep -q gwms_outside condor_job_wrapper.sh
}

# native COMMAND...: the same where HTCondor starts containers, in its words.
native() {
    mkdir -p "$BATS_TEST_TMPDIR/top"
    printf '%s\n' "GWMS_CONTAINER_LAUNCH native" "GWMS_SINGULARITY_STATUS REQUIRED" "GWMS_SINGULARITY_PATH $MOCK" \
        "GLIDEIN_SINGULARITY_GLOBAL_OPTS --debug" "${config[@]}" > "$BATS_TEST_TMPDIR/top/glidein_config"
    local scratch=$BATS_TEST_TMPDIR/job
    wrapped "$MOCK" -s exec -W "$scratch" --pwd /srv -B "$scratch:/srv" --home "$scratch" -C --pwd /srv "${gpu[@]}" \
        "${image:-$home/images/nine}" "$@"
}

@test "HTCondor's command for a container: the wrapper runs inside it, with its rules" {
    local config=() gpu=(--nv)
    job_ad=('Environment = "MINE=1"') job_env=(SINGULARITYENV_PATH=/none SINGULARITYENV_GLIDEIN_Site=S SINGULARITYENV_MY_SITE=S MINE=1 LD_PRELOAD=)
    native sh -c 'echo "$PWD|$HOME|$1|${2}|$GLIDEIN_Site|$PATH"' --pwd "$BATS_TEST_TMPDIR/job/in put" "a  b"
    [ "$status" = 0 ] || { echo "$output" && false; }
    [ "$output" = "/srv|/srv|/srv/in put|a  b||/usr/bin:/bin:/srv/.gwms.d/bin" ] || { echo "$output" && false; }
    grep -q -- "^--debug -s exec -W .* -C --pwd /srv --nv --home $job:/srv $home/images/nine /bin/sh /srv/.gwms-user-job-wrapper.sh sh -c" \
        "$EVIDENCE/runtime.log"
    grep -qx SINGULARITYENV_GLIDEIN_Site=S "$EVIDENCE/runtime.env"
    ! grep -q '^[A-Z]*ENV_PATH=' "$EVIDENCE/runtime.env" || false
    [ ! -e "$job/.gwms-user-job-wrapper.sh" ] && [ ! -e "$job/.gwms_aux" ]
    config=("GLIDEIN_CONTAINER_ENV clear") gpu=()
    native true
    [ "$status" = 0 ] || { echo "$output" && false; }
    grep -q -- "--home $job:/srv --cleanenv $home" "$EVIDENCE/runtime.log"
    grep -qx APPTAINERENV_MINE=1 "$EVIDENCE/runtime.env"
    ! grep -q ENV_MY_SITE "$EVIDENCE/runtime.env" || false
}

@test "HTCondor's command: what cannot work goes back with the reason, what is no container is left alone" {
    local config=() gpu=()
    job_ad=() job_env=()
    image=/nonexistent native touch never
    [ "$status" = 1 ] && grep -q "no usable image for this job: /nonexistent" "$job/.error"
    job_ad=('CVMFSReposList = "no.such.repo"')
    native touch never
    [ "$status" = 1 ] && grep -q CVMFSReposList "$job/.error"
    job_ad=()
    wrapped "$MOCK" exec image touch never
    [ "$status" = 1 ] && grep -q "is not understood" "$job/.error"
    [ ! -e "$job/never" ]
    wrapped touch never
    [ "$status" = 1 ] && grep -q "did not ask for the container" "$job/.error"
    [ ! -e "$job/never" ]
    sed -i 's/ REQUIRED$/ PREFERRED/' "$top/glidein_config"
    wrapped sh -c 'touch ran; pwd'
    [ "$output" = "$job" ] && [ -e "$job/ran" ]
}

@test "the sshd of condor_ssh_to_job stays outside" {
    job_ad=() job_env=()
    mkdir -p "$BATS_TEST_TMPDIR/job/.condor_ssh_to_job_1"
    printf '#!/bin/sh\necho "sshd $* in $PWD"\n' > "$home/sshd"
    chmod +x "$home/sshd"
    # before there is a job it is a job that calls itself so
    wrapped sh -c 'pwd' "$BATS_TEST_TMPDIR/job/.condor_ssh_to_job_1/sshd_config"
    [ "$output" = /srv ] || { echo "$output" && false; }
    wrapped "$home/sshd" -i -f "$BATS_TEST_TMPDIR/job/.condor_ssh_to_job_1/sshd_config"
    [ "$output" = "sshd -i -f $job/.condor_ssh_to_job_1/sshd_config in $job" ] || { echo "$output" && false; }
}

@test "the job wrapper enters the container: directory, arguments, environment; nothing of the pilot stays behind" {
    job_ad=('REQUIRED_OS = "rhel8, rhel9"') job_env=(X509_USER_PROXY="$BATS_TEST_TMPDIR/job/proxy" LD_PRELOAD= PYTHONPATH=/p)
    mkdir -p "$BATS_TEST_TMPDIR/job"
    echo p > "$BATS_TEST_TMPDIR/job/proxy"
    wrapped sh -c 'echo "$PWD|$HOME|$1|$2|$X509_USER_PROXY|$_CONDOR_SCRATCH_DIR|${PYTHONPATH-none}|${TMPDIR-none}"' - \
        "$BATS_TEST_TMPDIR/job/in put" "a  b"
    [ "$status" = 0 ] || { echo "$output" && false; }
    [ "$output" = "/srv|/srv|/srv/in put|a  b|/srv/proxy|/srv|none|none" ] || { echo "$output" && false; }
    grep -q -- "exec --home $job:/srv --pwd /srv --ipc --contain --pid --bind .* $home/images/eight /bin/sh" "$EVIDENCE/runtime.log"
    ! grep -q -- --nv "$EVIDENCE/runtime.log" || false
    [ ! -e "$job/.gwms-user-job-wrapper.sh" ] && [ ! -e "$job/.gwms_aux" ]
}

@test "the job's own image is taken, with GPUs --nv, and its exit code is the wrapper's" {
    gpus=1 job_env=()
    mkdir -p "$home/own"
    job_ad=("SingularityImage = \"$home/own\"" 'REQUIRED_OS = "rhel8"')
    wrapped sh -c 'exit 7'
    [ "$status" = 7 ] || { echo "$output" && false; }
    grep -q -- "--nv .*$home/own /bin/sh" "$EVIDENCE/runtime.log"
}

@test "a clean environment keeps what it is asked to keep" {
    job_ad=('Environment = "MINE=1"') job_env=(MINE=1 SITE_ONLY=2 OSG_SITE_NAME=here)
    mkdir -p "$BATS_TEST_TMPDIR/top"
    cat > "$BATS_TEST_TMPDIR/top/glidein_config" << EOF
GWMS_SINGULARITY_STATUS REQUIRED
GWMS_SINGULARITY_PATH $MOCK
SINGULARITY_IMAGES_DICT default:$home/images/nine
SINGULARITY_IMAGE_RESTRICTIONS any
GLIDEIN_CONTAINER_ENV clear
EOF
    wrapped true
    [ "$status" = 0 ] || { echo "$output" && false; }
    grep -q -- --cleanenv "$EVIDENCE/runtime.log"
    grep -qx APPTAINERENV_MINE=1 "$EVIDENCE/runtime.env"
    grep -qx SINGULARITYENV_OSG_SITE_NAME=here "$EVIDENCE/runtime.env"
    ! grep -q APPTAINERENV_SITE_ONLY "$EVIDENCE/runtime.env" || false
}

@test "no image: a REQUIRED job goes back with the reason, a PREFERRED one runs as it is" {
    job_ad=('REQUIRED_OS = "suse15"') job_env=()
    wrapped touch ran
    [ "$status" = 1 ]
    grep -q "no usable image for this job: REQUIRED_OS suse15" "$job/.error"
    [ ! -e "$job/ran" ]
    sed -i 's/ REQUIRED$/ PREFERRED/' "$top/glidein_config"
    job_env=(PYTHONPATH=/p)
    wrapped sh -c 'echo $PYTHONPATH > ran'
    [ "$status" = 0 ] && [ "$(cat "$job/ran")" = /p ]
    job_ad=("SingularityImage = \"/nonexistent\"")
    wrapped touch never
    [ "$status" = 1 ] && [ ! -e "$job/never" ]
    job_ad=('CVMFSReposList = "no.such.repo"')
    wrapped touch never
    [ "$status" = 1 ] && grep -q CVMFSReposList "$job/.error"
}

@test "wrappers: the deployed default one gives way to ours, a VO's own launcher is left alone" {
    local config=$BATS_TEST_TMPDIR/config file
    mkdir -p "$home/main" "$home/work/condor_config.d"
    cp "$GLIDEIN"/{singularity_*,add_config_line.source,error_gen.sh} "$home/main/"
    chmod +x "$home/main/error_gen.sh"
    echo 'run_through singularity_lib' > "$home/default_singularity_wrapper.sh"
    echo 'exec apptainer exec /img "$@"' > "$home/own.sh"
    echo 'export A=1' > "$home/plain.sh"
    for file in "default_singularity_wrapper.sh wrapper" "own.sh vo"; do
        printf '%s\n' "$home/plain.sh" "$home/${file% *}" > "$home/list"
        printf '%s\n' "ADD_CONFIG_LINE_SOURCE $home/main/add_config_line.source" "ERROR_GEN_PATH $home/main/error_gen.sh" \
            "GLIDEIN_WORK_DIR $home/main" "GLIDEIN_WORKSPACE_ORIG $home/work" "WRAPPER_LIST $home/list" \
            "GWMS_SINGULARITY_STATUS REQUIRED" > "$config"
        (cd "$home" && "$home/main/singularity_launch.sh" "$config" main 2> said)
        [[ $file != default* ]] || grep -q "default_singularity_wrapper.sh is not used" "$home/said"
        grep -qx "GWMS_CONTAINER_LAUNCH ${file#* }" "$config"
        grep -qx "$home/plain.sh" "$home/list"
    done
    [ "$(cat "$home/list")" = "$home/plain.sh"$'\n'"$home/own.sh" ]
}

@test "a set-up script of type run:singularity runs inside, with the pilot's directory, and its exit code counts" {
    local config=$home/glidein_config
    mkdir -p "$home/main" "$home/tmp" "$home/image"
    cp "$GLIDEIN"/{singularity_lib.sh,add_config_line.source,error_gen.sh} "$home/main/"
    chmod +x "$home/main/error_gen.sh"
    printf '%s\n' "ADD_CONFIG_LINE_SOURCE $home/main/add_config_line.source" "ERROR_GEN_PATH $home/main/error_gen.sh" \
        "GLIDEIN_WORK_DIR $home/main" "GLIDEIN_WORKSPACE_ORIG $home" "TMP_DIR $home/tmp" "GWMS_SINGULARITY_STATUS REQUIRED" \
        "GWMS_SINGULARITY_PATH $MOCK" "SINGULARITY_IMAGES_DICT default:$home/image" "GWMS_CONTAINER_OPTIONS --pid" > "$config"
    printf '%s\n' '#!/bin/sh' 'echo "$1 $2 $GWMS_SINGULARITY_REEXEC" > ran' 'exit 3' > "$home/script"
    chmod +x "$home/script"
    cd "$home"
    "$GLIDEIN/singularity_wrapper.sh" glidein_config main
    grep -q '<status>OK</status>' otrb_output.xml
    run "$GLIDEIN/singularity_wrapper.sh" "$home/script" glidein_config main
    [ "$status" = 3 ] || { echo "$output" && false; }
    [ "$(cat ran)" = "glidein_config main 1" ]
    grep -q -- "--pid --bind .*$home:/srv/.gwms_base,$home .*$home/image $home/script glidein_config main" "$EVIDENCE/runtime.log"
    sed -i '/SINGULARITY_IMAGES_DICT/d' "$config"
    run "$GLIDEIN/singularity_wrapper.sh" "$home/script" glidein_config main
    [ "$status" = 1 ]
}

@test "nothing that a job sets gets it out of a container that it must have" {
    local n
    job_ad=()
    mkdir -p "$BATS_TEST_TMPDIR/job/bin" "$BATS_TEST_TMPDIR/job/c"
    for n in sed env tail mkdir readlink; do
        printf '#!/bin/sh\ntouch "%s/job/bare"\n' "$BATS_TEST_TMPDIR" > "$BATS_TEST_TMPDIR/job/bin/$n"
        chmod +x "$BATS_TEST_TMPDIR/job/bin/$n"
    done
    local bare="touch $BATS_TEST_TMPDIR/job/bare"
    echo "$bare" > "$BATS_TEST_TMPDIR/job/rc"
    local -a tries=("GWMS_SINGULARITY_REEXEC=1" "PATH=$BATS_TEST_TMPDIR/job/bin:/usr/bin:/bin" "BASH_ENV=$BATS_TEST_TMPDIR/job/rc"
        "ENV=$BATS_TEST_TMPDIR/job/rc" "SHELLOPTS=xtrace PS4=\$($bare)" "BASH_FUNC_sed%%=() { $bare; }"
        "glidein_config=$BATS_TEST_TMPDIR/job/config" "CVMFS_MOUNT_DIR=$BATS_TEST_TMPDIR/job/c"
        "APPTAINER_BINDPATH=/:/x SINGULARITY_BIND=/:/x APPTAINER_MOUNT=x APPTAINERENV_LD_PRELOAD=x LD_LIBRARY_PATH=$BATS_TEST_TMPDIR/job"
        "gwms_session=1" "gwms_top=$BATS_TEST_TMPDIR/job" "BASH_ARGV0=/srv/.gwms-user-job-wrapper.sh" "POSIXLY_CORRECT=1")
    echo "GWMS_SINGULARITY_STATUS NEVER" > "$BATS_TEST_TMPDIR/job/config"
    for n in "${!tries[@]}"; do
        case ${tries[n]} in
        SHELLOPTS=* ) job_env=(SHELLOPTS=xtrace "PS4=\$($bare)") ;;
        APPTAINER_BINDPATH*) read -ra job_env <<< "${tries[n]}" ;;
        *) job_env=("${tries[n]}") ;;
        esac
        rm -f "$EVIDENCE"/runtime.*
        wrapped sh -c 'echo "$PWD"'
        [ "$output" = /srv ] || { echo "${tries[n]}: $output" && false; }
        [ ! -e "$job/bare" ] || { echo "${tries[n]}: ran outside" && false; }
        ! grep -E '^(APPTAINER|SINGULARITY)(_BIND|_MOUNT|ENV_LD)|^LD_' "$EVIDENCE/runtime.env" || false
        ! grep -F "job/c:/cvmfs" "$EVIDENCE/runtime.log" || false
    done
}

@test "images that are options, relative, other containers, or hold the pilot itself are refused" {
    local image
    job_env=()
    mkdir -p "$BATS_TEST_TMPDIR/job/--bind=" "$BATS_TEST_TMPDIR/job/own"
    ln -sfn / "$BATS_TEST_TMPDIR/job/root"
    for image in --bind= own instance://x / "$BATS_TEST_TMPDIR/job/root" "$BATS_TEST_TMPDIR"; do
        job_ad=("SingularityImage = \"$image\"")
        wrapped touch never
        [ "$status" = 1 ] || { echo "$image: $status $output" && false; }
        grep -q "no usable image" "$job/.error" && [ ! -e "$job/never" ]
        rm -f "$job/.error"
    done
}

@test "a runtime that does not start is the wrapper's error, not the job's exit code" {
    job_ad=() job_env=(MOCK_BAD_IMAGE="$home/images/nine")
    wrapped touch never
    [ "$status" = 255 ] && [ ! -e "$job/never" ]
    grep -q "did not start the job in its image" "$job/.error"
    job_env=()
    wrapped sh -c 'exit 255'
    [ "$status" = 255 ] && [ ! -e "$job/.error" ]
    local config=() gpu=()
    job_env=(MOCK_BAD_IMAGE="$home/images/nine")
    native touch never
    [ "$status" = 255 ] && grep -q "did not start the job in its image" "$job/.error"
    job_env=()
    native true
    [ "$status" = 0 ] && [ ! -e "$job/.error" ]
}

@test "the trial of set-up starts the image as jobs will: binds, options, GPUs" {
    containers
    param GLIDEIN_SINGULARITY_OPTS "--no-umask"
    param GLIDEIN_SINGULARITY_GLOBAL_OPTS "--debug"
    param GLIDEIN_SINGULARITY_BINDPATH "/usr:/host_usr:ro"
    param GLIDEIN_Resource_Slots "GPUs,1"
    pilot
    head -n 1 "$EVIDENCE/runtime.log" | grep -q -- "^--debug exec .* --no-umask --nv --bind /usr:/host_usr:ro,.*/etc/hosts" || {
        cat "$EVIDENCE/runtime.log" && false
    }
}

@test "a runtime that cannot make bind points ends a REQUIRED pilot" {
    containers
    printf '#!/bin/bash\n[ "$1" = version ] && { echo 1.3.9; exit 0; }\ncase " $* " in *" --bind "*) exit 255 ;; esac\necho "  1000 1000 1"\n' \
        > "$home/nolayer"
    chmod +x "$home/nolayer"
    pilot_env+=(GLIDEIN_SINGULARITY_BINARY_OVERRIDE="$home/nolayer")
    pilot
    [ "$status" = 1 ]
    says out ">WN_Resource</metric>"
}

@test "a job whose VO wrapper starts no container is put back, and the pilot says so" {
    containers
    pilot
    [ "$status" = 0 ]
    local file=$EVIDENCE/condor_job_wrapper.sh work
    [ "$(head -n 1 "$file")" = "#!/bin/bash -p" ]
    work=$(sed -n 's/.* \[ -e "\(.*\)\/glidein_config" \].*/\1/p' "$file")
    mkdir -p "$work" "$home/job"
    touch "$work/glidein_config"
    # as a copy of a wrapper that calls what is not there
    sed -n '/^if \[ -z "\$gwms_session"/,$p' "$file" > "$home/tail"
    printf '#!/bin/bash -p\ngwms_session=""\n' > "$home/wrapper.sh"
    cat "$home/tail" >> "$home/wrapper.sh"
    cd "$home/job"
    run env GWMS_ERROR_WAIT=0 gwms_session=1 _CONDOR_WRAPPER_ERROR_FILE="$home/job/.error" bash -p "$home/wrapper.sh" touch never
    [ "$status" = 1 ] && [ ! -e never ]
    grep -q "no job wrapper started the container" .error
    grep -q "A job was put back" "$work/exit_message"
    rm -rf "$work"
}

@test "a session that cannot enter the job's container is refused where jobs must have one" {
    echo "_CONDOR_JOB_PIDS=$$" > "$home/environment"
    printf '#!/bin/sh\necho "outside: $*"\n' > "$home/stock"
    chmod +x "$home/stock"
    run bash "$GLIDEIN/singularity_ssh.sh" PREFERRED "$home/stock" "$home/environment"
    [ "$output" = "outside: $home/environment" ]
    local command
    for command in "" "/usr/libexec/sftp-server" "id; : sftp-server"; do
        run env SSH_ORIGINAL_COMMAND="$command" bash "$GLIDEIN/singularity_ssh.sh" REQUIRED "$home/stock" "$home/environment"
        [ "$status" = 1 ]
        [[ $output == *"cannot be entered"* && $output != *outside:* ]] || { echo "$command: $output" && false; }
    done
}
