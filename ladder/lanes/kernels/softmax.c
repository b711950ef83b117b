// Softmax and its logarithm over n classes: x[blocks][n][16]. Each lane is an image, so no sum crosses lanes.
//
// m = max x, log_softmax(x)[i] = (x[i] - m) - log(sum over j of exp(x[j] - m)), in the order of classes.
#include "functions.h"

INLINE vec largest_of(const vec *x, ptrdiff_t n) {
    vec largest = x[0];
    for (ptrdiff_t i = 1; i < n; i++) largest = choose((x[i] > largest) | (x[i] != x[i]), x[i], largest);
    return largest;
}

EXPORT void softmax_forward(vec *y, const vec *x, ptrdiff_t blocks, ptrdiff_t n) {
    for (ptrdiff_t block = 0; block < blocks; block++, x += n, y += n) {
        vec largest = largest_of(x, n), sum = {};
        for (ptrdiff_t i = 0; i < n; i++) sum += y[i] = exp_lanes(x[i] - largest);
        for (ptrdiff_t i = 0; i < n; i++) y[i] /= sum;
    }
}
// dx[i] = y[i] (g[i] - sum over j of g[j] y[j])
EXPORT void softmax_backward(vec *dx, const vec *g, const vec *y, ptrdiff_t blocks, ptrdiff_t n) {
    for (ptrdiff_t block = 0; block < blocks; block++, dx += n, g += n, y += n) {
        vec sum = {};
        for (ptrdiff_t i = 0; i < n; i++) sum = fused(g[i], y[i], sum);
        for (ptrdiff_t i = 0; i < n; i++) dx[i] = y[i] * (g[i] - sum);
    }
}

EXPORT void log_softmax_forward(vec *y, const vec *x, ptrdiff_t blocks, ptrdiff_t n) {
    for (ptrdiff_t block = 0; block < blocks; block++, x += n, y += n) {
        vec largest = largest_of(x, n), sum = {};
        for (ptrdiff_t i = 0; i < n; i++) sum += exp_lanes(x[i] - largest);
        vec log = log_lanes(sum);
        for (ptrdiff_t i = 0; i < n; i++) y[i] = x[i] - largest - log;
    }
}
// dx[i] = g[i] - exp(y[i]) sum over j of g[j]
EXPORT void log_softmax_backward(vec *dx, const vec *g, const vec *y, ptrdiff_t blocks, ptrdiff_t n) {
    for (ptrdiff_t block = 0; block < blocks; block++, dx += n, g += n, y += n) {
        vec sum = {};
        for (ptrdiff_t i = 0; i < n; i++) sum += g[i];
        for (ptrdiff_t i = 0; i < n; i++) dx[i] = fused(-exp_lanes(y[i]), sum, g[i]);
    }
}
