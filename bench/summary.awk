# SPDX-License-Identifier: MIT
# Lines "who distribution dtype threads ns" -> a table of medians on stdout, and the same as JSON in the file JSON.
function median(key, n, i, j, swap) {
    n = count[key]
    for (i = 1; i <= n; i++) sorted[i] = value[key, i]
    for (i = 1; i < n; i++) for (j = i + 1; j <= n; j++) if (sorted[j] < sorted[i]) {
        swap = sorted[i]; sorted[i] = sorted[j]; sorted[j] = swap
    }
    least[key] = sorted[1]
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}
function cell(key) { return count[key] ? sprintf("%.3f", middle[key]) : "-" }
function ratio(key, mine) { return count[key] ? sprintf("%.1fx", middle[key] / middle[mine]) : "-" }
BEGIN { FS = "\t" }
$1 == "isa" { isa = $2; next }
$1 == "version" { if (!index(versions, $2)) versions = versions " " $2; next }
{ key = $1 SUBSEP $2 SUBSEP $3 SUBSEP $4; value[key, ++count[key]] = $5; if (!(key in seen)) { seen[key] = 1; keys[++total] = key } }
END {
    for (i = 1; i <= total; i++) middle[keys[i]] = median(keys[i])
    printf "67,108,864 elements, warm buffer, ns per element, medians of %s; instruction set %s;%s\n\n", ROUNDS " rounds", isa, versions
    printf "%-13s %-5s %-7s %8s %8s %9s %8s %9s %8s %9s\n", "distribution", "dtype", "threads", "sow", "memset", "of memset", "torch", "vs torch", "numpy", "vs numpy"
    split("uniform normal trunc_normal", distributions, " "); split("f32 bf16", dtypes, " "); split("1 all", threads, " ")
    printf "{\"elements\":67108864,\"isa\":\"%s\",\"versions\":\"%s\",\"unit\":\"ns per element\",\"results\":[", isa, substr(versions, 2) > JSON
    for (t = 1; t <= 2; t++) for (d = 1; d <= 3; d++) for (k = 1; k <= 2; k++) {
        rest = distributions[d] SUBSEP dtypes[k] SUBSEP threads[t]
        mine = "sow" SUBSEP rest
        if (!count[mine]) continue
        zero = "memset" SUBSEP "memset" SUBSEP dtypes[k] SUBSEP threads[t]
        torch = "torch" SUBSEP rest; numpy = "numpy" SUBSEP rest
        printf "%-13s %-5s %-7s %8s %8s %8.1fx %8s %9s %8s %9s\n", distributions[d], dtypes[k], threads[t], cell(mine), cell(zero), middle[mine] / middle[zero], cell(torch), ratio(torch, mine), cell(numpy), ratio(numpy, mine)
        printf "%s\n{\"distribution\":\"%s\",\"dtype\":\"%s\",\"threads\":\"%s\",\"sow\":%s,\"sow_min\":%s,\"memset\":%s", comma, distributions[d], dtypes[k], threads[t], cell(mine), least[mine], cell(zero) > JSON
        if (count[torch]) printf ",\"torch\":%s", cell(torch) > JSON
        if (count[numpy]) printf ",\"numpy\":%s", cell(numpy) > JSON
        printf "}" > JSON
        comma = ","
    }
    printf "\n]}\n" > JSON
}
