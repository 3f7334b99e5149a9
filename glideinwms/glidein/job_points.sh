# Runs and sources what is to act before a job, in the order of its names: part of the job wrapper, which sets gwms_d.
# shellcheck shell=sh disable=SC2154

gwms_prejob() {
    gwms_here=$PWD gwms_script=$1
    gwms_id=${gwms_script##*/[0-9][0-9][0-9][0-9]_}
    case $gwms_id in
    client_group_*) gwms_id=client_group ;;
    main_* | entry_* | client_*) gwms_id=${gwms_id%%_*} ;;
    *) gwms_id=main ;;
    esac
    set -- "${gwms_d%/*}/glidein_config" "$gwms_id"
    # in a container there is a copy
    [ -r "$1" ] || set -- "$gwms_d/glidein_config" "$gwms_id"
    if [ -x "$gwms_script" ]; then
        "$gwms_script" "$@" < /dev/null >&2 || echo "$gwms_script ended with exit code $?" >&2
    else
        # shellcheck disable=SC1090
        case $gwms_script in
        *.sh | *.source) . "$gwms_script" ;;
        esac
    fi
    cd "$gwms_here" || exit 1
}

for gwms_script in "${gwms_d:?}"/exec/prejob/*; do
    case $gwms_script in
    *.ignore) ;;
    *) [ ! -f "$gwms_script" ] || gwms_prejob "$gwms_script" ;;
    esac
done
