# shellcheck shell=sh
export VO_WRAPPED=yes
