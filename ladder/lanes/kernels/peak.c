// The processor's own limit, to measure kernels by: fused multiply-adds with nothing else to do.
#include "lanes.h"

// As many independent sums as keep two units busy through a latency of 4 to 5 cycles, and as registers hold.
enum { SUMS = 12 };

// `rounds` times SUMS fused multiply-adds on one register each: 2 * SUMS * PART floating-point operations a round.
EXPORT float peak(ptrdiff_t rounds, float factor, float offset) {
    part sum[SUMS], f = splat_part(factor), g = splat_part(offset);
    UNROLL for (int i = 0; i < SUMS; i++) sum[i] = splat_part(i);
    for (ptrdiff_t round = 0; round < rounds; round++)
        UNROLL for (int i = 0; i < SUMS; i++) sum[i] = fused(sum[i], f, g);
    UNROLL for (int i = 1; i < SUMS; i++) sum[0] += sum[i];
    return sum[0][0];
}
EXPORT ptrdiff_t peak_operations(void) {
    return 2 * SUMS * PART;
}
