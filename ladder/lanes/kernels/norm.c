// Batch normalisation (S. Ioffe and C. Szegedy, arXiv:1502.03167): y = gamma (x - mean) inverse + beta, where mean and
// variance are those of a channel over the batch. Images that fill up the last block do not count.
//
// A block leaves, for each lane, the sum of its n pixels and the sum of their squared distances from the lane's own
// mean. These are joined exactly as T. F. Chan et al. join samples (1979), in double, block by block, lane by lane: no
// difference of large squares is taken.
#include "norm.h"

static int lanes_of_block(int images, int block) {
    int left = images - block * LANES;
    return left < LANES ? left : LANES;
}

// x[n][16], one channel of a block. Each sum is four sums, of every fourth pixel: one alone would wait for its own last
// addition.
void moments_of_block(vec *sum, vec *squares, const vec *x, ptrdiff_t n) {
    vec s[4] = {}, q[4] = {};
    ptrdiff_t i = 0;
    for (; i + 3 < n; i += 4) UNROLL for (int j = 0; j < 4; j++) s[j] += x[i + j];
    for (; i < n; i++) s[0] += x[i];
    *sum = (s[0] + s[1]) + (s[2] + s[3]);
    vec mean = *sum / (float)n;
    for (i = 0; i + 3 < n; i += 4) UNROLL for (int j = 0; j < 4; j++) {
        vec d = x[i + j] - mean;
        q[j] = fused(d, d, q[j]);
    }
    for (; i < n; i++) {
        vec d = x[i] - mean;
        q[0] = fused(d, d, q[0]);
    }
    *squares = (q[0] + q[1]) + (q[2] + q[3]);
}

// sums[block * step][16] over all images, in double.
double sum_of_blocks(const vec *sums, ptrdiff_t step, int images) {
    double total = 0;
    for (int block = 0; block * LANES < images; block++)
        for (int lane = 0; lane < lanes_of_block(images, block); lane++) total += sums[block * step][lane];
    return total;
}

// The moments of one channel from those of its blocks, at sums[block * step]; n: pixels of an image. The running
// statistics move by `momentum` towards the batch's mean and unbiased variance.
Moments moments_of_batch(const vec *sums, const vec *squares, ptrdiff_t step, int images, ptrdiff_t n, float eps,
                         float momentum, float *running_mean, float *running_variance) {
    double count = (double)images * n, mean = sum_of_blocks(sums, step, images) / count, between = 0;
    for (int block = 0; block * LANES < images; block++)
        for (int lane = 0; lane < lanes_of_block(images, block); lane++) {
            double d = sums[block * step][lane] / (double)n - mean;
            between = between + d * d;
        }
    double variance = (sum_of_blocks(squares, step, images) + between * n) / count;
    *running_mean += momentum * ((float)mean - *running_mean);
    *running_variance += momentum * ((float)(variance * (count / (count - 1))) - *running_variance);
    return (Moments){mean, (float)(1 / __builtin_sqrt(variance + eps))};
}
