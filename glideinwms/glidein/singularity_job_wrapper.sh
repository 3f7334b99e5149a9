# The way into the container: part of the job wrapper. Outside it prepares the job's directory and replaces itself by the
# runtime, which runs the whole wrapper again inside, at /srv. Where HTCondor starts containers, its command is completed.
# shellcheck shell=dash

# gwms_error TEXT: HTCondor puts the job back; the slot waits so as not to eat the queue.
gwms_error() {
    echo "$1" >&2
    echo "$1" > "${_CONDOR_WRAPPER_ERROR_FILE:-/dev/null}"
    condor_chirp set_job_attr JobWrapperFailure "\"$1\"" > /dev/null 2>&1
    case ,${GLIDEIN_DEBUG_OPTIONS:-}, in
    *,nowait,*) sleep "${GWMS_ERROR_WAIT:-120}" ;;
    *) sleep "${GWMS_ERROR_WAIT:-600}" ;;
    esac
    exit 1
}

# ad_value FILE NAME: an attribute of an ad, strings without their quotes.
ad_value() {
    [ -r "$1" ] && sed -n "s/^$2 *= *\"\{0,1\}\(.*[^\"]\)\"\{0,1\}\$/\1/ip" "$1" | tail -n 1
}

gwms_config() {
    sed -n "s/^$1 //p" "$gwms_top/glidein_config" | tail -n 1
}

# Every repository the job asks for is opened and stays open while it runs: an unmount waits for it.
gwms_hold_cvmfs() {
    local rest="$1," repo fd=7
    while [ -n "$rest" ]; do
        repo=${rest%%,*}
        rest=${rest#*,}
        [ -n "$repo" ] || continue
        repo=$(cvmfs_path "/cvmfs/$repo")
        [ -d "$repo" ] && ls "$repo" > /dev/null 2>&1 || return 1
        [ "$fd" -gt 9 ] || eval "exec $fd< \"\$repo\""
        fd=$((fd + 1))
    done
}

# gwms_may_be_image IMAGE: an absolute path or URL, and no directory in which the pilot itself is.
gwms_may_be_image() {
    local place top
    case $1 in
    instance:*) return 1 ;;
    /* | file:/*) ;;
    *) is_uri "$1" && return 0 || return 1 ;;
    esac
    place=$(cvmfs_path "$(uri_path "$1")")
    [ -d "$place" ] || return 0
    place=$(cd -P "$place" 2> /dev/null && pwd -P) && top=$(cd -P "$gwms_top" && pwd -P) || return 1
    place=${place%/}
    case $top/ in "$place"/*) return 1 ;; esac
}

gwms_image() {
    local platforms dict restrictions wanted
    # shellcheck disable=SC2034  # image_for reads it
    dict=$(gwms_config SINGULARITY_IMAGES_DICT)
    restrictions=$(gwms_config SINGULARITY_IMAGE_RESTRICTIONS)
    gwms_own=$(ad_value "$_CONDOR_JOB_AD" SingularityImage)
    wanted=$gwms_own
    if [ -n "$wanted" ]; then
        case ,$restrictions, in
        *,remote,* | *,any,*) restrictions=remote ;;
        *) restrictions=any ;;
        esac
        is_uri "$wanted" && [ "$restrictions" = any ] && return 3
        is_uri "$wanted" || restrictions=any
        gwms_may_be_image "$wanted" || return 1
    else
        platforms=$(platforms_of "$(ad_value "$_CONDOR_JOB_AD" REQUIRED_OS)" "$(gwms_config GLIDEIN_REQUIRED_OS)") || return 1
        case ,$platforms, in
        *,any,*) platforms=default,rhel9,rhel8,rhel7,rhel6,any ;;
        esac
        wanted=$(image_for dict "$platforms") || return 1
    fi
    image_check "$wanted" "${restrictions:-cvmfs}" || return
    export GWMS_SINGULARITY_IMAGE_HUMAN="$wanted"
    GWMS_SINGULARITY_IMAGE=$(cvmfs_resolve "$(uri_path "$wanted")")
    export GWMS_SINGULARITY_IMAGE
}

# Without a container after all, if that is allowed.
gwms_fallback() {
    if [ "$gwms_decision" = PREFERRED ] && [ -z "${gwms_own:-}" ]; then
        echo "$1; the job runs without a container" >&2
        env_restorelist "$gwms_cleared"
        export PATH="$gwms_path"
        return 0
    fi
    gwms_error "$1"
}

# What the container needs in the job's directory. Scripts before the job find configuration and helpers, without secrets.
gwms_equip() {
    mkdir -p .gwms_aux && cp "$gwms_top/main/singularity_lib.sh" .gwms_aux/ && cp "$0" .gwms-user-job-wrapper.sh &&
        cp -r "$gwms_top/.gwms.d" . && chmod -R u+w .gwms.d || return 1
    sed -n 's/^[A-Z0-9_]*_SOURCE //p' "$gwms_top/glidein_config" | while read -r argument; do cp "$argument" .gwms.d/lib/; done
    sed -e '/^[^ ]*\(TOKEN\|PASSW\|SECRET\|PRIVATE\)/Id' -e 's|^\([A-Z0-9_]*_SOURCE\) .*/|\1 /srv/.gwms.d/lib/|' \
        "$gwms_top/glidein_config" > .gwms.d/glidein_config
}

# paths_inside: the names of the job's directory in the environment, as the container sees them.
paths_inside() {
    local name value
    for name in X509_USER_PROXY X509_USER_CERT X509_USER_KEY X509_CERT_DIR \
        $(env | sed -n 's/^\(_CONDOR_[A-Za-z0-9_]*\)=.*/\1/p'); do
        eval "value=\${$name-}"
        [ -z "$value" ] || eval "export $name=\"\$(path_inside \"\$value\" \"\$GWMS_OUTSIDE\")\""
    done
}

# gwms_pass NAME VALUE: into the container's environment, a clean one too.
gwms_pass() {
    export "$1=$2" "SINGULARITYENV_$1=$2" "APPTAINERENV_$1=$2"
}

# gwms_scrub: what the job sets does not reach the runtime: neither its options, nor what the loader of programs reads.
gwms_scrub() {
    local name
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
        case $name in
        # here HTCondor hands the job's environment in
        APPTAINERENV_* | SINGULARITYENV_*) [ "$gwms_launch" = native ] || unset "$name" ;;
        APPTAINER* | SINGULARITY* | LD_* | GLIBC_TUNABLES | GCONV_PATH | BASH_ENV | ENV) unset "$name" ;;
        esac
    done
}

# gwms_began: from now on this directory may have sessions of condor_ssh_to_job. Until the wrapper runs in the container, what
# HTCondor would say of a job that ends is that it could not be started.
gwms_began() {
    local file
    mkdir -p "$gwms_top/.jobs" && : > "$gwms_top/.jobs/${PWD##*/}"
    file=$(path_inside "${_CONDOR_WRAPPER_ERROR_FILE:-}" "$GWMS_OUTSIDE")
    case $file in
    "$GWMS_JOB_HOME"/*)
        gwms_pass GWMS_ERROR_FILE "$file"
        echo "the container runtime $gwms_runtime did not start the job in its image" > "$_CONDOR_WRAPPER_ERROR_FILE"
        ;;
    esac
}

# gwms_prepare: the environment as GLIDEIN_CONTAINER_ENV says; sets gwms_clean to --cleanenv where it is to be empty.
gwms_prepare() {
    local options name
    options=$(env_process_options "$(gwms_config GLIDEIN_CONTAINER_ENV)")
    gwms_cleared=$(gwms_config GLIDEIN_CONTAINER_ENV_CLEARLIST)
    case ,$options, in
    *,clearpaths,* | *,clearall,*) gwms_cleared="PATH,LD_LIBRARY_PATH,PYTHONPATH,LD_PRELOAD,$gwms_cleared" ;;
    esac
    gwms_scrub
    export GWMS_SUBDIR=.gwms.d GWMS_AUX_SUBDIR=.gwms_aux
    export APPTAINER_WORKDIR="$gwms_top/tmp/singularity-work.$$" SINGULARITY_WORKDIR="$gwms_top/tmp/singularity-work.$$"
    mkdir -p "$APPTAINER_WORKDIR"
    gwms_clean=""
    case " $gwms_options $options " in
    *--cleanenv* | *clearall*)
        gwms_clean=--cleanenv
        [ "$gwms_launch" != native ] || env_unpass
        env_preserve "$options"
        ;;
    esac
    GWMS_OUTSIDE=$(outside_aliases)
    gwms_pass GWMS_OUTSIDE "$GWMS_OUTSIDE"
    gwms_pass GWMS_SINGULARITY_REEXEC 1
    env_clearlist "$gwms_cleared"
    export PATH=/usr/bin:/bin
    gwms_began
    [ "$gwms_launch" != native ] || for name in $(echo "$gwms_cleared" | tr , ' '); do
        unset "SINGULARITYENV_$name" "APPTAINERENV_$name"
    done
}

gwms_enter() {
    local binds nv="" argument count=$#
    case $(ad_value "$_CONDOR_MACHINE_AD" GPUs)/$(ad_value "$_CONDOR_JOB_AD" GPU_USE) in
    [1-9]*/* | */1) nv=--nv ;;
    esac
    binds=$(bind_cvmfs)
    case $(ad_value "$_CONDOR_JOB_AD" SingularityBindCVMFS)/${GWMS_SINGULARITY_BIND_CVMFS:-1} in
    0/* | [Ff]alse/* | */0) binds="" ;;
    esac
    [ -z "$nv" ] || binds=$binds,/etc/OpenCL/vendors
    binds=$(binds_of "$(gwms_config GLIDEIN_SINGULARITY_BINDPATH)" "$(gwms_config GLIDEIN_SINGULARITY_BINDPATH_DEFAULT)" \
        "$GWMS_BINDS_DEFAULT" "$binds")
    gwms_prepare
    while [ "$count" -gt 0 ]; do
        argument=$(path_inside "$1" "$GWMS_OUTSIDE")
        shift
        set -- "$@" "$argument"
        count=$((count - 1))
    done
    # shellcheck disable=SC2046,SC2086
    exec "$gwms_runtime" $(gwms_config GLIDEIN_SINGULARITY_GLOBAL_OPTS) exec --home "$PWD:/srv" --pwd /srv --ipc --contain \
        $gwms_options $gwms_clean $nv ${binds:+--bind "$binds"} "$GWMS_SINGULARITY_IMAGE" /bin/sh /srv/.gwms-user-job-wrapper.sh "$@"
}

# gwms_complete RUNTIME WORDS...: HTCondor's command, with the wrapper in front of the job. The image comes behind the
# second --pwd, which our configuration has as the last of its own words, and what HTCondor may add for GPUs.
gwms_complete() {
    local word state=0 count=$#
    while [ "$count" -gt 0 ]; do
        word=$1 count=$((count - 1))
        shift
        case $state/$word in
        0/--pwd) state=1 ;;
        1/--pwd) state=2 ;;
        2/*) state=3 ;;
        3/-*) ;;
        3/*)
            if ! gwms_may_be_image "$word" || ! image_check "$word" any; then
                gwms_error "there is no usable image for this job: $word"
            fi
            gwms_pass GWMS_SINGULARITY_IMAGE_HUMAN "$word"
            word=$(cvmfs_resolve "$word")
            gwms_pass GWMS_SINGULARITY_IMAGE "$word"
            # shellcheck disable=SC2086
            set -- "$@" --home "$PWD:/srv" $gwms_clean "$word" /bin/sh
            word=/srv/.gwms-user-job-wrapper.sh state=4
            ;;
        4/*)
            # the job's program, as HTCondor calls it inside
            state=5
            ;;
        5/*) word=$(path_inside "$word" "$GWMS_OUTSIDE") ;;
        esac
        set -- "$@" "$word"
    done
    word=$1
    shift
    # shellcheck disable=SC2046
    set -- "$word" $(gwms_config GLIDEIN_SINGULARITY_GLOBAL_OPTS) "$@"
    [ "$state" -ge 4 ] || gwms_error "the command of HTCondor for the container is not understood: $*"
    exec "$@"
}

# HTCondor starts the container, if the job has one.
gwms_native() {
    if [ "$1" != "$gwms_runtime" ]; then
        [ "$gwms_decision" != REQUIRED ] || gwms_error "HTCondor did not ask for the container that this job must have"
        export PATH="$gwms_path"
        return 0
    fi
    gwms_equip || gwms_error "the job's directory cannot be prepared for a container"
    gwms_prepare
    gwms_complete "$@"
}

# Outside: into the container, or a reason why not.
gwms_outside() {
    gwms_path=$PATH
    export PATH=/usr/bin:/bin
    gwms_top=${0%/*}
    # the library reads these
    # shellcheck disable=SC2034
    glidein_config=$gwms_top/glidein_config
    unset GWMS_THIS_SCRIPT GWMS_THIS_SCRIPT_DIR SOURCED_ADD_CONFIG_LINE
    gwms_decision=$(gwms_config GWMS_SINGULARITY_STATUS)
    gwms_runtime=$(gwms_config GWMS_SINGULARITY_PATH)
    gwms_options="$(gwms_config GWMS_CONTAINER_OPTIONS) $(gwms_config GLIDEIN_SINGULARITY_OPTS)"
    gwms_launch=$(gwms_config GWMS_CONTAINER_LAUNCH)
    gwms_cleared=""
    # a session of condor_ssh_to_job finds its own way in; before a job began in this directory there is none
    case $1/$* in
    "$gwms_runtime"/*) ;;
    *"/.condor_ssh_to_job_"*/sshd_config)
        if [ -e "$gwms_top/.jobs/${PWD##*/}" ]; then
            # shellcheck disable=SC2034  # what follows the wrappers reads it
            gwms_session=1
            export PATH="$gwms_path"
            return 0
        fi
        ;;
    esac
    # shellcheck disable=SC1091
    . "$gwms_top/main/singularity_lib.sh"
    # of the node, whatever the job says
    CVMFS_MOUNT_DIR=$(gwms_config GWMS_CVMFS_MOUNT_DIR)
    CVMFS_MOUNT_DIR=${CVMFS_MOUNT_DIR:-$(gwms_config CVMFS_MOUNT_DIR)}
    gwms_hold_cvmfs "$(ad_value "$_CONDOR_JOB_AD" CVMFSReposList)" || gwms_error "CVMFS of CVMFSReposList cannot be read on this node"
    if [ "$gwms_launch" = native ]; then
        gwms_native "$@"
    elif ! gwms_image; then
        gwms_fallback "there is no usable image for this job: ${gwms_own:-REQUIRED_OS $(ad_value "$_CONDOR_JOB_AD" REQUIRED_OS)}"
    elif ! [ -x "$gwms_runtime" ]; then
        gwms_fallback "there is no container runtime ${gwms_runtime:-on this node}"
    elif ! gwms_equip; then
        gwms_fallback "the job's directory cannot be prepared for a container"
    else
        gwms_enter "$@"
    fi
}

# Inside: the job's directory is /srv, whatever it is called outside.
gwms_inside() {
    # shellcheck disable=SC1091
    . /srv/.gwms_aux/singularity_lib.sh
    cd /srv || exit 1
    export HOME=/srv OSG_WN_TMP=/tmp TZ="${TZ:-UTC}" PATH="$PATH:/srv/.gwms.d/bin" GWMS_DIR=/srv/.gwms.d
    unset TMP TMPDIR TEMP X509_CERT_DIR
    paths_inside
    for gwms_name in CONDOR_CONFIG X509_USER_PROXY X509_USER_CERT X509_USER_KEY; do
        eval "[ -e \"\${$gwms_name:-/}\" ] || unset $gwms_name"
    done
    rm -rf /srv/.gwms-user-job-wrapper.sh /srv/.gwms_aux ${GWMS_ERROR_FILE:+"$GWMS_ERROR_FILE"}
    unset GWMS_ERROR_FILE APPTAINERENV_GWMS_ERROR_FILE SINGULARITYENV_GWMS_ERROR_FILE
}

# A job can set neither this name nor the one that HTCondor calls the wrapper by.
if [ "$0" = /srv/.gwms-user-job-wrapper.sh ] && [ -e /srv/.gwms_aux/singularity_lib.sh ]; then
    gwms_inside
else
    unset GWMS_SINGULARITY_REEXEC
    gwms_outside "$@"
fi
