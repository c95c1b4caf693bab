# SPDX-License-Identifier: MIT
# sow probe shown: --plot through gnuplot, several schemes, the report in a browser.
# shellcheck disable=SC2154 # stderr and output come from run
load helper

need() { # PROGRAM
    command -v "$1" >/dev/null || skip "$1 is not installed"
}

csv() { # EXPRESSION of rows, a list of dicts: of the CSV in file $1
    python3 -c 'import csv, sys; rows = list(csv.DictReader(open(sys.argv[1]))); print('"$2"')' "$1"
}

@test "one script draws SVG and PNG, with data and script beside it" {
    need gnuplot
    run -0 --separate-stderr sow probe mlp:784,256x20,10 --activation tanh --plot out.svg
    has "$output" "seed noise"
    has "$stderr" "wrote: out.svg" "out.csv, out.gp"
    python3 -c 'import xml.dom.minidom as x; x.parse("out.svg")'
    for word in "Signal, forward" "Gradient, backward" "told apart" "Edge of chaos of tanh" "you are here" "19 of 20 seeds"; do
        grep -qF "$word" out.svg
    done
    cp out.svg first.svg
    gnuplot out.gp
    cmp out.svg first.svg
    gnuplot -e "kind='png'" out.gp
    [[ $(head -c 4 out.png | tail -c 3) == PNG ]]
    [[ $(gnuplot -e "kind='term'" out.gp) == *"Signal, forward"* ]]
    run -0 sow probe mlp:784,256x20,10 --plot other.png --quiet
    [[ $(head -c 4 other.png | tail -c 3) == PNG ]]
}

@test "the data holds what was predicted" {
    need gnuplot
    run -1 sow probe mlp:256,256x20,256 --scheme 'normal{std=0.03125}' --plot out.svg -q
    # 256 / 1024 / 2 = 1/8 a layer after the first, whose inputs are not rectified
    [[ $(csv out.csv '[round(float(r["log10_second_moment"]), 4) for r in rows if r["value"] == "layers.4.relu"]') == "[-4.5154]" ]]
    [[ $(csv out.csv '[float(r["depth"]) for r in rows if r["value"] == "layers.4.relu"]') == "[5.0]" ]]
    # 20 of relu, 5 / 256 each: the band is 4 times its root wide, in natural logarithms
    [[ $(csv out.csv 'abs((float(rows[-1]["high"]) - float(rows[-1]["low"])) * 2.302585 - 4 * (19 * 5 / 256) ** 0.5) < 0.1') == True ]]
}

@test "a picture on the terminal leaves nothing behind" {
    need gnuplot
    mkdir scratch
    tiny gpt2 >config.json
    run -0 --separate-stderr env TMPDIR="$PWD/scratch" "$SOW" probe config.json --plot term
    has "$output" "Are tokens or pixels still told apart?"
    has "$output" "Signal, forward" "Gradient, backward" "What one layer does" "seed noise"
    fits_100_columns "$output"
    [[ -z $(ls scratch) ]]
    run --separate-stderr sow probe config.json --plot term --json
    ends_with 2
    has "$stderr" "--plot term and --json"
}

@test "an interruption while gnuplot draws leaves no file" {
    mkdir bin
    cat >bin/gnuplot <<END # -d -e "kind='svg'; out='NAME'" SCRIPT: draws half of it, and tells
#!/bin/sh
name=\${3##*out=?}
echo half >"\${name%?}"
: >'$PWD/drawing'
exec sleep 20
END
    chmod +x bin/gnuplot
    mkdir pictures
    for words in "--plot pictures/out.svg" "--plot term" "--report pictures/out.html"; do
        rm -f drawing
        # shellcheck disable=SC2086 # two words
        TMPDIR="$PWD/pictures" PATH="$PWD/bin:$PATH" "$SOW" probe mlp:8,8,8 $words >told 2>&1 &
        until [[ -e drawing ]] || ! kill -0 $!; do sleep 0.02; done
        kill -TERM $!
        code=0
        wait $! || code=$?
        [[ $code == 143 ]] || { echo "$words: $code" && cat told && return 1; }
        [[ -z $(ls pictures) ]] || { ls -R pictures && return 1; }
    done
}

@test "without gnuplot the data is there, and the way out" {
    mkdir bin
    run --separate-stderr env PATH="$PWD/bin" "$SOW" probe mlp:8,8,8 --plot out.png
    ends_with 4
    has "$stderr" "gnuplot is not installed" "apt install gnuplot-nox" "gnuplot ./out.gp"
    has "$output" "seed noise"
    [[ -s out.csv && -s out.gp && ! -e out.png ]]
    run --separate-stderr env PATH="$PWD/bin" "$SOW" probe mlp:8,8,8 --plot term
    ends_with 4
    printf '#!/bin/sh\necho "no such terminal" >&2\nexit 1\n' >bin/gnuplot
    chmod +x bin/gnuplot
    run --separate-stderr env PATH="$PWD/bin" "$SOW" probe mlp:8,8,8 --plot bad.png
    ends_with 4
    has "$stderr" "gnuplot could not draw it: no such terminal"
    [[ ! -e bad.png && -z $(find . -name '*part*') ]]
}

@test "nothing is overwritten unless told, and odd names are names" {
    need gnuplot
    run --separate-stderr sow probe mlp:8,8,8 --plot out.pdf
    ends_with 2
    has "$stderr" "NAME.svg, NAME.png or term"
    echo mine >out.csv
    run --separate-stderr sow probe mlp:8,8,8 --plot out.svg
    ends_with 4
    has "$stderr" "out.csv: exists already" "--force"
    [[ $(cat out.csv) == mine ]]
    run -0 sow probe mlp:8,8,8 --plot out.svg --force -q
    mkdir odd
    cd odd
    run -0 sow probe mlp:8,8,8 --plot '<touch pwned.svg' -q
    run -0 sow probe mlp:8,8,8 --plot "a'b\$(touch pwned)\`touch pwned\`.svg" -q
    [[ -s '<touch pwned.svg' && $(find . -type f | wc -l) -eq 6 && ! -e pwned ]]
    run --separate-stderr sow probe mlp:8,8,8 --plot nowhere/out.svg
    ends_with 4
    has "$stderr" "nowhere/out.csv: No such file or directory"
}

@test "hostile names of values are text in pictures" {
    need gnuplot
    cat >m.lua <<'LUA'
local x = input { "batch", 8 }
for i = 1, 9 do
    x = x >> linear("a'<script>alert(1)</script>`touch pwned`{/Bold x}\"" .. i, 8, 8) >> activation("relu")
end
rule("*.bias", zeros)
rule("*.weight", he_normal)
LUA
    mv m.lua "<b>m'.lua"
    run -1 --separate-stderr sow probe "<b>m'.lua" --plot out.svg
    [[ $(csv out.csv 'rows[1]["value"]') == "a'<script>alert(1)</script>\`touch pwned\`{/Bold x}\"1" ]]
    [[ $(grep -c '<b>' out.svg) -eq 0 ]]
    python3 -c 'import xml.dom.minidom as x; x.parse("out.svg")'
    [[ ! -e pwned ]]
}

@test "several schemes stand in one table, one picture and one JSON" {
    run -0 --separate-stderr sow probe mlp:784,256x50,10 --activation tanh --compare 'normal{std=0.01}' 'normal{std=1}' glorot_normal he_normal
    fits_100_columns "$output"
    [[ ${lines[1]} == "normal{std=0.01} "*1.76e-81*2.25e-83*0.0256 ]]
    [[ ${lines[2]} == "normal{std=1} "*6.22e+47*8.731 ]]
    [[ ${lines[3]} == "glorot_normal "*" 1" && ${lines[4]} == "he_normal "*1.106 ]]
    run -0 --separate-stderr sow probe mlp:64,64x9,10 --compare he_normal glorot_normal --json
    is_json "$output"
    [[ $(python3 -c 'import json, sys; print([(r["scheme"], round(float(r["probe"]["repeated"]["sigma_w2"]), 6)) for r in json.load(sys.stdin)["compared"]])' <<<"$output") == "[('he_normal', 2.0), ('glorot_normal', 1.0)]" ]]
    run -0 --separate-stderr sow probe mlp:64,64x9,10 --compare he_normal glorot_normal --csv
    [[ ${lines[0]} == run,depth,* && ${lines[1]} == 0,0,1,* && ${lines[-1]} == 1,* && ${lines[-1]} == *'"glorot_normal","layers.9","linear"' ]]
    tiny gpt2 >config.json
    run -0 --separate-stderr sow probe config.json --compare matched transformers
    [[ ${lines[1]} == matched* && ${lines[2]} == transformers* ]]
}

@test "what was measured stands beside what was predicted" {
    need gnuplot
    run -0 sow probe mlp:64,256x9,10 --seeds 2 --batch 64 --plot out.svg -q
    for word in measured "dead units" "What the values look like"; do
        grep -qF "$word" out.svg
    done
    [[ $(csv out.csv 'all(abs(float(r["measured_log10_second_moment"]) - float(r["log10_second_moment"])) < 0.3 for r in rows)') == True ]]
    # half of a relu is flat, and its results are zeros in one half: the ridge of a relu begins at 0
    [[ $(csv out.csv 'all(0.3 < float(r["saturated"]) < 0.7 for r in rows if r["operation"] == "activation")') == True ]]
    grep -q 'ridge7 << EOD' out.gp
}

@test "a picture of several schemes names them, once" {
    need gnuplot
    run -0 sow probe mlp:64,64x9,10 --activation tanh --compare 'normal{std=0.01}' he_normal --seeds 1 --plot out.svg -q
    grep -q 'Edge of chaos of tanh' out.svg
    # once as text, once as the title of its line
    [[ $(grep -c '<text>he_normal</text>' out.svg) -eq 1 ]]
    [[ $(grep -c '<text>normal{std=0.01}</text>' out.svg) -eq 1 ]]
}

@test "what cannot be compared is one clear error" {
    run --separate-stderr sow probe mlp:8,8,8 he_normal
    ends_with 2
    has "$stderr" "one argument too many" "--compare"
    run --separate-stderr sow probe mlp:8,8,8 --compare nonsense
    ends_with 2
    has "$stderr" "--compare 'nonsense': nonsense is not defined"
    run --separate-stderr sow probe mlp:8,8,8 --compare zeros 'normal{std=-1}'
    ends_with 2
    has "$stderr" "--compare: std of normal is -1"
    run --separate-stderr sow probe mlp:8,8,8 --compare zeros --scheme ones
    ends_with 2
    has "$stderr" "leave --scheme out"
    run --separate-stderr sow probe mlp:8,8,8 --compare zeros ones zeros ones zeros ones zeros ones zeros
    ends_with 2
    has "$stderr" "at most 8"
    tiny gpt2 >config.json
    run --separate-stderr sow probe config.json --compare transformers he_normal
    ends_with 2
    has "$stderr" "--compare 'he_normal'" "variants are: transformers, openai"
}

# Opens a page; leaves its DOM in dom.html, and what it says and asks for in said.txt.
browse() {
    chromium-headless-shell --no-sandbox --disable-gpu --disable-background-networking --user-data-dir="$PWD/profile" \
        --enable-logging=stderr --log-net-log="$PWD/net.json" --dump-dom "file://$PWD/$1" >dom.html 2>log.txt
    grep CONSOLE log.txt >said.txt || true
    python3 -c '
import json
for event in json.load(open("net.json"))["events"]:
    url = event.get("params", {}).get("url")
    if url:
        print("asks for", url)' >>said.txt
}

@test "the report opens in a browser, which asks nobody for anything" {
    need gnuplot
    need chromium-headless-shell
    printf '<title>x</title><img src="http://127.0.0.1:9/x.png"><script>console.error("boo")</script>' >control.html
    browse control.html
    grep -q boo said.txt
    grep -q 'asks for http://127.0.0.1:9/x.png' said.txt
    run -1 --separate-stderr sow probe mlp:784,256x50,10 --activation tanh --scheme 'normal{std=0.01}' --seeds 1 --report out.html
    has "$stderr" "wrote: out.html"
    browse out.html
    [[ ! -s said.txt ]]
    grep -q '<title>Will the signal survive? sow probe mlp:784,256x50,10' dom.html
    # six panels in three rows, which together are the one picture
    python3 -c '
import re
page = open("dom.html").read()
rows = [tuple(map(float, box.split())) for box in re.findall("<svg[^>]*viewBox=\"([^\"]*)\"", page)]
assert len(rows) == 3 and rows[0][1] == 0 and sum(row[3] for row in rows) == 70 + 3 * 370, rows
assert all(above[1] + above[3] == below[1] for above, below in zip(rows, rows[1:])), rows
assert page.count("<use href=\"#gnuplot_canvas\">") == 2 and page.count("id=\"gnuplot_canvas\"") == 1'
    for word in "In plain words" "shrinks" "The first layers get next to no gradient" "0.0256" "What the values look like" "layers.49.tanh" "normal{std=0.01}" "What was assumed" "Edge of chaos of tanh"; do
        grep -qF "$word" dom.html
    done
    chromium-headless-shell --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --window-size=1100,1600 \
        --screenshot="$PWD/shot.png" "file://$PWD/out.html" 2>log.txt
    [[ $(stat -c %s shot.png) -gt 50000 ]]
}

@test "a report of several schemes has a part for each, and is overwritten only when told" {
    run -0 sow probe mlp:64,64x9,10 --compare he_normal glorot_normal --report out.html -q
    grep -q '<h2>he_normal</h2>' out.html
    grep -q '<h2>glorot_normal</h2>' out.html
    run -0 sow probe mlp:64,64x39,10 --compare he_normal glorot_normal --report judged.html -q
    grep -q '<li><code>he_normal</code>: healthy</li>' judged.html
    grep -q '<li><code>glorot_normal</code>: VANISH at' judged.html
    [[ $(grep -c '<h3>The verdict</h3>' judged.html) -eq 2 ]]
    grep -q '<p><strong>VANISH</strong>: .*Cure: ' judged.html
    run --separate-stderr sow probe mlp:64,64x9,10 --report out.html
    ends_with 4
    has "$stderr" "out.html: exists already" "--force"
    run -0 sow probe mlp:64,64x9,10 --report out.html --force -q
    [[ $(grep -c '<h2>he_normal' out.html) -eq 0 ]]
    run --separate-stderr sow probe mlp:8,8,8 --report nowhere/out.html
    ends_with 4
    has "$stderr" "nowhere/out.html: No such file or directory"
    [[ -z $(find . -name '*part*') ]]
}

@test "without gnuplot the report says so, and has the rest" {
    mkdir bin
    run -0 env PATH="$PWD/bin" "$SOW" probe mlp:64,64x9,10 --report out.html -q
    grep -q 'No picture: .*gnuplot is not installed' out.html
    grep -q 'keeps its size' out.html
}

@test "hostile words are text in reports" {
    cat >'<b>m.lua' <<'LUA'
local x = input { "batch", 8 }
for i = 1, 9 do
    x = x >> linear("</td><script>alert('1')</script>&amp;" .. i, 8, 8) >> activation("relu")
end
rule("*.bias", zeros)
rule("*.weight", he_normal, "<img src=x onerror=alert(2)>")
LUA
    run -1 --separate-stderr sow probe '<b>m.lua' --report out.html -q
    python3 -c '
import html.parser
class Reader(html.parser.HTMLParser):
    text = ""
    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "img", "b", "iframe", "object"), tag
        for name, value in attributes:
            assert not name.startswith("on"), name
            assert name not in ("src", "href", "xlink:href") or value.startswith("#"), value
    def handle_data(self, data):
        self.text += data
reader = Reader()
reader.feed(open("out.html").read())
assert "</td><script>alert(\x271\x27)</script>&amp;1" in reader.text
assert "<img src=x onerror=alert(2)>" in reader.text'
}

@test "the edge of chaos is where published numbers have it" {
    need gnuplot
    edge() { # ACTIVATION: sigma_w at sigma_b = sqrt(0.05), between the two points of the edge about it
        run -0 sow probe mlp:16,16x9,2 --activation "$1" --plot "$1.svg" -q
        python3 - "$1.gp" <<'PY'
import sys
lines = open(sys.argv[1]).read().split("$edge << EOD\n")[1].split("EOD")[0].split()
points = [tuple(map(float, line.split(","))) for line in lines]
b = 0.05 ** 0.5
(w0, b0), (w1, b1) = next((p, q) for p, q in zip(points, points[1:]) if p[1] <= b <= q[1])
print(round(w0 + (w1 - w0) * (b - b0) / (b1 - b0), 2))
PY
    }
    # Schoenholz et al. 2017: tanh, sigma_w^2 = 1.76 at sigma_b^2 = 0.05
    [[ $(edge tanh) == 1.33 ]]
    # gelu keeps its scale at sigma_b = 0 with the gain 1.5335 only: less dies out, more grows without bound
    run -1 sow probe mlp:16,16x9,2 --activation gelu --plot gelu.svg -q
    [[ $(grep -A1 '^.edge << EOD' gelu.gp | tail -1) == 1.53*,0 ]]
}

@test "a report gives the cure to paste, small numbers as they are, and words of networks without layers" {
    run -1 sow probe mlp:784,256x50,10 --activation tanh --scheme 'normal{std=0.01}' --steps 1 --report out.html -q
    # the last layer's values are 1e-41, not 0
    grep -qF '<wbr>' out.html
    python3 - <<'PY'
import html, re
page = re.sub("<wbr>", "", open("out.html").read())
assert "Try: <code class=c>sow probe mlp:784,256x50,10 --set &#39;layers.*.weight=lecun_normal&#39; --activation tanh</code>" in page
assert "shrinks to 2<sup>-263.0</sup> of" in page
row = re.search(r"<td class=w>layers\.50</td><td>([0-9.]+)&times;10<sup>(-?\d+)</sup>", page)
assert row and row[2] == "-41", row
PY
    cat >m.lua <<'LUA'
local x = input { "batch", 8 }
for i = 1, 9 do
    x = x >> linear("fc" .. i, 8, 8)
end
rule("*.bias", zeros)
rule("*.weight", lecun_normal { gain = 0.1 })
LUA
    run -1 sow probe m.lua --report words.html -q
    grep -q 'From <code>fc1</code> to <code>fc8</code>, 7 layers further' words.html
    grep -q 'The signal <strong>shrinks</strong> forward, by a factor of 0.01 at each layer' words.html
}

@test "zeros stand at the foot of the axis, and long titles beside each other" {
    need gnuplot
    run -0 sow probe mlp:100,50x3,10 --activation tanh --set 'layers.3.weight=zeros' --plot zero.svg -q
    # of the gradient: all but the output; of the signal: the output
    [[ $(grep -c '^0,[0-7]$' zero.gp) -eq 8 ]]
    grep -q 'exactly 0' zero.svg
    run -0 sow probe mlp:16,16x9,2 --plot many.svg -q --compare 'normal{std=0.25/sqrt(fan_in)}' 'normal{std=1/sqrt(fan_in)}' \
        'normal{std=1.5/sqrt(fan_in)}' 'uniform{low=-0.1*sqrt(3),high=0.1*sqrt(3)}' 'normal{std=2/sqrt(fan_in)}' he_normal ones zeros
    grep -q 'vertical maxrows 4' many.gp
    # the whole band is within its axis
    python3 - <<'PY'
import csv, re
rows = [r for r in csv.DictReader(open("many.csv")) if r["is_result"] == "1"]
first, second = re.findall(r"^set yrange \[(\S+):(\S+)\]", open("many.gp").read(), re.M)[:2]
high = max(float(r["high"]) for r in rows if float(r["high"]) - float(r["low"]) < 6)
assert high < float(first[1]), (high, first)
PY
}

@test "a report names the file whose weights were measured, and breaks no number in a table" {
    run -0 sow init mlp:64,64x9,10 -o own.safetensors -q
    run -0 sow probe mlp:64,64x9,10 --weights own.safetensors --jacobian --report out.html -q
    grep -qF 'with the weights of <code>own.safetensors</code>' out.html
    grep -qF '<h2>Measured besides</h2>' out.html
    grep -qF 'E[s<sup>2</sup>]' out.html
    grep -qF '<wbr>1.4142135623730951}' out.html
}

@test "a report says where the way is exactly zero, and that seeds do not matter where they do not" {
    run -1 sow probe mlp:100,50x3,10 --activation tanh --scheme zeros --report out.html -q
    grep -qF 'The signal <strong>is exactly 0</strong> at both ends of the way forward.' out.html
    grep -qF 'as large with any other seed (seed noise 0)' out.html
    run -0 sow probe mlp:100,50x3,10 --activation tanh --set 'layers.3.weight=zeros' --report last.html -q
    grep -qF 'From <code>layers.0.tanh</code> to <code>layers.2.tanh</code>, 2 layers further' last.html
    grep -qF 'The gradient <strong>is exactly 0</strong> at both ends of the way backward.' last.html
}

@test "plain words and verdict agree, for models of few blocks too" {
    run -0 sow probe "$BATS_TEST_DIRNAME/../../examples/qwen3/config.json" --report out.html -q
    # the residual stream, from block to block
    grep -qE 'From <code>model.layers.0.add.2</code> to <code>model.layers.[0-9]+.add.2</code>' out.html
    [[ $(grep -c 'next to no' out.html) -eq 0 ]]
    grep -q 'The signal <strong>grows a little' out.html
}
