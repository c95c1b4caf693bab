/* SPDX-License-Identifier: MIT */
/* Names that follow REAL (32 or 64), so that draw_tmpl.h is written once for both widths.
 *
 * vf and vi are the vectors of REAL-bit floats and integers, vf_add the addition of that width, and so on:
 * the vocabulary of vec_scalar.h without the digits. FN(name) is name_f32 or name_f64. */
#ifndef SOW_KERNEL_REAL_H
#define SOW_KERNEL_REAL_H

#define SOW_PASTE(a, b)        a##b
#define SOW_CAT(a, b)          SOW_PASTE(a, b)
#define SOW_PASTE4(a, b, c, d) a##b##c##d
#define SOW_CAT4(a, b, c, d)   SOW_PASTE4(a, b, c, d)
#define SOW_TEXT_OF(a)         #a
#define SOW_TEXT(a)            SOW_TEXT_OF(a)

#define FN(name)           SOW_CAT(name##_f, REAL)
#define VEC_TYPE(kind)     SOW_CAT4(v, kind, REAL, )
#define VEC_OP(kind, name) SOW_CAT4(v, kind, REAL, _##name)

#define vf           VEC_TYPE(f)
#define vi           VEC_TYPE(i)
#define vf_set       VEC_OP(f, set)
#define vf_load      VEC_OP(f, load)
#define vf_store     VEC_OP(f, store)
#define vf_fma       VEC_OP(f, fma)
#define vf_clamp     VEC_OP(f, clamp)
#define vf_from_int  VEC_OP(f, from_int)
#define vf_bits      VEC_OP(f, bits)
#define vf_from_bits VEC_OP(f, from_bits)
#define vi_set       VEC_OP(i, set)
#define vi_or        VEC_OP(i, or)
#define vi_sar       VEC_OP(i, sar)

#endif
