# Worker nodes have bash 4.2 (EL7), 4.4 (EL8) and 5. An old one cannot be had here: nothing newer than 4.2 is written, and a
# pilot runs the same under the rules that a new bash keeps for old scripts.

load common

# what a line must not have, and since when bash has it
newer_than_42() {
    cat << 'END'
4.3 nameref	(declare|local|typeset) -[aAgilrtux]*n
4.3 wait -n	(^|[;&|[:blank:]])wait -[a-z]
4.3 negative index assigned	(^|[[:blank:]])[A-Za-z_]+\[-[0-9]+\]=|unset "?[A-Za-z_]+\[-
4.3 element asked by -v	-v "?[A-Za-z_]+\[
4.3 printf of a time that is not given	%\([^)]*\)T['"]?$
4.4 expansion operator	\$\{[A-Za-z_][A-Za-z_0-9]*(\[[^]]*\])?@[A-Za-z]\}
4.4 mapfile -d	(mapfile|readarray) .*-d
4.4 local -	local -([;[:blank:]]|$)
4.4 empty arrays under set -u	(^|[;[:blank:]])set -[a-z]*u
5.0 variables	\$\{?(EPOCHSECONDS|EPOCHREALTIME|BASH_ARGV0)
5.1 SRANDOM	\$\{?SRANDOM
5.3 command in this shell	\$\{[[:blank:]|]
4.4 4.3 5.0 options of shopt	shopt -[su] .*(inherit_errexit|assoc_expand_once|localvar_|globasciiranges|array_expand_once)
4.2 drops what is assigned where it is declared global	declare -g[aA]+ [A-Za-z_]+=
END
}

found() {
    local what pattern
    while IFS=$'\t' read -r what pattern; do
        grep -nE -- "$pattern" "$@" | sed "s/^/since $what: /"
    done < <(newer_than_42)
}

@test "nothing newer than bash 4.2 is written" {
    cd "$REPO/glideinwms/glidein"
    run found ./*.sh ./*.source ./*.helper
    [ -z "$output" ] || {
        echo "$output"
        return 1
    }
}

@test "what is newer would be found" {
    cat > "$BATS_TEST_TMPDIR/new.sh" << 'END'
local -n name=$1
wait -n
list[-1]=x
[ -v "table[key]" ]
printf '%(%s)T'
echo "${name@Q}" "${list[@]@U}"
mapfile -d '' -t names
local -; set +x
set -eu
echo $EPOCHREALTIME
echo $SRANDOM
echo ${ date; }
shopt -s inherit_errexit
declare -gA table=([a]=b)
END
    run found "$BATS_TEST_TMPDIR/new.sh"
    [ "$(grep -oE '[^:]+/new.sh:[0-9]+|^since.*: [0-9]+:' <<< "$output" | grep -oE '[0-9]+:?$' | sort -un | wc -l)" = 14 ]
}

# alike FILE: without what differs from pilot to pilot.
alike() {
    sed -E 's/glide_[a-z]+_[A-Za-z0-9]{6}/glide_Y/g; s/glide_[A-Za-z0-9]{6}/glide_X/g; s/glidein_[0-9]+_[0-9]+/NAME/g
        s/GLIDEIN_(UUID|STARTUP_PID|STARTUP_TIME|START_TIME|ToRetire|ToDie|Expire|Planned_[A-Z][a-z]+|PARENT_PID)( =)? .*/\1/
        s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/UUID/g; s/_session_duration = .*//I; s/(SESSION_DURATION =) .*/\1/' "$1"
}

@test "under the rules of bash 4.2 a pilot writes the same configuration" {
    pilot
    [ "$status" = 0 ]
    alike "$EVIDENCE/condor_config" > "$BATS_TEST_TMPDIR/new"
    rm -rf "${EVIDENCE:?}"/*
    pilot_env+=(BASH_COMPAT=4.2)
    pilot
    [ "$status" = 0 ]
    alike "$EVIDENCE/condor_config" > "$BATS_TEST_TMPDIR/old"
    diff "$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/old"
}
