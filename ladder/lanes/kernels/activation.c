// Activations. x[n][16], y[n][16] and their gradients; outputs may lie over inputs.
#include "activation.h"

// relu(x) = x, or 0 where x < 0; a NaN stays, as in torch.
static void relu_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = only(~(x[i] < 0.f), x[i]);
}
static void relu_backward(vec *dx, const vec *g, const vec *y, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) dx[i] = only(~(y[i] <= 0.f), g[i]);
}

static void tanh_forward_pixels(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = tanh_lanes(x[i]);
}
// tanh'(x) = 1 - tanh(x)^2
static void tanh_backward(vec *dx, const vec *g, const vec *y, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) dx[i] = g[i] * fused(-y[i], y[i], splat(1));
}

// gelu(x) = x P(x), where P(x) = (1 + erf(x / sqrt 2)) / 2, the normal distribution; exact, as torch's nn.GELU is.
INLINE vec normal(vec x) {
    return fused(splat(0.5f), erf_lanes(x * 0.707106781f), splat(0.5f));
}
static void gelu_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = x[i] * normal(x[i]);
}
// gelu'(x) = P(x) + x p(x), where p is the normal density
static void gelu_backward(vec *dx, const vec *g, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        vec density = 0.398942280f * exp_lanes(-0.5f * x[i] * x[i]);
        dx[i] = g[i] * fused(x[i], density, normal(x[i]));
    }
}

// silu(x) = x s(x), where s(x) = 1 / (1 + exp(-x))
INLINE vec sigmoid(vec x) {
    return 1.f / (1.f + exp_lanes(-x));
}
static void silu_forward(vec *y, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = x[i] * sigmoid(x[i]);
}
// silu'(x) = s(x) (1 + x (1 - s(x)))
static void silu_backward(vec *dx, const vec *g, const vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        vec s = sigmoid(x[i]);
        dx[i] = g[i] * s * fused(x[i], 1.f - s, splat(1));
    }
}

void activation_forward(vec *y, const vec *x, Activation a, ptrdiff_t n) {
    if (a == RELU) relu_forward(y, x, n);
    if (a == TANH) tanh_forward_pixels(y, x, n);
    if (a == GELU) gelu_forward(y, x, n);
    if (a == SILU) silu_forward(y, x, n);
    if (a == NO_ACTIVATION && y != x)
        for (ptrdiff_t i = 0; i < n; i++) y[i] = x[i];
}

// x is read by GELU and SILU alone, y by the others.
void activation_backward(vec *dx, const vec *g, const vec *x, const vec *y, Activation a, ptrdiff_t n) {
    if (a == RELU) relu_backward(dx, g, y, n);
    if (a == TANH) tanh_backward(dx, g, y, n);
    if (a == GELU) gelu_backward(dx, g, x, n);
    if (a == SILU) silu_backward(dx, g, x, n);
    if (a == NO_ACTIVATION && dx != g)
        for (ptrdiff_t i = 0; i < n; i++) dx[i] = g[i];
}
