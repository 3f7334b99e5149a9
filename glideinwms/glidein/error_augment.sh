#!/bin/bash
# The result of one run of a script, with what was run, when and where.
#   error_augment.sh -init                                          forget what an earlier script left here
#   error_augment.sh -process STATUS ID CWD COMMAND BEGAN ENDED     otrb_output.xml here becomes otrx_output.xml (epochs)
#   error_augment.sh -concat LIST                                   append that to a list, one writer at a time
# A result that does not fit the exit code STATUS is replaced by a minimal one.

# `&` in a replacement is a plain character, as it was before bash 5.2
shopt -u patsub_replacement 2> /dev/null

xml_time() {
    TZ=UTC printf -v "$1" '%(%Y-%m-%dT%H:%M:%S+00:00)T' "$2"
}

xml_escape() {
    escaped=${1//&/&amp;}
    escaped=${escaped//</&lt;}
    escaped=${escaped//>/&gt;}
}

# body STATUS ENDED: `body` is what the script wrote, or that it wrote nothing that fits.
body() {
    local word=OK text="" failure=""
    [ "$1" = 0 ] || word=ERROR
    [ ! -s otrb_output.xml ] || IFS= read -r -d '' text < otrb_output.xml
    if [[ $text == *"<OSGTestResult "*"<status>$word</status>"*"</OSGTestResult>"* ]]; then
        body=${text#*<OSGTestResult*>}
        body=${body%</OSGTestResult>*}
        return
    fi
    [ "$1" = 0 ] || failure="    <metric name=\"failure\" ts=\"$2\" uri=\"local\">Unknown</metric>"$'\n'
    printf -v body '\n  <result>\n    <status>%s</status>\n%s  </result>\n  <detail>\n     %s\n  </detail>\n' "$word" "$failure" \
        "The test script did not produce an XML file. No further information available."
}

process() {
    local began ended escaped id body
    xml_time began "$5"
    xml_time ended "$6"
    body "$1" "$ended"
    xml_escape "$2"
    id=$escaped
    xml_escape "$3"
    {
        printf '<?xml version="1.0"?>\n<OSGTestResult id="%s" version="4.3.1">\n' "$id"
        printf '  <operatingenvironment>\n    <env name="cwd">%s</env>\n  </operatingenvironment>\n' "$escaped"
        xml_escape "$4"
        printf '  <test>\n    <cmd>%s</cmd>\n    <tStart>%s</tStart>\n    <tEnd>%s</tEnd>\n  </test>' "$escaped" "$began" "$ended"
        printf '%s</OSGTestResult>\n' "$body"
    } > otrx_output.xml
}

# A link is made atomically on NFS too; who holds the lock for a minute has gone.
concat() {
    local tries text
    for ((tries = 0; tries < 300; tries++)); do
        ln -s "$$" "$1.lock" 2> /dev/null && break
        sleep 0.2
    done
    IFS= read -r -d '' text < otrx_output.xml
    printf '%s' "${text#*\?>$'\n'}" >> "$1"
    rm -f "$1.lock"
}

case ${1:-}/$# in
-init/1) rm -f otrb_output.xml otrx_output.xml ;;
-process/7) process "${@:2}" ;;
-concat/2) concat "$2" ;;
*)
    sed -n '3,5s/^# *//p' "$0" >&2
    exit 1
    ;;
esac
