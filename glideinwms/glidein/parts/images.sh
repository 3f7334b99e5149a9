# Images, and where they are: paths, URIs, CVMFS.
# shellcheck shell=dash

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

# cvmfs_set_mount_dir: set CVMFS_MOUNT_DIR from glidein_config, unless the environment has it.
cvmfs_set_mount_dir() {
    CVMFS_MOUNT_DIR=${CVMFS_MOUNT_DIR:-$(_config_value CVMFS_MOUNT_DIR)}
    export CVMFS_MOUNT_DIR
}

# cvmfs_path_in_cvmfs PATH: whether it is /cvmfs or below, by that name or by CVMFS_MOUNT_DIR.
cvmfs_path_in_cvmfs() {
    cvmfs_set_mount_dir
    cvmfs_is_below "$1"
}

cvmfs_path_in_cvmfs_literal() {
    case $1 in /cvmfs | /cvmfs/*) return 0 ;; esac
    return 1
}

# cvmfs_resolve_path PATH: print where a path below /cvmfs is on this node, following one link into /cvmfs.
cvmfs_resolve_path() {
    local path target
    cvmfs_set_mount_dir
    path=$(cvmfs_path "$1")
    if [ "$path" != "$1" ] && [ -L "$path" ]; then
        target=$(readlink "$path")
        ! cvmfs_path_in_cvmfs_literal "$target" || path=$(cvmfs_path "$target")
    fi
    printf '%s\n' "$path"
}

# cvmfs_test_and_open REPOSITORIES [CALLBACK]: open each, so that it stays mounted while this shell and what replaces it
# runs. Calls CALLBACK for one that cannot be read, without one it exits.
cvmfs_test_and_open() {
    local rest="$1," repo place descriptor=3
    while [ -n "$rest" ]; do
        repo=${rest%%,*}
        rest=${rest#*,}
        [ -n "$repo" ] || continue
        place=$(cvmfs_resolve_path "/cvmfs/$repo")
        if [ -d "$place" ] && ls "$place" > /dev/null 2>&1; then
            # other shells than bash know the first ten only
            [ "$descriptor" -gt 9 ] || eval "exec $descriptor< \"\$place\""
            descriptor=$((descriptor + 1))
            echo "\"/cvmfs/$repo\" exists and available"
        else
            echo "\"/cvmfs/$repo\" NOT available"
            [ -n "${2:-}" ] || exit 1
            "$2"
        fi
    done
}

# image_for NAME PLATFORMS: the image of the first platform that has one; `any` is the default one, else the first.
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

# uri_is_valid_file_or_remote URI: whether a path can be read; what is elsewhere is not checked.
uri_is_valid_file_or_remote() {
    [ -n "$1" ] || return 1
    is_uri "$1" || [ -r "$(cvmfs_resolve_path "$(uri_path "$1")")" ]
}

# singularity_get_image_default: print the first of the default images that can be had.
singularity_get_image_default() {
    local image
    for image in "${GWMS_SINGULARITY_IMAGE_DEFAULT:-}" "${APPTAINER_TEST_IMAGE:-}" "$(_config_value APPTAINER_TEST_IMAGE)"; do
        uri_is_valid_file_or_remote "$image" && printf '%s\n' "$image" && return 0
    done
    printf '%s\n' "$APPTAINER_TEST_IMAGE_DEFAULT"
}

# _default_images: SINGULARITY_IMAGES_DICT with the images that older attributes name.
_default_images() {
    local key image
    SINGULARITY_IMAGES_DICT=${SINGULARITY_IMAGES_DICT:-}
    for key in default rhel6 rhel7; do
        eval "image=\${SINGULARITY_IMAGE_DEFAULT${key##*[a-z]}:-}"
        [ -z "$image" ] || SINGULARITY_IMAGES_DICT=$(dict_set_val SINGULARITY_IMAGES_DICT "$key" "$image")
    done
    dict_check_key SINGULARITY_IMAGES_DICT testimage ||
        SINGULARITY_IMAGES_DICT=$(dict_set_val SINGULARITY_IMAGES_DICT testimage "$(singularity_get_image_default)")
}

# singularity_get_image PLATFORMS [RESTRICTIONS]: print the image of the first of these platforms that
# SINGULARITY_IMAGES_DICT has. 1: none, 2: it is not there, 3: it is not in CVMFS. RESTRICTIONS: cvmfs, remote, test.
singularity_get_image() {
    local image="" status=0
    [ -n "${1:-}" ] || return 1
    _default_images
    image=$(image_for SINGULARITY_IMAGES_DICT "$1")
    if [ -n "$image" ]; then
        image=$(cvmfs_resolve_path "$image")
        case ,${2:-}, in *,cvmfs,*) cvmfs_path_in_cvmfs "$image" || status=3 ;; esac
        case ,${2:-}, in *,remote,*) ;; *) [ "$status" != 0 ] || [ -e "$(uri_path "$image")" ] || status=2 ;; esac
    else
        status=1
    fi
    case $status/,${2:-}, in
    0/*) ;;
    */*,test,*)
        image=$(singularity_get_image_default)
        status=0
        ;;
    esac
    [ -z "$image" ] || printf '%s\n' "$image"
    return "$status"
}

# singularity_verify_image IMAGE: 0 there, 1 not there, 2 a directory in CVMFS that cannot be listed.
singularity_verify_image() {
    [ -n "${1:-}" ] && [ -e "$1" ] || return 1
    [ ! -d "$1" ] || ! cvmfs_path_in_cvmfs "$1" || ls "$1" > /dev/null 2>&1 || return 2
}

# singularity_get_platform: which platform the container is, is not known.
singularity_get_platform() {
    return 1
}

# get_all_platforms: print the platforms of SINGULARITY_IMAGES_DICT but for the default one.
get_all_platforms() {
    local keys
    keys=",$(dict_get_keys SINGULARITY_IMAGES_DICT),"
    case $keys in *,default,*) keys=${keys%%,default,*},${keys#*,default,} ;; esac
    keys=${keys#,}
    printf '%s\n' "${keys%,}"
}
