// Batch normalisation of channels, by the moments that each channel of each block leaves.
#pragma once
#include "lanes.h"

// Of one channel, whole batch.
typedef struct {
    float mean, inverse; // 1 / sqrt(variance + eps)
} Moments;

void moments_of_block(vec *sum, vec *squares, const vec *x, ptrdiff_t n);
Moments moments_of_batch(const vec *sums, const vec *squares, ptrdiff_t step, int images, ptrdiff_t n, float eps,
                         float momentum, float *running_mean, float *running_variance);
double sum_of_blocks(const vec *sums, ptrdiff_t step, int images);
