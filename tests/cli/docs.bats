# SPDX-License-Identifier: MIT
# The documents do what they say: every example is run, every quoted output compared.
load helper

@test "README.md" {
    run "$BATS_TEST_DIRNAME/../../scripts/run-doc-examples" "$BATS_TEST_DIRNAME/../../README.md"
    ends_with 0
}

@test "docs/" {
    run "$BATS_TEST_DIRNAME/../../scripts/run-doc-examples" "$BATS_TEST_DIRNAME"/../../docs/*.md
    ends_with 0
}

@test "links between documents lead somewhere" {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    local file target missing=
    for file in README.md docs/*.md CONTRIBUTING.md CHANGELOG.md; do
        while read -r target; do
            [[ -e $(dirname "$file")/$target ]] || missing+="$file -> $target"$'\n'
        done < <(grep -oE '\]\([^)#]+' "$file" | cut -c3- | grep -v '^https:')
    done
    echo "$missing"
    [[ -z $missing ]]
}

@test "docs/README.md lists every page" {
    cd "$BATS_TEST_DIRNAME/../../docs" || return 1
    local file
    for file in *.md; do
        [[ $file == README.md ]] || has "$(cat README.md)" "[$file]($file)"
    done
}

@test "the README names every model family" {
    local family
    for family in $(sow --help | sed -n '/^Model families/{n;s/,//g;p}'); do
        has "$(cat "$BATS_TEST_DIRNAME/../../README.md")" "$family"
    done
    [[ -n $family ]]
}
