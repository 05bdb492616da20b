#!/bin/sh
# test_one_state.sh MODEL CHANGES: spin proves the model right as it stands, and wrong without any one of its rules.
#
# TAP on stdout. A rule that spin does not miss is a rule that the model does not test.
set -eu
model=$(realpath "$1")
changes=$2
rules='NO_LAYER_GUARD NO_TABLE_GUARD NO_DERIVED_GUARD FREE_AT_ONCE PUBLISH_EARLY FALLBACK_LAST NO_ASKING_GUARD
    NO_COMING_GRACE NO_GOING_GRACE'

command -v spin >/dev/null || {
    echo '1..0 # SKIP spin is not installed'
    exit 0
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
cd "$folder"

# check [-DRULE]: 0 if the model holds, 1 if spin found a lookup that goes wrong, 2 if there was no search
check() {
    rm -f pan* ./*.trail
    cp "$model" model.pml
    spin "-DCHANGES=$changes" "$@" -a model.pml >log 2>&1 || return 2
    ${CC:-cc} -w -O2 -DSAFETY -DCOLLAPSE -o pan pan.c >>log 2>&1 || return 2
    ./pan -m100000 >>log 2>&1 || return 2
    grep -q 'Search not completed\|max search depth too small' log && ! grep -q 'assertion violated' log && return 2
    grep -q 'errors: 0$' log && return 0
    grep -q 'assertion violated ((seen&result)!=0)\|assertion violated node_alive\|assertion violated layer' log || return 2
    return 1
}

number=0
failures=0
report() { # WANTED GOT NAME
    number=$((number + 1))
    if [ "$1" = "$2" ]; then
        echo "ok $number - $3"
    else
        echo "not ok $number - $3"
        sed 's/^/# /' log
        failures=1
    fi
}

echo "1..$(($(echo "$rules" | wc -w) + 1))"
got=0
check || got=$?
report 0 "$got" "every lookup sees one state, over all orders of $changes changes"
for rule in $rules; do
    got=0
    check "-D$rule" || got=$?
    report 1 "$got" "with $rule some lookup does not"
done
exit "$failures"
