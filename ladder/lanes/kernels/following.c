// What follows a convolution or a linear layer, for one channel of 16 images: an activation, batch normalisation,
// another activation, dropout, pooling. Such a channel, 50 KB of a 28x28 map, is in the first or second level of the
// cache.
//
// The usual layers are fused: normalisation, ReLU and dropout are one pass forward and one backward, compiled for each
// choice of them. With a pass for each layer, net9's backward took 12.6 ms instead of 10.2 (Zen 4, AVX-512).
#include "block.h"

// A channel behind the first activation, from what was kept of it.
const vec *input_of_norm(const Block *s, const Scratch *w, const vec *kept) {
    if (slope_from_output(s->before)) return kept;
    activation_forward(w->inputs, kept, s->before, pixels_of(s));
    return w->inputs;
}

INLINE vec normalised(vec x, const Channel *c) {
    return fused(x - c->mean, splat(c->factor), splat(c->offset));
}

// y = normalised x, then ReLU, then dropout, each if it is there: one pass. Without normalisation, y = factor x.
INLINE void pass_forward(const int norm, const int relu, const int drops, vec *y, const vec *x, const Channel *c,
                         const Dropped *dropped, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        vec z = norm ? normalised(x[i], c) : x[i] * c->factor;
        if (relu) z = only(~(z < 0.f), z);
        if (drops) z = only(~dropped_lanes(dropped[i]), z);
        y[i] = z;
    }
}

// A channel from behind the first activation to behind dropout.
static void values_of(const Block *s, vec *y, const vec *x, const Channel *channel, const Dropped *dropped) {
    ptrdiff_t n = pixels_of(s);
    Channel scale = {.factor = s->scale};
    if (s->norm && !folds_scale(s)) {
        pass_forward(1, 0, 0, y, x, channel, dropped, n);
        activation_forward(y, y, s->after, n);
        x = y;
    }
    switch ((folds_scale(s) ? s->after == RELU ? 2 : 1 : 0) * 2 + (dropped != 0)) {
    case 0: pass_forward(0, 0, 0, y, x, &scale, dropped, n); return;
    case 1: pass_forward(0, 0, 1, y, x, &scale, dropped, n); return;
    case 2: pass_forward(1, 0, 0, y, x, channel, dropped, n); return;
    case 3: pass_forward(1, 0, 1, y, x, channel, dropped, n); return;
    case 4: pass_forward(1, 1, 0, y, x, channel, dropped, n); return;
    case 5: pass_forward(1, 1, 1, y, x, channel, dropped, n); return;
    }
}

// A channel of the output, from what was kept of it.
void finish(const Block *s, const Scratch *w, vec *out, const vec *kept, const Channel *channel,
            const Dropped *dropped) {
    const vec *x = input_of_norm(s, w, kept);
    int changes = s->norm || dropped || s->scale != 1;
    if (s->pool.kind) {
        if (changes) values_of(s, w->values, x, channel, dropped);
        pool_forward(out, changes ? w->values : x, &s->pool);
    } else if (changes || out != x) {
        values_of(s, out, x, channel, dropped);
    }
}

// --- backward -------------------------------------------------------------------------------------------------------

// Whether dropout's gradient is left to the passes below.
static int drops_in_pass(const Block *s) {
    return !s->norm || folds_scale(s);
}

// A channel's gradient from the output back to where one pass can do the rest: dropout, ReLU behind normalisation,
// normalisation. Pooling and other activations are done here, and then so is dropout.
static const vec *gradient_of_values(const Block *s, const Scratch *w, const vec *g, const vec *x,
                                     const Channel *channel, const Dropped *dropped) {
    ptrdiff_t n = pixels_of(s);
    if (s->pool.kind) {
        if (s->pool.kind == MAX_POOL) values_of(s, w->values, x, channel, dropped);
        pool_backward(w->slopes, g, w->values, &s->pool);
        g = w->slopes;
    }
    if (drops_in_pass(s)) return g;
    for (ptrdiff_t i = 0; i < n; i++) {
        vec slope = g[i] * s->scale;
        w->slopes[i] = dropped ? only(~dropped_lanes(dropped[i]), slope) : slope;
    }
    pass_forward(1, 0, 0, w->values, x, channel, 0, n);
    if (slope_from_output(s->after)) activation_forward(w->values, w->values, s->after, n);
    activation_backward(w->slopes, w->slopes, w->values, w->values, s->after, n);
    return w->slopes;
}

// g[i] behind dropout and a ReLU that follows normalisation.
INLINE vec passed_back(const int relu, const int drops, const vec *g, const vec *x, ptrdiff_t i, const Channel *c,
                       const Dropped *dropped) {
    vec slope = drops ? only(~dropped_lanes(dropped[i]), g[i]) : g[i];
    return relu ? only(~(normalised(x[i], c) <= 0.f), slope) : slope;
}

// The sums over a channel of one block that batch normalisation's gradient needs: of g, and of g (x - mean). Each is
// four sums, of every fourth pixel.
INLINE void pass_sums(const int relu, const int drops, vec *sum, vec *product, const vec *g, const vec *x,
                      const Channel *c, const Dropped *dropped, ptrdiff_t n) {
    vec s[4], p[4];
    UNROLL for (int j = 0; j < 4; j++) s[j] = p[j] = splat(0);
    ptrdiff_t i = 0;
    for (; i + 3 < n; i += 4) UNROLL for (int j = 0; j < 4; j++) {
        vec slope = passed_back(relu, drops, g, x, i + j, c, dropped);
        s[j] += slope;
        p[j] = fused(slope, x[i + j] - c->mean, p[j]);
    }
    for (; i < n; i++) {
        vec slope = passed_back(relu, drops, g, x, i, c, dropped);
        s[0] += slope;
        p[0] = fused(slope, x[i] - c->mean, p[0]);
    }
    *sum = (s[0] + s[1]) + (s[2] + s[3]);
    *product = (p[0] + p[1]) + (p[2] + p[3]);
}
void sums_for_norm(const Block *s, const Scratch *w, vec *sum, vec *product, const vec *g, const vec *kept,
                   const Channel *channel, const Dropped *dropped) {
    ptrdiff_t n = pixels_of(s);
    const vec *x = input_of_norm(s, w, kept);
    g = gradient_of_values(s, w, g, x, channel, dropped);
    const Dropped *left = drops_in_pass(s) ? dropped : 0;
    switch ((s->after == RELU) * 2 + (left != 0)) {
    case 0: pass_sums(0, 0, sum, product, g, x, channel, left, n); return;
    case 1: pass_sums(0, 1, sum, product, g, x, channel, left, n); return;
    case 2: pass_sums(1, 0, sum, product, g, x, channel, left, n); return;
    case 3: pass_sums(1, 1, sum, product, g, x, channel, left, n); return;
    }
}

// The gradient of the convolution's output, as its own passes read it, in one pass: through dropout, ReLU and
// normalisation, and through a ReLU before that (`first`), whose output x is then. Without normalisation, the factor is
// dropout's scale. Lanes beyond the block's images get 0.
INLINE void pass_backward(const int norm, const int relu, const int first, const int drops, Map to, const vec *g,
                          const vec *x, const Channel *c, const Dropped *dropped, ivec counts, int height, int width) {
    for (int row = 0; row < height; row++) {
        vec *out = (vec *)(to.at + row * to.row);
        for (int column = 0; column < width; column++) {
            ptrdiff_t i = (ptrdiff_t)row * width + column;
            vec slope = passed_back(relu, drops, g, x, i, c, dropped);
            if (norm) slope = fused(slope, splat(c->factor), fused(x[i] - c->mean, splat(c->slope), splat(c->shift)));
            else slope *= c->factor;
            out[column] = only(first ? counts & ~(x[i] <= 0.f) : counts, slope);
        }
    }
}
void gradient_of_product(const Block *s, const Scratch *w, Map to, const vec *g, const vec *kept,
                         const Channel *channel, const Dropped *dropped, int images) {
    ivec counts = first_lanes(images);
    int height = conv_height(&s->conv), width = conv_width(&s->conv);
    const vec *x = input_of_norm(s, w, kept);
    g = gradient_of_values(s, w, g, x, channel, dropped);
    const Dropped *left = drops_in_pass(s) ? dropped : 0;
#define PASS(NORM, RELU_AFTER, RELU_BEFORE, DROPS)                                                                     \
    pass_backward(NORM, RELU_AFTER, RELU_BEFORE, DROPS, to, g, x, channel, left, counts, height, width);               \
    break
    switch (s->norm * 8 + (s->norm && s->after == RELU) * 4 + (s->before == RELU) * 2 + (left != 0)) {
    case 0: PASS(0, 0, 0, 0);
    case 1: PASS(0, 0, 0, 1);
    case 2: PASS(0, 0, 1, 0);
    case 3: PASS(0, 0, 1, 1);
    case 8: PASS(1, 0, 0, 0);
    case 9: PASS(1, 0, 0, 1);
    case 10: PASS(1, 0, 1, 0);
    case 11: PASS(1, 0, 1, 1);
    case 12: PASS(1, 1, 0, 0);
    case 13: PASS(1, 1, 0, 1);
    case 14: PASS(1, 1, 1, 0);
    case 15: PASS(1, 1, 1, 1);
    }
    if (s->before == NO_ACTIVATION || s->before == RELU) return;
    for (int row = 0; row < height; row++, kept += width) {
        vec *slopes = (vec *)(to.at + row * to.row);
        activation_backward(slopes, slopes, kept, kept, s->before, width);
    }
}
