# What is not what was signed is refused, and the pilot says which file (protocol 6.7).

load common

change() {
    local file
    file=$(echo "$STAGE/$1"/$2)
    echo "$3" >> "$file"
}

@test "a changed script is refused, with SHA-256" {
    altered changed
    change changed "frontend/stage/helpers.*.sh" "echo evil"
    pilot
    [ "$status" = 1 ]
    says out "helpers."
    says out "does not have its signed sum"
    says out ">Corruption</metric>"
    [ ! -e "$EVIDENCE/helpers" ]
    nothing_left
}

@test "a changed script is refused, with SHA-1 alone" {
    altered changed1
    without256
    change changed1 "frontend/stage/helpers.*.sh" "echo evil"
    pilot
    [ "$status" = 1 ]
    says out "does not have its signed sum"
    [ ! -e "$EVIDENCE/helpers" ]
}

@test "SHA-1 alone is enough where nothing else is known" {
    without256
    pilot
    [ "$status" = 0 ]
}

@test "a changed signature file is refused" {
    altered resigned
    change resigned "factory/stage/signature.*.sha256" "# more"
    pilot
    [ "$status" = 1 ]
    says out "does not have the sum that the command line gives"
}

@test "a changed list or description is refused" {
    altered relisted
    change relisted "frontend/stage/file_list.*.lst" "# more"
    pilot
    [ "$status" = 1 ]
    says out "does not have its signed sum"
    altered redescribed
    words=("${words[@]//"/relisted/"/"/redescribed/"}")
    change redescribed "frontend/stage/group_main/description.*.cfg" "# more"
    pilot
    [ "$status" = 1 ]
    says out "the description"
}

@test "a file that is not signed is not used" {
    altered unsigned
    without256
    cd "$STAGE/unsigned/frontend/stage"
    sed -i '/helpers/d' signature.*.sha1
    option -clientsign "$(sha1sum signature.*.sha1 | cut -c 1-40)"
    pilot
    [ "$status" = 1 ]
    says out "is not signed"
    [ ! -e "$EVIDENCE/helpers" ]
}

@test "a missing file is a Network failure that names it" {
    altered missing
    rm "$STAGE"/missing/frontend/stage/helpers.*.sh
    pilot
    [ "$status" = 1 ]
    says out ">Network</metric>"
    says out "helpers."
}

@test "an error page is not a file" {
    altered nocache
    rm "$STAGE"/nocache/frontend/stage/fresh.txt
    pilot
    [ "$status" = 1 ]
    says out "fresh.txt"
}

# resigned NAME SED: a stage area whose client list is changed and signed again, as its Frontend could.
resigned() {
    local list signature
    altered "$1"
    without256
    cd "$STAGE/$1/frontend/stage"
    list=$(echo file_list.*.lst) signature=$(echo signature.*.sha1)
    sed -i "$2" "$list"
    sed -i "s/^[0-9a-f]* \( *$list\)\$/$(sha1sum "$list" | cut -c 1-40) \1/" "$signature"
    option -clientsign "$(sha1sum "$signature" | cut -c 1-40)"
}

@test "names in a list that would be the pilot's own files, or options, are refused" {
    local name n=0
    for name in ../evil -evil .. signature.sha1 'a"b' 'a\\b'; do
        n=$((n + 1))
        resigned "named$n" "s|^regular.txt |$name |"
        pilot
        [ "$status" = 1 ]
        says out "file_list."
        says out ">Corruption</metric>"
        says err "$(printf %b "$name")"
        [ ! -e "$EVIDENCE/helpers" ]
        mapfile -t words < "$STAGE/good/args"
    done
}

@test "a configuration file does not replace one of the pilot's own" {
    resigned owned "s|^extra.conf |00-gwms-postjob.conf |"
    pilot
    [ "$status" = 1 ]
    says out "00-gwms-postjob.conf"
    says out ">Corruption</metric>"
}

@test "a file without a sum is data: a list cannot make it act" {
    resigned acting 's|^\(fresh.txt .*\)$|\1\tsetup:source|'
    pilot
    [ "$status" = 1 ]
    says out "fresh.txt"
    says out ">Corruption</metric>"
}
