# SPDX-License-Identifier: MIT
# The one list of instruction sets. core/kernel/kernels_tmpl.c is compiled once a row, with
# -DSOW_ISA=<name> -DSOW_VEC_HEADER="<header>"; every other file of the core sees SOW_HAVE_<NAME>=1
# and the X-macro SOW_ISA_LIST of the generated "sow_isa_list.h". Weakest first: dispatch takes the
# last row that the CPU has. CPUS matches the target's processor.
#
#        name    header          CPUS                        FLAGS
sow_isa(scalar   vec_scalar.h    ".*")
sow_isa(sse41    vec_sse41.h     "^(x86_64|AMD64|amd64)$"    -msse4.1)
sow_isa(avx2     vec_avx2.h      "^(x86_64|AMD64|amd64)$"    -mavx2 -mfma -mf16c)
sow_isa(avx512   vec_avx512.h    "^(x86_64|AMD64|amd64)$"    -mavx512f -mavx512dq -mavx512vl -mavx512bw -mf16c -mfma)
sow_isa(neon     vec_neon.h      "^(aarch64|arm64|ARM64)$")
