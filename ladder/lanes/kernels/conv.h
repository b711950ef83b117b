// Convolution of one block of 16 images, its gradients, and maps with a border.
#pragma once
#include "tiles.h"

typedef struct {
    int32_t in, out, height, width; // channels; rows and columns of the input, without its padding
    int32_t kernel, stride, padding, dilation, groups;
} Conv;

INLINE int conv_reach(const Conv *c) { // from a window's first input to its last
    return c->dilation * (c->kernel - 1);
}
INLINE int conv_height(const Conv *c) {
    return (c->height + 2 * c->padding - conv_reach(c) - 1) / c->stride + 1;
}
INLINE int conv_width(const Conv *c) {
    return (c->width + 2 * c->padding - conv_reach(c) - 1) / c->stride + 1;
}
INLINE ptrdiff_t conv_weights(const Conv *c) {
    return (ptrdiff_t)c->out * (c->in / c->groups) * c->kernel * c->kernel;
}

// A map whose rows and channels need not lie end to end, such as the inside of one with a border.
typedef struct {
    float *at;              // the first pixel
    ptrdiff_t row, channel; // strides in floats
} Map;

INLINE Map map_of(const vec *dense, int height, int width) {
    return (Map){(float *)dense, (ptrdiff_t)width * LANES, (ptrdiff_t)height * width * LANES};
}

void conv_pack(float *packed, const float *w, const Conv *c);
void conv_pack_turned(float *packed, const float *w, const Conv *c);
void conv_forward(Map out, Map x, const float *packed, const float *bias, const Conv *c);
void conv_backward_input(vec *dx, Map g, const float *turned, const Conv *c);
void conv_backward_weight(vec *dw, Map x, Map g, const Conv *c);
void copy_map(Map to, Map from, int channels, int height, int width, int step, int top, int to_height, int to_width);
