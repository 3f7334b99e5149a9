#!/bin/bash
# The pilot. Checks this node, starts an HTCondor startd that joins the VO's pool, retires, leaves nothing behind.
# Options: one value each, as the Factory gives them. What it needs first travels behind the line #EOF; the rest is
# downloaded and verified against the sums that stand on the command line.

# plain_shell: the shell's own rules, whatever the account or a script of the site has set. Children get none of it.
plain_shell() {
    set +abefkmnuvxCEHPT +o pipefail +o posix -hB
    local name
    for name in nullglob failglob nocaseglob nocasematch dotglob extglob globstar xpg_echo lastpipe execfail \
        expand_aliases gnu_errfmt shift_verbose noexpand_translation inherit_errexit localvar_inherit localvar_unset \
        patsub_replacement; do
        # an older bash does not know all of them; `&` in a replacement is a plain character, as it was before bash 5.2
        shopt -u "$name" 2> /dev/null
    done
    shopt -s sourcepath
    export -n SHELLOPTS BASHOPTS
    unset -v BASH_ENV ENV CDPATH GLOBIGNORE EXECIGNORE POSIXLY_CORRECT GREP_OPTIONS TAR_OPTIONS GZIP BLOCK_SIZE \
        DF_BLOCK_SIZE BLOCKSIZE QUOTING_STYLE TIME_STYLE CURL_HOME WGETRC AWKPATH AWKLIBPATH
    export LANG=C LC_ALL=C PATH="${PATH:-/bin:/usr/bin}"
    IFS=$' \t\n'
    umask 0022
}

plain_shell
# functions that the account exports are not commands of the node; those of environment modules are wanted
for name in $(compgen -A function); do
    case $name in
    plain_shell) ;;
    *module* | ml) export -f "${name?}" ;;
    *) unset -f "$name" ;;
    esac
done
# what the site's own setup says of Python counts, what the account says does not
unset -v "${!PYTHON@}"
printf -v startup_time '%(%s)T' -1
start_dir=$PWD
startup_script=$0
[[ $startup_script == /* ]] || startup_script=$PWD/$startup_script

# Machines of clouds fetch this file by its name in the stage area, also those that GlideinWMS 3.10 queued, whose arguments
# lack our sums: its own script, which is in the tar there, runs what it staged.
if [[ " $* " != *" -sign256 "* ]]; then
    sed '1,/^#EOF$/d' "$startup_script" 2> /dev/null | tar -xzf - deployed_startup.sh 2> /dev/null &&
        exec bash ./deployed_startup.sh "$@"
fi

usage() {
    echo "glidein_startup.sh: $1" >&2
    echo "Usage: glidein_startup.sh -OPTION VALUE ...: -name -entry -web -sign -signentry -descript -descriptentry" >&2
    echo "are required; each option takes one value; -param_NAME VALUE sets NAME in glidein_config" >&2
    sleep "${GLIDEIN_HOLD_DOWN:-60}"
    exit 1
}

# Numbers of the environment: what is none would be read as something else.
for name in GLIDEIN_HOLD_DOWN GLIDEIN_FETCH_PATIENCE GLIDEIN_SCRIPT_TIMEOUT; do
    [[ ${!name:-0} =~ ^[0-9]{1,9}$ ]] || {
        echo "$name '${!name}' is not a number of seconds: it does not count" >&2
        unset -v "$name"
    }
done

# Options and the variables that take them.
declare -A option_of=(
    [-factory]=glidein_factory [-name]=glidein_name [-entry]=glidein_entry [-clientname]=client_name
    [-clientgroup]=client_group [-web]=web_url [-proxy]=proxy_url [-dir]=work_dir [-sign]=sign [-signentry]=sign_entry
    [-signtype]=sign_type [-descript]=descript [-descriptentry]=descript_entry [-clientweb]=client_url
    [-clientsign]=client_sign [-clientsigntype]=client_sign_type [-clientdescript]=client_descript
    [-clientwebgroup]=group_url [-clientsigngroup]=group_sign [-clientdescriptgroup]=group_descript
    [-cluster]=condorg_cluster [-subcluster]=condorg_subcluster [-schedd]=condorg_schedd
    [-submitcredid]=credential_id [-slotslayout]=slots_layout [-v]=verbosity [-multiglidein]=multi_glidein
    [-multirestart]=multi_restart [-sign256]=sign256 [-signentry256]=sign_entry256 [-clientsign256]=client_sign256
    [-clientsigngroup256]=group_sign256
)
declare -A opt=()
for name in "${option_of[@]}"; do opt[$name]=""; done
param_names=() param_values=()

# `.word,` stands for a character in parameters; comma and dot come last.
decode() {
    local text=$1 pair
    for pair in "nbsp: " "semicolon:;" "colon::" "tilde:~" "not:!" "question:?" "star:*" 'dollar:$' "comment:#" \
        "sopen:[" "sclose:]" "gopen:{" "gclose:}" "open:(" "close:)" "lt:<" "gt:>" "minus:-" "plus:+" "eq:=" \
        "singquot:'" 'quot:"' 'fork:`' "pipe:|" "backslash:\\" "amp:&" "comma:," "dot:."; do
        [[ $text == *".${pair%%:*},"* ]] || continue
        decoded_char=${pair#*:}
        text=${text//".${pair%%:*},"/"$decoded_char"}
    done
    decoded=$text
}

# shellcheck disable=SC2034  # used by what is sourced
all_arguments=("$@")
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage "$1 needs a value"
    if [[ $1 == -param_?* ]]; then
        decode "$2"
        param_names+=("${1#-param_}")
        param_values+=("$decoded")
    elif [ -n "${option_of[$1]:-}" ]; then
        opt[${option_of[$1]}]=$2
    else
        usage "unknown option $1"
    fi
    shift 2
done
for name in glidein_name glidein_entry web_url sign sign_entry descript descript_entry; do
    [ -n "${opt[$name]}" ] || usage "$name is missing"
done
[ -z "${opt[client_url]}" ] || [ -n "${opt[client_descript]}" ] || usage "-clientdescript is missing"
[ -z "${opt[group_url]}" ] || [ -n "${opt[group_descript]}" ] || usage "-clientdescriptgroup is missing"
[ -z "${opt[group_url]}" ] || [ -n "${opt[client_group]}" ] || usage "-clientgroup is missing"

param() {
    local i
    for ((i = ${#param_names[@]} - 1; i >= 0; i--)); do
        if [ "${param_names[$i]}" = "$1" ]; then
            printf '%s' "${param_values[$i]}"
            return
        fi
    done
}

case ${opt[verbosity]} in
nodebug) debug_mode=0 hold_down=1199 ;;
fast) debug_mode=1 hold_down=150 ;;
check) debug_mode=2 hold_down=150 ;;
*) debug_mode=1 hold_down=1199 ;;
esac
# by hand nobody waits
hold_down=${GLIDEIN_HOLD_DOWN:-$hold_down}
[[ ${opt[slots_layout],,} == *fixed* ]] && opt[slots_layout]=fixed || opt[slots_layout]=partitionable

# Signals count from the first second: `child` is what waits for us now.
child="" signalled=""
on_signal() {
    # shellcheck disable=SC2034  # used by what is sourced
    signalled=$1
    if [ -n "$child" ]; then
        kill -"$1" "$child" 2> /dev/null
    elif [ -n "${ending:-}" ]; then
        return 0
    elif declare -F glidein_exit > /dev/null; then
        glidein_exit "$2"
    else
        remove_directories
        exit "$2"
    fi
}
trap '' HUP
trap 'on_signal TERM 143' TERM
trap 'on_signal INT 130' INT
trap 'on_signal QUIT 131' QUIT

work_top="" local_tmp=""
remove_directories() {
    cd / || return
    local dir
    for dir in "$work_top" "$local_tmp"; do
        [ -n "$dir" ] && [ -d "$dir" ] && [ ! -L "$dir" ] || continue
        # what vanishes meanwhile makes chmod fail, that is no reason to stay
        chmod -R u+w "$dir" 2> /dev/null
        rm -rf "$dir"
    done
}

# Before there is a configuration there is little to say, but the slow death is the same.
early_failure() {
    local now time detail=${1//&/&amp;}
    detail=${detail//</&lt;}
    echo "$1" >&2
    sleep "$hold_down" &
    child=$!
    wait "$child"
    child=""
    printf -v now '%(%s)T' -1
    TZ=UTC printf -v time '%(%Y-%m-%dT%H:%M:%S+00:00)T' "$now"
    printf '=== Glidein ending %(%a %b %e %H:%M:%S %Z %Y)T (%s) with code 1 after %s ===\n\n' \
        "$now" "$now" "$((now - startup_time))"
    echo "=== XML description of glidein activity ==="
    printf '<?xml version="1.0"?>\n<OSGTestResult id="glidein_startup.sh" version="4.3.1">\n  <result>\n    <status>ERROR</status>\n'
    printf '    <metric name="TestID" ts="%s" uri="local">glidein_startup.sh</metric>\n' "$time"
    printf '    <metric name="failure" ts="%s" uri="local">WN_RESOURCE</metric>\n  </result>\n' "$time"
    printf '  <detail>%s</detail>\n</OSGTestResult>\n' "$detail"
    echo "=== End XML description of glidein activity ==="
    remove_directories
    exit 1
}

new_uuid() {
    local hex
    if [ -r /proc/sys/kernel/random/uuid ]; then
        read -r GLIDEIN_UUID < /proc/sys/kernel/random/uuid
    else
        hex=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
        GLIDEIN_UUID=${hex:0:8}-${hex:8:4}-${hex:12:4}-${hex:16:4}-${hex:20}
    fi
}

banner() {
    printf 'Starting glidein_startup.sh at %(%a %b %e %H:%M:%S %Z %Y)T (%s)\n' "$startup_time" "$startup_time"
    local row sum
    read -r sum _ < <(exec md5sum "$startup_script" 2> /dev/null)
    for row in "checksum          =$sum" "debug_mode        =${opt[verbosity]}" "condorg_cluster   =${opt[condorg_cluster]}" \
        "condorg_subcluster=${opt[condorg_subcluster]}" "condorg_schedd    =${opt[condorg_schedd]}" \
        "glidein_uuid      =$GLIDEIN_UUID" "glidein_credential_id =${opt[credential_id]}" \
        "glidein_factory   =${opt[glidein_factory]}" "glidein_name      =${opt[glidein_name]}" \
        "glidein_entry     =${opt[glidein_entry]}" "client_name       =${opt[client_name]}" \
        "client_group      =${opt[client_group]}" "work_dir          =${opt[work_dir]}" \
        "web_dir           =${opt[web_url]}" "proxy_url         =${opt[proxy_url]}" \
        "descript_fname    =${opt[descript]}" "descript_entry_fname =${opt[descript_entry]}" \
        "sign_id           =${opt[sign]}" "sign_entry_id     =${opt[sign_entry]}" \
        "client_web_dir              =${opt[client_url]}" "client_descript_fname       =${opt[client_descript]}" \
        "client_sign_id              =${opt[client_sign]}" "client_web_group_dir        =${opt[group_url]}" \
        "client_descript_group_fname =${opt[group_descript]}" "client_sign_group_id        =${opt[group_sign]}"; do
        echo "${row%%=*}= '${row#*=}'"
    done
    printf '\nRunning on %s\nSystem: %s\nAs: %s\nPID: %s\n\n' "$node_name" "$(uname -a)" "$node_id" "$$"
}

# The node, and where a process number means something: on it, in this container. Directories may be shared more widely.
look_around() {
    node_name=$(uname -nm) || node_name="${HOSTNAME:-unknown} ${HOSTTYPE:-unknown}"
    # shellcheck disable=SC2034  # the results say it
    node_arch=${node_name##* } node_name=${node_name%% *}
    # where the account has a name, it stands after the number; it becomes part of a directory's name
    node_id=$(exec timeout -k 2 20 id 2> /dev/null)
    node_user=$EUID
    [[ ! $node_id =~ ^uid=[0-9]+\(([A-Za-z0-9._@+-]+)\) ]] || node_user=${BASH_REMATCH[1]}
    # machines may share a name, and /proc/self/ns/pid is the same on all
    read -r pid_space 2> /dev/null < /proc/sys/kernel/random/boot_id
    pid_space=${pid_space:+$pid_space/$(exec readlink /proc/self/ns/pid 2> /dev/null)}
}

# What the site wants set, and paths that the start directory gives a meaning.
site_environment() {
    local file=${OSG_GRID:+$OSG_GRID/setup.sh}
    file=${file:-${GLITE_LOCAL_CUSTOMIZATION_DIR:+$GLITE_LOCAL_CUSTOMIZATION_DIR/cp_1.sh}}
    if [ -r "$file" ]; then
        # shellcheck disable=SC1090
        . "$file"
        plain_shell
    fi
    [[ ${X509_USER_PROXY:-/} == /* ]] || export X509_USER_PROXY=$start_dir/$X509_USER_PROXY
}

# free_kb DIR: sets `free`, empty where df cannot tell.
free_kb() {
    free=$(exec timeout -k 2 20 df -Pk "$1" 2> /dev/null) || free=""
    # shellcheck disable=SC2086
    set -- ${free#*$'\n'}
    free=${4:-}
    [[ $free =~ ^[0-9]+$ ]] || free=""
}

# Where the pilot works (the values of -dir).
choose_directory() {
    local candidate free
    case ${opt[work_dir]} in
    "" | .) base_dir=$start_dir ;;
    Condor | CONDOR) base_dir=${_CONDOR_SCRATCH_DIR:-} ;;
    OSG) base_dir=${OSG_WN_TMP:-} ;;
    TMPDIR) base_dir=${TMPDIR:-} ;;
    AUTO)
        base_dir=""
        for candidate in "${_CONDOR_SCRATCH_DIR:-}" "${OSG_WN_TMP:-}" "${TG_NODE_SCRATCH:-}" \
            "${TG_CLUSTER_SCRATCH:-}" "${SCRATCH:-}" "${TMPDIR:-}" "${TMP:-}" "$PWD"; do
            [ -n "$candidate" ] && [ -d "$candidate" ] && [ -w "$candidate" ] || continue
            free_kb "$candidate"
            [ "${free:-0}" -ge 1000000 ] || continue
            base_dir=$candidate
            break
        done
        unset TMPDIR
        ;;
    /*) base_dir=${opt[work_dir]} ;;
    *) base_dir=$start_dir/${opt[work_dir]} ;;
    esac
    [ -n "$base_dir" ] && [ -d "$base_dir" ] || early_failure "work directory '${opt[work_dir]}' does not exist on this node"
    work_top=$(exec mktemp -d "$base_dir/glide_XXXXXX") || early_failure "cannot make a directory in $base_dir"
    local_tmp=$(exec mktemp -d "${GLIDEIN_TMP:-/tmp}/glide_${node_user}_XXXXXX" 2> /dev/null) ||
        { local_tmp=$(mktemp -d "$work_top/local_XXXXXX") && export TMPDIR=$local_tmp; } ||
        early_failure "there is no writable temporary directory"
    echo "$$ $GLIDEIN_UUID $pid_space" > "$work_top/.owner"
    echo "$$ $GLIDEIN_UUID $pid_space" > "$local_tmp/.owner"
}

free_space() {
    local free
    free_kb "$1"
    printf '%s kB are free there' "${free:-?}"
}

unpack_payload() {
    local found
    found=$(grep -an -m1 '^#EOF$' "$startup_script") || early_failure "$startup_script has nothing behind #EOF"
    tail -n "+$((${found%%:*} + 1))" "$startup_script" | tar -xozf - || early_failure \
        "cannot unpack $startup_script into $PWD: it is damaged, or the disk is full ($(free_space .))"
    local name
    for name in add_config_line get_id_selectors logging_utils b64uuencode glidein_paths glidein_config \
        glidein_fetch glidein_trees glidein_lists glidein_points glidein_results glidein_ending glidein_inside; do
        [ -r "$name.source" ] || early_failure "$name.source is missing in $startup_script"
        # shellcheck disable=SC1090
        . "./$name.source"
    done
}

new_uuid
export GLIDEIN_UUID GLIDEIN_Name=${opt[glidein_name]}
look_around
banner
if [ "$debug_mode" != 0 ]; then
    # tokens and the like may be in the environment: names only
    printf 'Environment: ' >&2
    mapfile -t names < <(compgen -e)
    echo "${names[*]}" >&2
fi
site_environment
multi=$(param GLIDEIN_MULTIGLIDEIN)
multi=${multi:-${opt[multi_glidein]}}
choose_directory
cd "$work_top" || early_failure "cannot enter $work_top"
echo "Started in '$start_dir' (${opt[work_dir]})"
echo "Running in $work_top"
unpack_payload
if [ "${multi:-0}" -gt 1 ] 2> /dev/null && [ -z "${opt[multi_restart]}" ]; then
    run_several "$multi"
fi
start_reaper
remove_strangers
make_tree
find_proxies
write_config
run_pilot
