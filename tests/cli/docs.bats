# SPDX-License-Identifier: MIT
# The documents do what they say: every example is run, every quoted output compared.
load helper

@test "README.md" {
    run "$BATS_TEST_DIRNAME/../../scripts/run-doc-examples" "$BATS_TEST_DIRNAME/../../README.md"
    ends_with 0
}

@test "docs/" {
    local page pages=()
    for page in "$BATS_TEST_DIRNAME"/../../docs/*.md; do
        if [[ $page == */show.md ]] && ! command -v gnuplot >/dev/null; then
            echo "# SKIPPED: docs/show.md because gnuplot is not installed" >&3
        else
            pages+=("$page")
        fi
    done
    run "$BATS_TEST_DIRNAME/../../scripts/run-doc-examples" "${pages[@]}"
    ends_with 0
}

@test "docs/learn/: the commands, their output, the pictures, and the numbers in the text" {
    if ! command -v gnuplot >/dev/null; then
        skip "its pages draw, and gnuplot is not installed"
    fi
    run "$BATS_TEST_DIRNAME/../../scripts/run-doc-examples" "$BATS_TEST_DIRNAME"/../../docs/learn/*.md
    ends_with 0
}

@test "a number in the text of docs/learn/ that no output shows is found" {
    mkdir learn
    # shellcheck disable=SC2016 # the block is for the script
    printf 'It is 0.25, 2^-3.5 and 0.126.\n\n```sh\n$ echo 0.25 0.1258\n0.25 0.1258\n```\n' >learn/page.md
    run "$BATS_TEST_DIRNAME/../../scripts/run-doc-examples" learn/page.md
    ends_with 1
    has "$output" "quotes 2^-3.5,"
    lacks "$output" "quotes 0.25" "quotes 0.126"
}

@test "links between documents lead somewhere" {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    local file target missing=
    for file in README.md docs/*.md docs/learn/*.md CONTRIBUTING.md CHANGELOG.md; do
        while read -r target; do
            [[ -e $(dirname "$file")/$target ]] || missing+="$file -> $target"$'\n'
        done < <(grep -oE '\]\([^)#]+' "$file" | cut -c3- | grep -v '^https\?:')
    done
    echo "$missing"
    [[ -z $missing ]]
}

@test "docs/README.md lists every page" {
    cd "$BATS_TEST_DIRNAME/../../docs" || return 1
    local file
    for file in *.md learn/README.md; do
        [[ $file == README.md ]] || has "$(cat README.md)" "[$file]($file)"
    done
    for file in learn/*.md; do
        [[ $file == learn/README.md ]] || has "$(cat learn/README.md)" "](${file#learn/})"
    done
}

@test "the README names every model family" {
    local family
    for family in $(sow --help | sed -n '/^Model families/{n;s/,//g;p}'); do
        has "$(cat "$BATS_TEST_DIRNAME/../../README.md")" "$family"
    done
    [[ -n $family ]]
}

@test "a file that the text above it does not name is found" {
    # shellcheck disable=SC2016 # the blocks are for the script
    printf 'Save it as `a.lua`:\n\n<!-- file a.lua -->\n```lua\nx = 1\n```\n\nAnother:\n\n<!-- file b.lua -->\n```lua\nx = 2\n```\n' >page.md
    run "$BATS_TEST_DIRNAME/../../scripts/run-doc-examples" page.md
    ends_with 1
    has "$output" "the file b.lua does not name it"
    lacks "$output" a.lua
}
