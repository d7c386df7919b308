# shellcheck shell=bash
# Sourced by the tests of the whole tree. They run in the source folder, print what is wrong, and exit with 0
# (right), 1 (wrong) or 77 (skipped, because a tool is missing).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
name=$(basename "$0")
jobs=$(nproc)

# Skips the test where one of the commands does not exist. Every test calls it first.
need() {
    local tool missing=()
    for tool in "$@"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        echo "skipped: $name needs ${missing[*]} (script/bootstrap --all installs it)"
        [ -n "${LINNET_ONLY_NEEDS-}" ] && exit 0
        exit 77
    fi
    if [ -n "${LINNET_ONLY_NEEDS-}" ]; then exit 0; fi
}

# Configures a preset of CMakePresets.json and builds it, all or the targets named.
build_preset() {
    local preset=$1
    shift
    cmake --preset "$preset" >"build/$preset.log" 2>&1 || { cat "build/$preset.log"; exit 1; }
    cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"} >"build/$preset.log" 2>&1 ||
        { cat "build/$preset.log"; exit 1; }
}

# A folder that goes away with the test.
scratch() {
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
}
