// The functions of functions.h over vectors of any length, for Python and for the tests.
#include "functions.h"

// Each function: y[n][16] = f(x[n][16]).
EXPORT void exp_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = exp_lanes(x[i]);
}
EXPORT void log_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = log_lanes(x[i]);
}
EXPORT void tanh_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = tanh_lanes(x[i]);
}
EXPORT void erf_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = erf_lanes(x[i]);
}
EXPORT void sqrt_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = sqrt_lanes(x[i]);
}
// y[n][16] = a * b + c, rounded once.
EXPORT void fused_forward(vec *y, const vec *a, const vec *b, const vec *c, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = fused(a[i], b[i], c[i]);
}
