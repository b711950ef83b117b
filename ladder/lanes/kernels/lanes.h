// What every kernel shares: the vector whose lanes are 16 images, the part of it that one register holds, and the
// arithmetic on both.
//
// A map is [block][channel][row][column][16 images] in float32, 64-byte aligned: one `vec` is one pixel of 16 images.
// The same bytes come out of every processor, because
// - every product that is added is fused by name, and the compiler fuses nothing by itself (-ffp-contract=off);
// - a sum runs in the order that its kernel's comment gives, whatever the tiles are;
// - lanes are added last, in the order of `sum_lanes`;
// - square roots and divisions are exact by IEEE 754, and exp, log, tanh and erf are our own (functions.h).
#pragma once
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
#define OVERLOAD INLINE __attribute__((overloadable))
#define UNROLL _Pragma("clang loop unroll(full)")

enum { LANES = 16 };
typedef float vec __attribute__((vector_size(64)));    // one value of 16 images
typedef int32_t ivec __attribute__((vector_size(64))); // a comparison of two vecs: -1 where it holds, 0 elsewhere

// A part is as many lanes as one register holds. Kernels that keep a tile of sums in registers work on parts.
#if defined(__AVX512F__)
enum { PART = 16, REGISTERS = 32 };
#elif defined(__AVX__)
enum { PART = 8, REGISTERS = 16 };
#elif defined(__aarch64__)
enum { PART = 4, REGISTERS = 32 };
#else
enum { PART = 4, REGISTERS = 16 };
#endif
enum { PARTS = LANES / PART };
typedef float part __attribute__((vector_size(4 * PART)));

// --- fused(a, b, c): a * b + c, rounded once ------------------------------------------------------------------------

#if defined(__FMA__) || defined(__aarch64__)
#define fused(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
// Without such an instruction, for any number of lanes: the product of two floats is exact in double, and the sum is
// rounded to odd, so that rounding it once more, to float, gives what one rounding would have given. (S. Boldo and
// G. Melquiond, Emulation of a FMA and correctly rounded sums, 2008.)
#define DEFINE_FUSED(T, N)                                                                                             \
    OVERLOAD T fused(T a, T b, T c) {                                                                                  \
        typedef double wide __attribute__((vector_size(8 * N)));                                                       \
        typedef int64_t bits __attribute__((vector_size(8 * N)));                                                      \
        wide p = __builtin_convertvector(a, wide) * __builtin_convertvector(b, wide);                                  \
        wide q = __builtin_convertvector(c, wide), sum = p + q, t = sum - p, error = (p - (sum - t)) + (q - t);        \
        bits inexact = (error < 0) | (error > 0), even = ((bits)sum & 1) - 1; /* a NaN is neither, and stays */        \
        bits outwards = ((error > 0) == (sum > 0)) & 1;                                                                \
        sum = (wide)((bits)sum + (inexact & even & (2 * outwards - 1)));                                               \
        return __builtin_convertvector(sum, T);                                                                        \
    }
DEFINE_FUSED(vec, LANES)
DEFINE_FUSED(part, PART)
OVERLOAD float fused(float a, float b, float c) {
    return fused((part){a}, (part){b}, (part){c})[0];
}
#endif

// --- one value in every lane, and choices ---------------------------------------------------------------------------

INLINE vec splat(float x) { // not (vec){} + x, an addition that must be done, as 0 + -0 is 0
    vec y;
    UNROLL for (int i = 0; i < LANES; i++) y[i] = x;
    return y;
}
INLINE part splat_part(float x) {
    part y;
    UNROLL for (int i = 0; i < PART; i++) y[i] = x;
    return y;
}
// a where the mask is set, and b elsewhere.
INLINE vec choose(ivec mask, vec a, vec b) {
    return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}
// x where the mask is set, and exactly +0 elsewhere.
INLINE vec only(ivec mask, vec x) {
    return (vec)(mask & (ivec)x);
}
INLINE vec absolute(vec x) {
    return (vec)((ivec)x & 0x7fffffff);
}
// The mask of the first n lanes, of all where n >= 16. The images that fill up the last block have none.
INLINE ivec first_lanes(ptrdiff_t n) {
    const ivec number = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    int32_t limit = n < LANES ? (int32_t)n : LANES;
    return number < limit;
}

// --- sums across lanes ----------------------------------------------------------------------------------------------

// The sum of 16 lanes: lane i and i + 8, then i and i + 4, i and i + 2, i and i + 1.
INLINE float sum_lanes(vec x) {
    UNROLL for (int half = LANES / 2; half; half /= 2) UNROLL for (int i = 0; i < half; i++) x[i] += x[i + half];
    return x[0];
}
