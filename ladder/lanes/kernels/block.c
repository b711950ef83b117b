// A block of layers: a convolution or a linear layer or neither, then an activation, batch normalisation, another
// activation, dropout and pooling, each if it is there. What follows the convolution is done channel by channel, while
// the channel of 16 images is in the first or second level of the cache.
//
// x[blocks][in][height][width][16] -> kept[blocks][out][rows][columns][16] -> out[blocks][out][pooled rows, columns][16]
// kept is what the gradient needs: the convolution's output, behind the first activation where that has its slope from
// its output.
#include "activation.h"
#include "conv.h"
#include "dropout.h"
#include "linear.h"
#include "norm.h"
#include "pool.h"

typedef enum { NO_PRODUCT, CONV, LINEAR } Product;

typedef struct {
    int32_t images, product;     // a Product; without one, conv has a kernel of 1 and as many channels out as in
    Conv conv;                   // a linear layer's features are its channels, on maps of 1 x 1
    int32_t before, norm, after; // Activations on both sides of batch normalisation, if norm
    float eps, momentum;
    int32_t dropout;
    float scale; // 1 / (1 - p) of dropout, or 1
    Pool pool;
} Block;

// What a block's sums and pixels need beside its results, in one piece of memory.
typedef struct {
    float *packed, *turned;  // weights as the tiles read them
    vec *padded;             // x of one block with its border
    vec *map;                // kept of one block, where none is to be kept
    vec *gradient, *spread;  // of the convolution's output: with its border; spread by the stride
    vec *weight_lanes;       // the weight's gradient, not yet summed over lanes
    vec *values, *slopes;    // one channel each
    vec *inputs;             // one channel, behind the first activation
    vec *sums, *products;    // [block][channel], of each lane
    struct Channel *channel; // [channel]
    ptrdiff_t size;          // of all, in floats
} Work;

// Normalisation of one channel: factor (x - mean) + offset; and back: factor g + slope (x - mean) + shift.
typedef struct Channel {
    float mean, factor, offset, slope, shift;
} Channel;

static int blocks_of(const Block *s) {
    return (s->images + LANES - 1) / LANES;
}
static int border_of(const Block *s) { // around the gradient, so that the convolution back to x fits
    int border = conv_reach(&s->conv) - s->conv.padding;
    return s->product == CONV && s->conv.stride == 1 && border > 0 ? border : 0;
}
static int needs_spread(const Block *s) {
    return s->product == CONV && (s->conv.stride > 1 || conv_reach(&s->conv) < s->conv.padding);
}
static ptrdiff_t pixels_of(const Block *s) {
    return (ptrdiff_t)conv_height(&s->conv) * conv_width(&s->conv);
}
static ptrdiff_t pooled_of(const Block *s) {
    return (ptrdiff_t)pool_height(&s->pool) * pool_width(&s->pool);
}
// Whether dropout's scale can be part of the normalisation: s relu(z) = relu(s z).
static int folds_scale(const Block *s) {
    return s->norm && (s->after == NO_ACTIVATION || s->after == RELU);
}

static void *take(float *base, ptrdiff_t *used, ptrdiff_t floats) {
    float *at = base ? base + *used : 0;
    *used += (floats + LANES - 1) / LANES * LANES;
    return at;
}

static Work work_of(const Block *s, float *base) {
    const Conv *c = &s->conv;
    Work w = {};
    ptrdiff_t used = 0, pixels = pixels_of(s) * LANES, blocks = blocks_of(s), border = 2 * border_of(s);
    ptrdiff_t weights = s->product ? conv_weights(c) : 0, parts = s->product == LINEAR ? blocks : 1;
    w.packed = take(base, &used, weights);
    w.turned = take(base, &used, weights);
    if (s->product == CONV && c->padding)
        w.padded = take(base, &used, (ptrdiff_t)c->in * (c->height + 2 * c->padding) * (c->width + 2 * c->padding) * LANES);
    w.map = take(base, &used, parts * c->out * pixels);
    w.gradient = take(base, &used, parts * c->out * (conv_height(c) + border) * (conv_width(c) + border) * LANES);
    if (needs_spread(s))
        w.spread = take(base, &used, (ptrdiff_t)c->out * (c->height + conv_reach(c)) * (c->width + conv_reach(c)) * LANES);
    if (s->product == CONV) w.weight_lanes = take(base, &used, weights * LANES);
    w.values = take(base, &used, pixels);
    w.slopes = take(base, &used, pixels);
    w.inputs = take(base, &used, pixels);
    w.sums = take(base, &used, blocks * c->out * LANES);
    w.products = take(base, &used, blocks * c->out * LANES);
    w.channel = take(base, &used, (ptrdiff_t)c->out * sizeof(Channel) / sizeof(float));
    w.size = used;
    return w;
}

// The floats that block_forward and block_backward want as `work`.
EXPORT ptrdiff_t block_work(const Block *s) {
    return work_of(s, 0).size;
}

static void zero(vec *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) x[i] = splat(0);
}

// --- the layers one by one ------------------------------------------------------------------------------------------

// One block's input as the convolution reads it: with its border where it is padded. The border is laid beforehand.
static Map bordered_input(const Block *s, Work *w, const vec *x) {
    const Conv *c = &s->conv;
    Map from = map_of(x, c->height, c->width);
    if (!c->padding) return from;
    int height = c->height + 2 * c->padding, width = c->width + 2 * c->padding;
    Map to = map_of(w->padded, height, width);
    copy_map(to, from, c->in, c->height, c->width, 1, c->padding, height, width);
    return to;
}
static void lay_border(const Block *s, Work *w) {
    const Conv *c = &s->conv;
    if (w->padded) zero(w->padded, (ptrdiff_t)c->in * (c->height + 2 * c->padding) * (c->width + 2 * c->padding));
}

// A channel behind the first activation, from what was kept of it.
static const vec *input_of_norm(const Block *s, Work *w, const vec *kept) {
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
static void finish(const Block *s, Work *w, vec *out, const vec *kept, const Channel *channel, const Dropped *dropped) {
    const vec *x = input_of_norm(s, w, kept);
    int changes = s->norm || dropped || s->scale != 1;
    if (s->pool.kind) {
        if (changes) values_of(s, w->values, x, channel, dropped);
        pool_forward(out, changes ? w->values : x, &s->pool);
    } else if (changes || out != x) {
        values_of(s, out, x, channel, dropped);
    }
}

// --- forward --------------------------------------------------------------------------------------------------------

// kept: 0 in inference. moments[2][out]: the batch's means and 1 / sqrt(variance + eps), or 0 in inference, where the
// running statistics stand for them. dropped[blocks][out][rows][columns]: what dropout drops, from places[count].
// Returns how many of the places are fit to be dropped.
EXPORT ptrdiff_t block_forward(const Block *s, vec *out, vec *kept, float *moments, const vec *x, const float *weight,
                          const float *bias, const float *gamma, const float *beta, float *running_mean,
                          float *running_variance, Dropped *dropped, const int64_t *places, ptrdiff_t count, float *work) {
    const Conv *c = &s->conv;
    Work w = work_of(s, work);
    ptrdiff_t n = pixels_of(s), size = c->out * n, in_size = (ptrdiff_t)c->in * c->height * c->width;
    int blocks = blocks_of(s), norm_later = s->norm && moments;
    if (s->product == CONV) conv_pack(w.packed, weight, c);
    if (s->product == LINEAR) {
        linear_pack(w.packed, weight, c->in, c->out);
        linear_forward(kept ? kept : w.map, x, w.packed, bias, blocks, c->in, c->out);
    }
    lay_border(s, &w);
    ptrdiff_t marked = dropped ? mark_dropped(dropped, places, count, blocks, size) : 0;
    if (s->norm && !moments)
        for (int o = 0; o < c->out; o++) {
            float factor = gamma[o] * (float)(1 / __builtin_sqrt((double)running_variance[o] + s->eps));
            w.channel[o] = (Channel){running_mean[o], factor, beta[o], 0, 0};
        }

    for (int block = 0; block < blocks; block++) {
        const vec *x_block = x + block * in_size;
        vec *map = kept ? kept + block * size : s->product == LINEAR ? w.map + block * size : w.map;
        if (s->product == CONV) 
            conv_forward(map_of(map, conv_height(c), conv_width(c)), bordered_input(s, &w, x_block), w.packed, bias, c);
        for (int o = 0; o < c->out; o++) {
            vec *y = map + o * n;
            const vec *from = s->product ? y : x_block + o * n;
            if (slope_from_output(s->before)) activation_forward(y, from, s->before, n);
            else if (y != from) activation_forward(y, from, NO_ACTIVATION, n);
            ptrdiff_t at = (ptrdiff_t)block * c->out + o;
            if (norm_later) {
                moments_of_block(w.sums + at, w.products + at, input_of_norm(s, &w, y), n);
            } else {
                finish(s, &w, out + at * pooled_of(s), y, w.channel + o, dropped ? dropped + at * n : 0);
            }
        }
    }
    if (!norm_later) return marked;

    for (int o = 0; o < c->out; o++) {
        Moments m = moments_of_batch(w.sums + o, w.products + o, c->out, s->images, n, s->eps, s->momentum,
                                     running_mean + o, running_variance + o);
        float scale = folds_scale(s) ? s->scale : 1;
        moments[o] = m.mean;
        moments[c->out + o] = m.inverse;
        w.channel[o] = (Channel){m.mean, gamma[o] * m.inverse * scale, beta[o] * scale, 0, 0};
    }
    for (int block = 0; block < blocks; block++)
        for (int o = 0; o < c->out; o++) {
            ptrdiff_t at = (ptrdiff_t)block * c->out + o;
            finish(s, &w, out + at * pooled_of(s), kept + at * n, w.channel + o, dropped ? dropped + at * n : 0);
        }
    return marked;
}

// --- backward -------------------------------------------------------------------------------------------------------

// A channel's gradient from the output back to where one pass can do the rest: dropout, ReLU behind normalisation, and
// normalisation. Pooling and other activations are done here, and then so is dropout.
static const vec *gradient_of_values(const Block *s, Work *w, const vec *g, const vec *x, const Channel *channel,
                                     const Dropped *dropped) {
    ptrdiff_t n = pixels_of(s);
    if (s->pool.kind) {
        if (s->pool.kind == MAX_POOL) values_of(s, w->values, x, channel, dropped);
        pool_backward(w->slopes, g, w->values, &s->pool);
        g = w->slopes;
    }
    if (!s->norm || folds_scale(s)) return g;
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
static void sums_for_norm(int relu, vec *sum, vec *product, const vec *g, const vec *x, const Channel *c,
                          const Dropped *dropped, ptrdiff_t n) {
    switch (relu * 2 + (dropped != 0)) {
    case 0: pass_sums(0, 0, sum, product, g, x, c, dropped, n); return;
    case 1: pass_sums(0, 1, sum, product, g, x, c, dropped, n); return;
    case 2: pass_sums(1, 0, sum, product, g, x, c, dropped, n); return;
    case 3: pass_sums(1, 1, sum, product, g, x, c, dropped, n); return;
    }
}

// The gradient of the convolution's output, as its own passes read it, in one pass: through dropout, ReLU and
// normalisation, and through a ReLU before that (`first`), whose output x is then. Without normalisation, the factor is
// dropout's scale. Lanes without an image get 0.
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
static void gradient_of_product(int norm, int relu, int first, Map to, const vec *g, const vec *x, const Channel *c,
                                const Dropped *dropped, ivec counts, int height, int width) {
#define PASS(NORM, RELU, FIRST, DROPS)                                                                                 \
    pass_backward(NORM, RELU, FIRST, DROPS, to, g, x, c, dropped, counts, height, width);                              \
    return
    switch (norm * 8 + relu * 4 + first * 2 + (dropped != 0)) {
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
}

static vec sum_of_map(Map g, int height, int width) {
    vec sum = {};
    for (int row = 0; row < height; row++) {
        vec of_row = {};
        for (int column = 0; column < width; column++) of_row += *(const vec *)(g.at + row * g.row + column * LANES);
        sum += of_row;
    }
    return sum;
}

// dx: 0 where it is not wanted. d_weight as weight, d_bias, d_gamma, d_beta [out]: 0 where there are none.
EXPORT void block_backward(const Block *s, vec *dx, float *d_weight, float *d_bias, float *d_gamma, float *d_beta,
                           const vec *g, const vec *x, const vec *kept, const float *moments, const float *weight,
                           const float *gamma, const float *beta, const Dropped *dropped, float *work) {
    const Conv *c = &s->conv;
    Work w = work_of(s, work);
    int blocks = blocks_of(s), height = conv_height(c), width = conv_width(c), border = dx ? border_of(s) : 0;
    int norm = s->norm, relu = norm && s->after == RELU, drops_here = !norm || folds_scale(s);
    ptrdiff_t n = pixels_of(s), size = c->out * n, in_size = (ptrdiff_t)c->in * c->height * c->width, pooled = pooled_of(s);
    float scale = drops_here ? s->scale : 1;

    for (int o = 0; o < c->out; o++)
        w.channel[o] = norm ? (Channel){moments[o], gamma[o] * moments[c->out + o] * scale, beta[o] * scale, 0, 0}
                            : (Channel){.factor = scale};
    if (norm) {
        for (int block = 0; block < blocks; block++)
            for (int o = 0; o < c->out; o++) {
                ptrdiff_t at = (ptrdiff_t)block * c->out + o;
                const Dropped *drops = dropped ? dropped + at * n : 0;
                const vec *from = input_of_norm(s, &w, kept + at * n);
                const vec *slopes = gradient_of_values(s, &w, g + at * pooled, from, w.channel + o, drops);
                sums_for_norm(relu, w.sums + at, w.products + at, slopes, from, w.channel + o, drops_here ? drops : 0, n);
            }
        for (int o = 0; o < c->out; o++) {
            double sum = sum_of_blocks(w.sums + o, c->out, s->images), product = sum_of_blocks(w.products + o, c->out, s->images);
            double all = (double)s->images * n, inverse = moments[c->out + o], factor = w.channel[o].factor;
            w.channel[o].slope = -factor * inverse * inverse * product / all;
            w.channel[o].shift = -factor * sum / all;
            d_gamma[o] = product * inverse * scale;
            d_beta[o] = sum * scale;
        }
    }

    if (s->product == CONV) {
        lay_border(s, &w);
        if (dx) conv_pack_turned(w.turned, weight, c);
        zero(w.weight_lanes, conv_weights(c));
        if (border) zero(w.gradient, c->out * (height + 2 * border) * (width + 2 * border));
        if (dx && w.spread) zero(w.spread, (ptrdiff_t)c->out * (c->height + conv_reach(c)) * (c->width + conv_reach(c)));
    }
    for (int block = 0; block < blocks; block++) {
        ivec counts = first_lanes(s->images - (ptrdiff_t)block * LANES);
        vec *dense = s->product == NO_PRODUCT ? dx + block * in_size : s->product == LINEAR ? w.gradient + block * size : w.gradient;
        Map to = map_of(dense, height + 2 * border, width + 2 * border);
        to.at += border * to.row + border * LANES;
        for (int o = 0; o < c->out; o++) {
            ptrdiff_t at = (ptrdiff_t)block * c->out + o;
            const Dropped *drops = dropped ? dropped + at * n : 0;
            const vec *y = kept + at * n, *from = input_of_norm(s, &w, y);
            const vec *slopes = gradient_of_values(s, &w, g + at * pooled, from, w.channel + o, drops);
            Map target = {to.at + o * to.channel, to.row, to.channel};
            gradient_of_product(norm, relu, s->before == RELU, target, slopes, from, w.channel + o,
                                drops_here ? drops : 0, counts, height, width);
            if (s->before != NO_ACTIVATION && s->before != RELU)
                for (int row = 0; row < height; row++) {
                    vec *slope = (vec *)(target.at + row * target.row);
                    activation_backward(slope, slope, y + row * width, y + row * width, s->before, width);
                }
            if (d_bias) w.sums[at] = sum_of_map(target, height, width);
        }
        if (s->product != CONV) continue;
        Map input = bordered_input(s, &w, x + block * in_size);
        conv_backward_weight(w.weight_lanes, input, to, c);
        if (!dx) continue;
        Map spread = {to.at - border * (to.row + LANES), to.row, to.channel};
        if (w.spread) {
            int tall = c->height + conv_reach(c), wide = c->width + conv_reach(c);
            spread = map_of(w.spread, tall, wide);
            copy_map(spread, to, c->out, height, width, c->stride, conv_reach(c) - c->padding, tall, wide);
        }
        conv_backward_input(dx + block * in_size, spread, w.turned, c);
    }
    if (s->product == CONV)
        for (ptrdiff_t i = 0; i < conv_weights(c); i++) d_weight[i] = sum_lanes(w.weight_lanes[i]);
    if (s->product == LINEAR) {
        linear_backward_weight(d_weight, x, w.gradient, blocks, c->in, c->out);
        if (dx) {
            linear_pack_transposed(w.turned, weight, c->in, c->out);
            linear_forward(dx, w.gradient, w.turned, 0, blocks, c->out, c->in);
        }
    }
    if (d_bias)
        for (int o = 0; o < c->out; o++) d_bias[o] = sum_of_blocks(w.sums + o, c->out, s->images);
}
