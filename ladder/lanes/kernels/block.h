// A block of layers: a convolution or a linear layer or neither, then an activation, batch normalisation, another
// activation, dropout and pooling, each if it is there.
#pragma once
#include "activation.h"
#include "conv.h"
#include "dropout.h"
#include "pool.h"

typedef enum { NO_PRODUCT, CONV, LINEAR } Product;

typedef struct {
    int32_t images, product;     // a Product; without one, conv has a kernel of 1 and as many channels out as in
    Conv conv;                   // a linear layer's features are its channels, on maps of 1 x 1
    int32_t before, norm, after; // Activations on both sides of batch normalisation, if norm
    float eps, momentum;
    float scale; // 1 / (1 - p) of dropout, or 1
    Pool pool;
} Block;

// Normalisation of one channel: factor (x - mean) + offset; and back: factor g + slope (x - mean) + shift. Without
// normalisation, the factor is dropout's scale, both ways.
typedef struct {
    float mean, factor, offset, slope, shift;
} Channel;

// What a channel of 16 images takes on its way through the layers that follow the product: one channel each.
typedef struct {
    vec *inputs; // behind the first activation
    vec *values; // behind dropout
    vec *slopes; // a gradient
} Scratch;

INLINE int blocks_of(const Block *s) {
    return (s->images + LANES - 1) / LANES;
}
INLINE ptrdiff_t pixels_of(const Block *s) {
    return (ptrdiff_t)conv_height(&s->conv) * conv_width(&s->conv);
}
INLINE ptrdiff_t pooled_of(const Block *s) {
    return (ptrdiff_t)pool_height(&s->pool) * pool_width(&s->pool);
}
// Whether dropout's scale can be part of the normalisation: s relu(z) = relu(s z).
INLINE int folds_scale(const Block *s) {
    return s->norm && (s->after == NO_ACTIVATION || s->after == RELU);
}

// One channel of one block; see following.c.
const vec *input_of_norm(const Block *s, const Scratch *w, const vec *kept);
void finish(const Block *s, const Scratch *w, vec *out, const vec *kept, const Channel *channel,
            const Dropped *dropped);
void sums_for_norm(const Block *s, const Scratch *w, vec *sum, vec *product, const vec *g, const vec *kept,
                   const Channel *channel, const Dropped *dropped);
void gradient_of_product(const Block *s, const Scratch *w, Map to, const vec *g, const vec *kept,
                         const Channel *channel, const Dropped *dropped, int images);
