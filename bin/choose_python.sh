#!/bin/sh
# Prints the Python interpreter of which `make` sets up .venv: the one that is given, or the newest
# that works of those that setup.py allows. Else it fails, with one line that says what was found
# and what is needed. It starts no other programs.
#
#     sh bin/choose_python.sh [INTERPRETER]
set -u

needed="Python 3.11, 3.12 or 3.13 with its module venv"
minors="13 12 11"
others="python3.17 python3.16 python3.15 python3.14 python3.10 python3.9 python3.8 python"

fail() {
    echo "error: $1; needed is $needed" >&2
    exit 1
}

# The version, such as 3.12, in what an interpreter answers.
number_in() {
    text=${1##*Python }
    major=${text%%.*}
    rest=${text#*.}
    minor=${rest%%[!0-9]*}
    case $major,$minor in
        [0-9],[0-9] | [0-9],[0-9][0-9]) echo "$major.$minor" ;;
        *) return 1 ;;
    esac
}

# The version of an interpreter; nothing of what does not run, as of pyenv's names for versions
# that are switched off.
version_of() {
    answer=$("$1" --version 2>&1) && number_in "$answer" && return
    answer=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) &&
        number_in "$answer"
}

has_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

is_allowed() {
    for minor in $minors; do
        [ "$1" = "3.$minor" ] && return
    done
    return 1
}

if [ -n "${1-}" ]; then
    version=$(version_of "$1") || fail "PYTHON=$1 is no Python interpreter that runs"
    is_allowed "$version" || fail "PYTHON=$1 is Python $version"
    has_venv "$1" || fail "PYTHON=$1 is Python $version without venv (Debian: python$version-venv)"
    printf '%s\n' "$1"
    exit
fi

found=
for name in python3.13 python3.12 python3.11 python3 $others; do
    version=$(version_of "$name") && found="$found $name=$version"
done
for minor in $minors; do
    for pair in $found; do
        if [ "${pair#*=}" = "3.$minor" ] && has_venv "${pair%%=*}"; then
            echo "${pair%%=*}"
            exit
        fi
    done
done
text=
for pair in $found; do
    version=${pair#*=}
    text="$text${text:+, }${pair%%=*} is Python $version"
    is_allowed "$version" && text="$text without venv (Debian: python$version-venv)"
done
needed="$needed, which PYTHON=INTERPRETER may name"
fail "found: ${text:-no Python}"
