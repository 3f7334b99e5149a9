# Containers: dictionaries, image choice, paths, binds and environment. Sourced by set-up scripts, by job wrappers and
# inside containers, so it keeps to what busybox and dash know.
# shellcheck shell=dash

GWMS_JOB_HOME=/srv
# shellcheck disable=SC2034  # users of this file read it
GWMS_BINDS_DEFAULT=/hadoop,/ceph,/hdfs,/lizard,/mnt/hadoop,/mnt/hdfs,/etc/hosts,/etc/localtime
GWMS_SET="GWMS_SINGULARITY_REEXEC GWMS_SINGULARITY_IMAGE GWMS_SINGULARITY_IMAGE_HUMAN GWMS_SUBDIR GWMS_BASE_SUBDIR
GWMS_AUX_SUBDIR GLIDEIN_Proxy_URL GLIDEIN_DEBUG_OUTPUT MODULE_USE InitializeModulesEnv LoadModules STASHCACHE
STASHCACHE_WRITABLE"
OSG_SET="OSG_APP OSG_DATA OSG_DEFAULT_SE OSG_GLEXEC_LOCATION OSG_GRID OSG_HOSTNAME OSG_JOB_CONTACT OSG_LOCATION
OSG_MACHINE_GPUS OSG_PROJECT_NAME OSG_SITE_NAME OSG_SITE_READ OSG_SITE_WRITE OSG_SQUID_LOCATION
OSG_STORAGE_ELEMENT OSG_WN_TMP OSG_SINGULARITY_BINARY http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
FTP_PROXY X509_USER_PROXY X509_USER_CERT X509_USER_KEY X509_CERT_DIR X509_VOMS_DIR BEARER_TOKEN BEARER_TOKEN_FILE"

# Dictionaries are `key:value,key:value`; a value may hold blanks and colons, a key alone has an empty value.
# dict_get_val DICT KEY: the value; 1 when there is no such key.
dict_get_val() {
    local rest="$1," pair
    while [ -n "$rest" ]; do
        pair=${rest%%,*}
        rest=${rest#*,}
        case $pair in
        "$2") return 0 ;;
        "$2":*)
            printf '%s\n' "${pair#*:}"
            return 0
            ;;
        esac
    done
    return 1
}

dict_check_key() {
    dict_get_val "$1" "$2" > /dev/null
}

# dict_set_val DICT KEY VALUE: the new dictionary; 0 when the key was there, 1 when it is new.
dict_set_val() {
    local rest="$1," pair out="" known=1 new=$2
    [ -z "$3" ] || new=$2:$3
    while [ -n "$rest" ]; do
        pair=${rest%%,*}
        rest=${rest#*,}
        [ -n "$pair" ] || continue
        if [ "${pair%%:*}" = "$2" ]; then
            pair=$new
            known=0
        fi
        out=$out,$pair
    done
    [ "$known" = 0 ] || out=$out,$new
    printf '%s\n' "${out#,}"
    return "$known"
}

dict_get_keys() {
    local rest="$1," pair out=""
    while [ -n "$rest" ]; do
        pair=${rest%%,*}
        rest=${rest#*,}
        [ -z "$pair" ] || out=$out,${pair%%:*}
    done
    printf '%s\n' "${out#,}"
}

dict_get_first() {
    local pair=${1%%,*}
    case $pair in
    *:*) printf '%s\n' "${pair#*:}" ;;
    esac
}

# list_get_intersection A B: what is in both, in A's order, which is the order of preference; `any` stands for all.
list_get_intersection() {
    local rest item out="" a b
    a=$(printf '%s' "$1" | tr -d ' ')
    b=$(printf '%s' "$2" | tr -d ' ')
    case ,$a, in
    ,, | *,any,*)
        printf '%s\n' "${b:-any}"
        return
        ;;
    esac
    case ,$b, in
    ,, | *,any,*)
        printf '%s\n' "$a"
        return
        ;;
    esac
    rest="$a,"
    while [ -n "$rest" ]; do
        item=${rest%%,*}
        rest=${rest#*,}
        case ,$b, in
        *,"$item",*) out=$out,$item ;;
        esac
    done
    printf '%s\n' "${out#,}"
    [ -n "$out" ]
}

# Whether an image is a URI; file:/ and file:// are paths.
is_uri() {
    case $1 in
    file:/*) return 1 ;;
    [a-z]*://*) return 0 ;;
    esac
    return 1
}

# uri_path FILE_URI|PATH: the path.
uri_path() {
    case $1 in
    file:///*) printf '%s\n' "${1#file://}" ;;
    file://*) printf '/%s\n' "${1#file://}" ;;
    file:*) printf '%s\n' "${1#file:}" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

# cvmfs_path PATH: where a path below /cvmfs is on this node.
cvmfs_path() {
    local root=${CVMFS_MOUNT_DIR:-/cvmfs}
    case $1 in
    /cvmfs | /cvmfs/*) printf '%s\n' "${root%/}${1#/cvmfs}" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

cvmfs_is_below() {
    case $1/ in
    /cvmfs/* | "${CVMFS_MOUNT_DIR:-/cvmfs}"/*) return 0 ;;
    esac
    [ -n "${CVMFS_MOUNT_DIR:-}" ] && case $1/ in "${CVMFS_MOUNT_DIR%/}"/*) return 0 ;; esac
    return 1
}

# A directory image in CVMFS as its physical path: a job keeps one version to its end.
cvmfs_resolve() {
    local path
    path=$(cvmfs_path "$1")
    if cvmfs_is_below "$path" && [ -d "$path" ]; then
        path=$(cd -P "$path" && pwd -P) || path=$(cvmfs_path "$1")
    fi
    printf '%s\n' "$path"
}

# image_for DICT PLATFORMS: the image of the first platform that has one; `any` is the default one, else the first.
image_for() {
    local rest="$2," platform found
    while [ -n "$rest" ]; do
        platform=${rest%%,*}
        rest=${rest#*,}
        if [ "$platform" = any ]; then
            found=$(dict_get_val "$1" default) || found=$(dict_get_first "$1")
        else
            found=$(dict_get_val "$1" "$platform") || found=""
        fi
        if [ -n "$found" ]; then
            printf '%s\n' "$found"
            return 0
        fi
    done
    return 1
}

# image_check IMAGE RESTRICTIONS: 0 usable, 1 none, 2 not there, 3 not in CVMFS.
image_check() {
    local path
    [ -n "$1" ] || return 1
    case ,$2, in
    *,any,* | *,remote,*) is_uri "$1" && return 0 ;;
    *) is_uri "$1" && return 3 ;;
    esac
    path=$(cvmfs_path "$(uri_path "$1")")
    case ,$2, in
    *,cvmfs,*) cvmfs_is_below "$path" || return 3 ;;
    esac
    case ,$2, in
    *,remote,*) return 0 ;;
    esac
    [ -e "$path" ] || return 2
}

# binds_of LIST...: `src[:dst[:opt]]` joined by commas, earlier lists first; sources that do not exist and
# destinations that are taken are left out.
binds_of() {
    local list rest one source target out="" taken=,
    for list; do
        rest="$list,"
        while [ -n "$rest" ]; do
            one=${rest%%,*}
            rest=${rest#*,}
            source=${one%%:*}
            [ -n "$source" ] && [ -e "$source" ] || continue
            case $one in
            *:*)
                target=${one#*:}
                target=${target%%:*}
                ;;
            *) target=$source ;;
            esac
            case $taken in
            *,"$target",*) continue ;;
            esac
            taken=$taken$target,
            out=$out,$one
        done
    done
    printf '%s\n' "${out#,}"
}

# The container's own view of CVMFS.
bind_cvmfs() {
    case ${CVMFS_MOUNT_DIR:-/cvmfs} in
    /cvmfs | /cvmfs/) [ -d /cvmfs ] && echo /cvmfs ;;
    *) echo "${CVMFS_MOUNT_DIR%/}:/cvmfs" ;;
    esac
}

# path_inside PATH ALIASES: a path at or below one of the colon-separated names of the job's directory, as the
# container sees it; anything else as it is.
path_inside() {
    local rest="$2:" outside
    while [ -n "$rest" ]; do
        outside=${rest%%:*}
        rest=${rest#*:}
        [ -n "$outside" ] || continue
        case $1 in
        "$outside" | "$outside"/*)
            printf '%s\n' "$GWMS_JOB_HOME${1#"$outside"}"
            return 0
            ;;
        esac
    done
    printf '%s\n' "$1"
}

# Names of the job's directory outside: as it is called, as it really is, as HTCondor calls it.
outside_aliases() {
    local out=:$PWD:
    for one in "$(pwd -P)" "${_CONDOR_SCRATCH_DIR:-}" "${_CONDOR_JOB_IWD:-}" "${OSG_WN_TMP:-}"; do
        case $out in
        *:"$one":*) ;;
        *) [ -n "$one" ] && [ "$one" -ef "$PWD" ] && out=$out$one: ;;
        esac
    done
    out=${out#:}
    printf '%s\n' "${out%:}"
}

# env_options TEXT: GLIDEIN_CONTAINER_ENV with what each word implies.
env_options() {
    local text=,${1:-clearpaths},
    case $text in
    *,clear,*) text=${text}clearall,osgset, ;;
    esac
    case $text in
    *,osgset,*) text=${text}condorset, ;;
    esac
    case $text in
    *,condorset,*) text=${text}gwmsset, ;;
    esac
    text=${text#,}
    printf '%s\n' "${text%,}"
}

# env_clear NAMES: unset variables, keeping what they were.
env_clear() {
    local name
    for name in $1; do
        eval "[ -n \"\${$name+x}\" ] && export GWMS_OLDENV_$name=\"\$$name\"; unset $name"
    done
}

env_restore() {
    local name
    for name in $1; do
        eval "[ -n \"\${GWMS_OLDENV_$name+x}\" ] && export $name=\"\$GWMS_OLDENV_$name\"; unset GWMS_OLDENV_$name"
    done
}

# Names that the job's ad puts into its environment.
job_env_names() {
    [ -r "${_CONDOR_JOB_AD:-/nonexistent}" ] || return 0
    sed -n 's/^Environment *= *"\(.*\)"$/ \1/p' "$_CONDOR_JOB_AD" | grep -o " [A-Za-z_][A-Za-z0-9_]*=" | tr -d ' ='
}

# env_unpass: nothing is handed into a container any more, what it was meant to be stays in the environment here.
env_unpass() {
    local name
    for name in $(env | sed -n 's/^\(SINGULARITY\|APPTAINER\)ENV_\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1ENV_\2/p'); do
        eval "[ -n \"\${${name#*ENV_}+x}\" ] || export ${name#*ENV_}=\"\$$name\"; unset $name"
    done
}

# env_preserve OPTIONS: hand variables into a container that starts with a clean environment; sets env_preserved.
env_preserve() {
    local name names="" value
    env_preserved=0
    case ,$1, in *,gwmsset,*) names=$GWMS_SET ;; esac
    case ,$1, in *,osgset,*) names="$names $OSG_SET" ;; esac
    case ,$1, in
    *,condorset,*)
        names="$names $(env | sed -n 's/^\(_CONDOR_[A-Za-z0-9_]*\)=.*/\1/p') $(job_env_names)"
        ;;
    esac
    for name in $names; do
        case $name in
        SINGULARITYENV_* | APPTAINERENV_*)
            echo "$name of the job is dropped: it would change the container's environment" >&2
            unset "$name"
            continue
            ;;
        esac
        eval "value=\${$name-}; [ -n \"\${$name+x}\" ]" || continue
        eval "[ -n \"\${SINGULARITYENV_$name+x}\" ]" || export "SINGULARITYENV_$name=$value"
        eval "[ -n \"\${APPTAINERENV_$name+x}\" ]" || export "APPTAINERENV_$name=$value"
        env_preserved=$((env_preserved + 1))
    done
}
