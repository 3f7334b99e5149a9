# The environment of containers, as GLIDEIN_CONTAINER_ENV says: what is cleared, restored and handed in.
# shellcheck shell=dash

GWMS_SET="GWMS_SINGULARITY_REEXEC GWMS_SINGULARITY_IMAGE GWMS_SINGULARITY_IMAGE_HUMAN GWMS_SUBDIR GWMS_BASE_SUBDIR
GWMS_AUX_SUBDIR GWMS_DIR GLIDEIN_Proxy_URL GLIDEIN_DEBUG_OUTPUT MODULE_USE InitializeModulesEnv LoadModules STASHCACHE
STASHCACHE_WRITABLE POSIXSTASHCACHE XRD_PLUGINCONFDIR"
OSG_SET="OSG_SINGULARITY_REEXEC _CHIRP_DELAYED_UPDATE_PREFIX APPTAINER_WORKDIR SINGULARITY_WORKDIR CONDOR_PARENT_ID
GLIDEIN_ResourceName GLIDEIN_Site HAS_SINGULARITY LIGO_DATAFIND_SERVER OSG_SINGULARITY_AUTOLOAD
OSG_SINGULARITY_BIND_CVMFS OSG_SINGULARITY_CLEAN_ENV OSG_SINGULARITY_IMAGE OSG_SINGULARITY_IMAGE_DEFAULT
OSG_SINGULARITY_IMAGE_HUMAN OSG_SINGULARITY_OUTSIDE_PWD OSG_SINGULARITY_PATH OSGVO_PROJECT_NAME OSGVO_SUBMITTER TZ
OSG_APP OSG_DATA OSG_DEFAULT_SE OSG_GLEXEC_LOCATION OSG_GRID OSG_HOSTNAME OSG_JOB_CONTACT OSG_LOCATION
OSG_MACHINE_GPUS OSG_PROJECT_NAME OSG_SITE_NAME OSG_SITE_READ OSG_SITE_WRITE OSG_SQUID_LOCATION
OSG_STORAGE_ELEMENT OSG_WN_TMP OSG_SINGULARITY_BINARY http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
FTP_PROXY X509_USER_PROXY X509_USER_CERT X509_USER_KEY X509_CERT_DIR X509_VOMS_DIR BEARER_TOKEN BEARER_TOKEN_FILE"

# env_process_options OPTIONS: print them with what each word implies.
env_process_options() {
    local text=",${1:-clearpaths}," words
    for words in clear:clearall,gwmsset,osgset,condorset osgset:condorset,gwmsset condorset:gwmsset; do
        case $text in *,"${words%%:*}",*) text=$text${words#*:}, ;; esac
    done
    case $text in
    *,keepall,*clear* | *,clear*,keepall,*) warn "GLIDEIN_CONTAINER_ENV has keepall beside a clear word: $1" ;;
    esac
    text=${text#,}
    _each_once "${text%,}"
}

# _each_once LIST: print it without what it has twice.
_each_once() {
    local rest="$1," word out=,
    while [ -n "$rest" ]; do
        word=${rest%%,*}
        rest=${rest#*,}
        case $out in *,"$word",*) ;; *) out=$out$word, ;; esac
    done
    out=${out#,}
    printf '%s\n' "${out%,}"
}

# env_get_singularity_opts OPTIONS "RUNTIME OPTIONS": print the latter, with --cleanenv for clearall.
env_get_singularity_opts() {
    case ,$1, in
    *,clearall,*) printf '%s --cleanenv\n' "${2:-}" ;;
    *) printf '%s\n' "${2:-}" ;;
    esac
}

# env_gets_cleared "RUNTIME OPTIONS": whether the container starts with an empty environment.
env_gets_cleared() {
    case " ${1:-} " in *" --cleanenv "*) return 0 ;; esac
    return 1
}

# env_clear_one NAME: unset a variable that is not empty, keeping what it was in GWMS_OLDENV_<name>.
env_clear_one() {
    local value
    case $1 in "" | *[!A-Za-z0-9_]*) return 0 ;; esac
    eval "value=\${$1-}"
    [ -n "$value" ] || return 0
    export "GWMS_OLDENV_$1=$value"
    unset "$1"
}

# env_clearlist A,B,C, env_restorelist A,B,C: the same for several, and what they were.
env_clearlist() {
    local rest="${1:-}," name
    while [ -n "$rest" ]; do
        name=${rest%%,*}
        rest=${rest#*,}
        env_clear_one "$name"
    done
}

env_restorelist() {
    local rest="${1:-}," name value
    while [ -n "$rest" ]; do
        name=${rest%%,*}
        rest=${rest#*,}
        case $name in "" | *[!A-Za-z0-9_]*) continue ;; esac
        eval "value=\${GWMS_OLDENV_$name-}"
        [ -z "$value" ] || export "$name=$value"
    done
}

# env_clear OPTIONS: the node's paths are not the container's. env_restore OPTIONS: what they were.
env_clear() {
    case ,$1, in
    *,clearall,* | *,clearpaths,*)
        env_clearlist PATH,LD_LIBRARY_PATH,PYTHONPATH,LD_PRELOAD
        export PATH=/usr/bin:/bin
        ;;
    esac
}

env_restore() {
    case ,$1, in
    *,clearall,* | *,clearpaths,*) env_restorelist PATH,LD_LIBRARY_PATH,PYTHONPATH,LD_PRELOAD ;;
    esac
}

# htc_parse_env_file FILE: print the names that the job's ad puts into its environment, a blank before each.
htc_parse_env_file() {
    [ -r "${1:-}" ] || return 1
    htc_get_vars_from_env_str "$(sed -n 's/^[Ee]nvironment *= *"\(.*\)" *$/\1/p' "$1")"
}

# htc_get_vars_from_env_str [TEXT]: the same of the text itself, which may be in the variable env_str. Values in single
# quotes may hold blanks.
htc_get_vars_from_env_str() {
    local text="${1:-${env_str:-}}" word name out=""
    # a quote inside quotes is written twice
    text=$(printf '%s' "$text" | sed -e "s/''//g" -e "s/'[^']*'//g")
    for word in $text; do
        name=${word%%=*}
        case $word in *=*) ;; *) continue ;; esac
        case $name in "" | [0-9]* | *[!A-Za-z0-9_]*) continue ;; esac
        out="$out $name"
    done
    printf '%s\n' "$out"
}

# env_unpass: nothing is handed into a container any more, what it was meant to be stays in the environment here.
env_unpass() {
    local name
    for name in $(env | sed -n 's/^\(SINGULARITY\|APPTAINER\)ENV_\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1ENV_\2/p'); do
        eval "[ -n \"\${${name#*ENV_}+x}\" ] || export ${name#*ENV_}=\"\$$name\"; unset $name"
    done
}

# env_preserve OPTIONS: hand variables into a container that starts with an empty environment: the pilot's, with osgset
# the site's, with condorset HTCondor's and those of the job's ad. Sets env_preserved to their number.
env_preserve() {
    local name names="$GWMS_SET" value options
    options=$(env_process_options "$1")
    env_preserved=0
    case ,$options, in *,osgset,*) names="$names $OSG_SET" ;; esac
    case ,$options, in
    *,condorset,*)
        names="$names $(env | sed -n 's/^\(_CONDOR_[A-Za-z0-9_]*\)=.*/\1/p') $(htc_parse_env_file "${_CONDOR_JOB_AD:-}")"
        ;;
    esac
    for name in $names; do
        case $name in
        SINGULARITYENV_* | APPTAINERENV_*)
            warn "$name of the job is dropped: it would change the container's environment"
            unset "$name"
            continue
            ;;
        esac
        eval "value=\${$name-}; [ -n \"\${$name+x}\" ]" || continue
        env_preserved=$((env_preserved + 1))
        eval "[ -z \"\${SINGULARITYENV_$name+x}\${APPTAINERENV_$name+x}\" ]" || continue
        export "SINGULARITYENV_$name=$value" "APPTAINERENV_$name=$value"
    done
}
