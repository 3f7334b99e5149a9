#!/bin/bash
# A script's result as otrb_output.xml in the current directory.
#   error_gen.sh -ok ID [NAME VALUE]...
#   error_gen.sh -error ID TYPE DETAIL [NAME VALUE]...

# `&` in a replacement is a plain character, as it was before bash 5.2
shopt -u patsub_replacement 2> /dev/null

escape() {
    local text=${1//&/&amp;}
    text=${text//</&lt;}
    escaped=${text//>/&gt;}
}

metric() {
    local name
    escape "$1"
    name=${escaped//\"/&quot;}
    escape "$2"
    printf '    <metric name="%s" ts="%s" uri="local">%s</metric>\n' "$name" "$now" "$escaped"
}

TZ=UTC printf -v now '%(%Y-%m-%dT%H:%M:%S+00:00)T' -1
kind=$1 id=$2
case $kind in
-ok) shift 2 ;;
-error)
    type=$3 detail=$4
    shift 4
    ;;
*)
    echo "error_gen.sh: $kind is neither -ok nor -error" >&2
    exit 1
    ;;
esac
escape "$id"
{
    printf '<?xml version="1.0"?>\n<OSGTestResult id="%s" version="4.3.1">\n  <result>\n' "${escaped//\"/&quot;}"
    if [ "$kind" = -ok ]; then
        echo "    <status>OK</status>"
    else
        echo "    <status>ERROR</status>"
        metric failure "$type"
    fi
    while [ $# -ge 2 ]; do
        metric "$1" "$2"
        shift 2
    done
    echo "  </result>"
    if [ "$kind" = -error ]; then
        escape "$detail"
        printf '  <detail>\n     %s\n  </detail>\n' "$escaped"
    fi
    echo "</OSGTestResult>"
} > otrb_output.xml
