// Activations of n pixels, and the gradients through them.
#pragma once
#include "functions.h"

typedef enum { NO_ACTIVATION, RELU, TANH, GELU, SILU } Activation;

// Whether the slope can be had from the output, so that the input may be overwritten.
INLINE int slope_from_output(Activation a) {
    return a != GELU && a != SILU;
}

void activation_forward(vec *y, const vec *x, Activation a, ptrdiff_t n);
void activation_backward(vec *dx, const vec *g, const vec *x, const vec *y, Activation a, ptrdiff_t n);
