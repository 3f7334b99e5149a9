# Attributes of the job's and the machine's ad, and what scripts tell the pilot.
# shellcheck shell=dash

# _ad_text FILE KEY: print the text behind `KEY =` in an ad's file, whatever the key's case.
_ad_text() {
    case $2 in "" | *[!A-Za-z0-9_.]*) return 1 ;; esac
    [ -r "$1" ] && sed -n "s/^$2[[:blank:]]*=[[:blank:]]*\(.*[^[:blank:]]\)[[:blank:]]*\$/\1/Ip" "$1" | tail -n 1
}

# get_prop_bool FILE KEY [DEFAULT]: print 1 for true and for positive integers, else 0; DEFAULT (0) if it is not there.
# The exit code is 0 where it prints 1. FILE may be NONE (use DEFAULT) or VALUE_PROVIDED (KEY is the value).
get_prop_bool() {
    local text value
    [ $# -ge 2 ] || set -- NONE "" 0
    case $1 in
    NONE) text="" ;;
    VALUE_PROVIDED) text=$2 ;;
    *) text=$(_ad_text "$1" "$2" | tr -d '" \t') ;;
    esac
    case $text in
    "" | [Uu][Nn][Dd][Ee][Ff][Ii][Nn][Ee][Dd]) value=${3:-0} ;;
    [Tt][Rr][Uu][Ee]) value=1 ;;
    *[!0-9]*) value=0 ;;
    *[1-9]*) value=1 ;;
    *) value=0 ;;
    esac
    printf '%s\n' "$value"
    [ "$value" = 1 ]
}

# get_prop_str FILE KEY [DEFAULT]: print a value, strings without their quotes; DEFAULT if it is not there.
# 1 if FILE is NONE or cannot be read.
get_prop_str() {
    local text
    [ $# -ge 2 ] || return 1
    case $1 in
    NONE) text="" ;;
    VALUE_PROVIDED) text=$2 ;;
    *) text=$(_ad_text "$1" "$2") ;;
    esac
    text=${text# }
    text=${text#\"}
    text=${text% }
    text=${text%\"}
    case $text in
    "" | [Uu][Nn][Dd][Ee][Ff][Ii][Nn][Ee][Dd]) printf '%s\n' "${3:-}" ;;
    *) printf '%s\n' "$text" ;;
    esac
    [ "$1" = VALUE_PROVIDED ] || [ -r "$1" ]
}

is_condor_true() {
    [ -n "${1:-}" ] && [ "$1" != 0 ]
}

# advertise KEY VALUE TYPE: set a key, let it be an attribute of the slots (TYPE S, I or C) and in the jobs' environment,
# and print it as an attribute.
advertise() {
    _advertise gconfig_add "$@"
}

advertise_safe() {
    _advertise gconfig_add_safe "$@"
}

_advertise() {
    if [ "${glidein_config:-NONE}" != NONE ]; then
        "$1" "$2" "$3"
        add_condor_vars_line "$2" "$4" - + Y Y +
    fi
    case $4 in
    S) printf '%s = "%s"\n' "$2" "$3" ;;
    *) printf '%s = %s\n' "$2" "$3" ;;
    esac
}

# _set NAME VALUE: for the script and what it starts.
_set() {
    export "$1=$2"
}

# _machine NAME ATTRIBUTE [DEFAULT], _job NAME ATTRIBUTE [DEFAULT]: a variable from an ad. _bool: as 1 or 0.
_machine() {
    _set "$1" "$(get_prop_str "$_CONDOR_MACHINE_AD" "$2" "${3:-}")"
}

_job() {
    _set "$1" "$(get_prop_str "$_CONDOR_JOB_AD" "$2" "${3:-}")"
}

_bool() {
    _set "$1" "$(get_prop_bool "$2" "$3" "${4:-0}")"
}

# setup_classad_variables: for job wrappers and hooks, what the machine's and the job's ad say.
setup_classad_variables() {
    export _CONDOR_JOB_AD="${_CONDOR_JOB_AD:-NONE}" _CONDOR_MACHINE_AD="${_CONDOR_MACHINE_AD:-NONE}"
    _bool HAS_SINGULARITY "$_CONDOR_MACHINE_AD" HAS_SINGULARITY 0
    _machine GWMS_SINGULARITY_STATUS GWMS_SINGULARITY_STATUS
    _machine GWMS_SINGULARITY_PATH SINGULARITY_PATH
    _machine GWMS_SINGULARITY_VERSION SINGULARITY_VERSION
    _machine GWMS_CONTAINERSW_PATH CONTAINERSW_PATH
    _machine GWMS_CONTAINERSW_VERSION CONTAINERSW_VERSION
    _machine GWMS_CONTAINERSW_FULL_VERSION CONTAINERSW_FULL_VERSION
    _machine GWMS_SINGULARITY_IMAGES_DICT SINGULARITY_IMAGES_DICT "${SINGULARITY_IMAGES_DICT:-}"
    _set SINGULARITY_IMAGES_DICT "$GWMS_SINGULARITY_IMAGES_DICT"
    _machine GWMS_SINGULARITY_IMAGE_RESTRICTIONS SINGULARITY_IMAGE_RESTRICTIONS
    _machine OSG_MACHINE_GPUS GPUs 0
    _machine GPU_USE GPU_USE 0
    _job GPU_USE GPU_USE "$GPU_USE"
    _machine GLIDEIN_REQUIRED_OS GLIDEIN_REQUIRED_OS
    _machine GLIDEIN_DEBUG_OUTPUT GLIDEIN_DEBUG_OUTPUT
    _job GLIDEIN_DEBUG_OUTPUT GLIDEIN_DEBUG_OUTPUT "$GLIDEIN_DEBUG_OUTPUT"
    _machine MODULE_USE MODULE_USE 1
    http_proxy=$(get_prop_str "$_CONDOR_MACHINE_AD" http_proxy) || true
    if [ -n "$http_proxy" ]; then export http_proxy; else unset http_proxy; fi
    _job_variables
}

_job_variables() {
    local modules=$MODULE_USE
    case $(get_prop_str "$_CONDOR_JOB_AD" GLIDEIN_Client) in *ligo*) modules=0 ;; esac
    _job OSGVO_PROJECT_NAME ProjectName
    _job OSGVO_SUBMITTER User
    _job InitializeModulesEnv InitializeModulesEnv "$modules"
    _job REQUIRED_OS REQUIRED_OS
    _job GWMS_SINGULARITY_IMAGE SingularityImage
    [ -z "$GWMS_SINGULARITY_IMAGE" ] || _set GWMS_SINGULARITY_STATUS_EFFECTIVE REQUIRED_Singularity_image_in_job
    _bool GWMS_SINGULARITY_AUTOLOAD "$_CONDOR_JOB_AD" SingularityAutoLoad "$HAS_SINGULARITY"
    if [ "$GWMS_SINGULARITY_AUTOLOAD" != "$HAS_SINGULARITY" ]; then
        if [ "$GWMS_SINGULARITY_AUTOLOAD/$GWMS_SINGULARITY_STATUS" = 0/PREFERRED ]; then
            _set HAS_SINGULARITY 0
        else
            warn "SingularityAutoLoad=$GWMS_SINGULARITY_AUTOLOAD of the job is ignored: HAS_SINGULARITY=$HAS_SINGULARITY"
        fi
    fi
    _bool GWMS_SINGULARITY_BIND_CVMFS "$_CONDOR_JOB_AD" SingularityBindCVMFS 1
    _bool GWMS_SINGULARITY_BIND_GPU_LIBS "$_CONDOR_JOB_AD" SingularityBindGPULibs 1
    _job CVMFS_REPOS_LIST CVMFSReposList
    _bool STASHCACHE "$_CONDOR_JOB_AD" WantsStashCache 0
    _bool STASHCACHE_WRITABLE "$_CONDOR_JOB_AD" WantsStashCacheWritable 0
    _bool POSIXSTASHCACHE "$_CONDOR_JOB_AD" WantsPosixStashCache 0
    _job LoadModules LoadModules
}

# _given NAME KEY [DEFAULT]: the environment's value, else that of glidein_config.
_given() {
    local value
    eval "value=\${$1:-}"
    [ -n "$value" ] || value=$(_config_value "$2")
    _set "$1" "${value:-${3:-}}"
}

# setup_from_environment: for set-up scripts and hooks, the same from the environment and glidein_config.
setup_from_environment() {
    local name
    _given HAS_SINGULARITY HAS_SINGULARITY
    _bool HAS_SINGULARITY VALUE_PROVIDED "$HAS_SINGULARITY" 0
    for name in PATH VERSION IMAGES_DICT IMAGE_RESTRICTIONS; do
        _given "GWMS_SINGULARITY_$name" "SINGULARITY_$name"
    done
    [ -n "$GWMS_SINGULARITY_PATH" ] || _given GWMS_SINGULARITY_PATH GWMS_SINGULARITY_PATH
    for name in PATH VERSION FULL_VERSION; do
        _given "GWMS_CONTAINERSW_$name" "CONTAINERSW_$name"
    done
    _given SINGULARITY_IMAGES_DICT SINGULARITY_IMAGES_DICT "$GWMS_SINGULARITY_IMAGES_DICT"
    _given OSG_MACHINE_GPUS GPUs 0
    _given GPU_USE GPU_USE
    _given MODULE_USE MODULE_USE 1
    for name in GWMS_SINGULARITY_STATUS GLIDEIN_CONTAINER_ENV_CLEARLIST GLIDEIN_REQUIRED_OS GLIDEIN_DEBUG_OUTPUT; do
        _given "$name" "$name"
    done
    http_proxy=${http_proxy:-$(_config_value http_proxy)}
    if [ -n "$http_proxy" ]; then export http_proxy; else unset http_proxy; fi
    export GWMS_SINGULARITY_AUTOLOAD="$HAS_SINGULARITY" GWMS_SINGULARITY_BIND_CVMFS=1 GWMS_SINGULARITY_BIND_GPU_LIBS=1 \
        STASHCACHE=0 STASHCACHE_WRITABLE=0 POSIXSTASHCACHE=0
}
