// The passes of a block over a batch: 16 images at a time, all layers of the block while they are in the cache. Only
// batch normalisation needs the whole batch before it can go on, so it parts a pass in two.
//
// x[blocks][in][height][width][16] -> kept[blocks][out][rows][columns][16] -> out[blocks][out][pooled][pooled][16]
// kept is what the gradient needs: the product, behind the first activation where that has its slope from its output.
#include "block.h"
#include "linear.h"
#include "norm.h"

// What a block's sums and pixels need beside its results, in one piece of memory.
typedef struct {
    float *packed, *turned; // weights as the tiles read them
    vec *padded;            // x of one block with its border
    vec *map;               // kept of one block, where none is to be kept; of all for a linear layer
    vec *gradient;          // of the product of one block, with its border; of all for a linear layer
    vec *spread;            // the same spread by the stride
    vec *weight_lanes;      // the weight's gradient, not yet summed over lanes
    vec *sums, *products;   // [block][channel], of each lane
    Channel *channel;       // [channel]
    Scratch scratch;
    ptrdiff_t size; // of all, in floats
} Work;

static int border_of(const Block *s) { // around the gradient, so that the convolution back to x fits
    int border = conv_reach(&s->conv) - s->conv.padding;
    return s->product == CONV && s->conv.stride == 1 && border > 0 ? border : 0;
}
static int needs_spread(const Block *s) {
    return s->product == CONV && (s->conv.stride > 1 || conv_reach(&s->conv) < s->conv.padding);
}
static ptrdiff_t pixels_in(const Conv *c) { // of all channels
    return (ptrdiff_t)c->in * c->height * c->width;
}
static ptrdiff_t padded_pixels(const Conv *c) {
    return (ptrdiff_t)(c->height + 2 * c->padding) * (c->width + 2 * c->padding);
}
static ptrdiff_t spread_pixels(const Conv *c) {
    return (ptrdiff_t)(c->height + conv_reach(c)) * (c->width + conv_reach(c));
}

// The next `floats` of the memory at base, from a multiple of 64 bytes on; nothing where only the size is asked for.
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
    if (s->product == CONV && c->padding) w.padded = take(base, &used, c->in * padded_pixels(c) * LANES);
    w.map = take(base, &used, parts * c->out * pixels);
    w.gradient = take(base, &used, parts * c->out * (conv_height(c) + border) * (conv_width(c) + border) * LANES);
    if (needs_spread(s)) w.spread = take(base, &used, c->out * spread_pixels(c) * LANES);
    if (s->product == CONV) w.weight_lanes = take(base, &used, weights * LANES);
    w.sums = take(base, &used, blocks * c->out * LANES);
    w.products = take(base, &used, blocks * c->out * LANES);
    w.channel = take(base, &used, c->out * (ptrdiff_t)(sizeof(Channel) / sizeof(float)));
    w.scratch = (Scratch){take(base, &used, pixels), take(base, &used, pixels), take(base, &used, pixels)};
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

// One block's input as the convolution reads it: with its border, which has been laid before, where it is padded.
static Map bordered_input(const Block *s, const Work *w, const vec *x) {
    const Conv *c = &s->conv;
    Map from = map_of(x, c->height, c->width);
    if (!w->padded) return from;
    int height = c->height + 2 * c->padding, width = c->width + 2 * c->padding;
    Map to = map_of(w->padded, height, width);
    copy_map(to, from, c->in, c->height, c->width, 1, c->padding, height, width);
    return to;
}

// --- forward --------------------------------------------------------------------------------------------------------

// The product of one block, up to behind the first activation; a linear layer's is there already.
static void product_forward(const Block *s, const Work *w, vec *y, const vec *x, const float *bias) {
    const Conv *c = &s->conv;
    const vec *from = s->product ? y : x;
    if (s->product == CONV)
        conv_forward(map_of(y, conv_height(c), conv_width(c)), bordered_input(s, w, x), w->packed, bias, c);
    activation_forward(y, from, slope_from_output(s->before) ? s->before : NO_ACTIVATION, c->out * pixels_of(s));
}

// Normalisation by the running statistics.
static void norm_of_inference(const Block *s, Channel *channel, const float *gamma, const float *beta,
                              const float *mean, const float *variance) {
    for (int o = 0; o < s->conv.out; o++) {
        float inverse = 1 / __builtin_sqrt((double)variance[o] + s->eps);
        channel[o] = (Channel){mean[o], gamma[o] * inverse, beta[o], 0, 0};
    }
}

// Normalisation by the batch's moments[2][out], in both passes.
static void norm_of_batch(const Block *s, Channel *channel, const float *gamma, const float *beta,
                          const float *moments) {
    float scale = folds_scale(s) ? s->scale : 1;
    for (int o = 0; o < s->conv.out; o++)
        channel[o] = (Channel){moments[o], gamma[o] * moments[s->conv.out + o] * scale, beta[o] * scale, 0, 0};
}

// kept: 0 in inference. moments[2][out]: the batch's means and 1 / sqrt(variance + eps), or 0 in inference, where the
// running statistics stand for them. dropped[blocks][out][rows][columns]: what dropout drops, from places[count].
// Returns how many of the places are fit to be dropped.
EXPORT ptrdiff_t block_forward(const Block *s, vec *out, vec *kept, float *moments, const vec *x, const float *weight,
                               const float *bias, const float *gamma, const float *beta, float *running_mean,
                               float *running_variance, Dropped *dropped, const int64_t *places, ptrdiff_t count,
                               float *work) {
    const Conv *c = &s->conv;
    Work w = work_of(s, work);
    ptrdiff_t n = pixels_of(s), size = c->out * n, pooled = pooled_of(s), in_size = pixels_in(c);
    int blocks = blocks_of(s), norm_later = s->norm && moments;
    ptrdiff_t marked = dropped ? mark_dropped(dropped, places, count, blocks, size) : 0;
    if (s->product == CONV) conv_pack(w.packed, weight, c);
    if (s->product == LINEAR) {
        linear_pack(w.packed, weight, c->in, c->out);
        linear_forward(kept ? kept : w.map, x, w.packed, bias, blocks, c->in, c->out);
    }
    if (w.padded) zero(w.padded, c->in * padded_pixels(c));
    if (s->norm && !moments) norm_of_inference(s, w.channel, gamma, beta, running_mean, running_variance);

    for (int block = 0; block < blocks; block++) {
        vec *map = kept ? kept + block * size : s->product == LINEAR ? w.map + block * size : w.map;
        product_forward(s, &w, map, x + block * in_size, bias);
        for (int o = 0; o < c->out; o++) {
            ptrdiff_t at = (ptrdiff_t)block * c->out + o;
            const vec *y = map + o * n;
            if (norm_later) moments_of_block(w.sums + at, w.products + at, input_of_norm(s, &w.scratch, y), n);
            else finish(s, &w.scratch, out + at * pooled, y, w.channel + o, dropped ? dropped + at * n : 0);
        }
    }
    if (!norm_later) return marked;

    for (int o = 0; o < c->out; o++) {
        Moments m = moments_of_batch(w.sums + o, w.products + o, c->out, s->images, n, s->eps, s->momentum,
                                     running_mean + o, running_variance + o);
        moments[o] = m.mean;
        moments[c->out + o] = m.inverse;
    }
    norm_of_batch(s, w.channel, gamma, beta, moments);
    for (ptrdiff_t at = 0; at < (ptrdiff_t)blocks * c->out; at++)
        finish(s, &w.scratch, out + at * pooled, kept + at * n, w.channel + at % c->out,
               dropped ? dropped + at * n : 0);
    return marked;
}

// --- backward -------------------------------------------------------------------------------------------------------

// The first pass through batch normalisation: the sums over the batch that its gradient needs, and what they give.
static void norm_backward(const Block *s, const Work *w, float *d_gamma, float *d_beta, const vec *g, const vec *kept,
                          const float *moments, const Dropped *dropped) {
    int channels = s->conv.out;
    ptrdiff_t n = pixels_of(s), pooled = pooled_of(s);
    for (ptrdiff_t at = 0; at < (ptrdiff_t)blocks_of(s) * channels; at++)
        sums_for_norm(s, &w->scratch, w->sums + at, w->products + at, g + at * pooled, kept + at * n,
                      w->channel + at % channels, dropped ? dropped + at * n : 0);
    for (int o = 0; o < channels; o++) {
        double sum = sum_of_blocks(w->sums + o, channels, s->images);
        double product = sum_of_blocks(w->products + o, channels, s->images);
        double all = (double)s->images * n, inverse = moments[channels + o], factor = w->channel[o].factor;
        float scale = folds_scale(s) ? s->scale : 1;
        w->channel[o].slope = -factor * inverse * inverse * product / all;
        w->channel[o].shift = -factor * sum / all;
        d_gamma[o] = product * inverse * scale;
        d_beta[o] = sum * scale;
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

// One block's part of a convolution's gradients; g lies within a border of `border`.
static void conv_backward(const Block *s, const Work *w, vec *dx, const vec *x, Map g, int border) {
    const Conv *c = &s->conv;
    conv_backward_weight(w->weight_lanes, bordered_input(s, w, x), g, c);
    if (!dx) return;
    Map bordered = {g.at - border * (g.row + LANES), g.row, g.channel};
    if (w->spread) {
        int height = c->height + conv_reach(c), width = c->width + conv_reach(c);
        bordered = map_of(w->spread, height, width);
        copy_map(bordered, g, c->out, conv_height(c), conv_width(c), c->stride, conv_reach(c) - c->padding, height,
                 width);
    }
    conv_backward_input(dx, bordered, w->turned, c);
}

// dx: 0 where it is not wanted. d_weight as weight, d_bias, d_gamma, d_beta [out]: 0 where there are none.
EXPORT void block_backward(const Block *s, vec *dx, float *d_weight, float *d_bias, float *d_gamma, float *d_beta,
                           const vec *g, const vec *x, const vec *kept, const float *moments, const float *weight,
                           const float *gamma, const float *beta, const Dropped *dropped, float *work) {
    const Conv *c = &s->conv;
    Work w = work_of(s, work);
    int blocks = blocks_of(s), height = conv_height(c), width = conv_width(c), border = dx ? border_of(s) : 0;
    ptrdiff_t n = pixels_of(s), size = c->out * n, pooled = pooled_of(s), in_size = pixels_in(c);
    if (s->norm) {
        norm_of_batch(s, w.channel, gamma, beta, moments);
        norm_backward(s, &w, d_gamma, d_beta, g, kept, moments, dropped);
    } else {
        for (int o = 0; o < c->out; o++) w.channel[o] = (Channel){.factor = s->scale};
    }
    if (s->product == CONV) {
        zero(w.weight_lanes, conv_weights(c));
        if (w.padded) zero(w.padded, c->in * padded_pixels(c));
        if (border) zero(w.gradient, (ptrdiff_t)c->out * (height + 2 * border) * (width + 2 * border));
        if (w.spread) zero(w.spread, c->out * spread_pixels(c));
        if (dx) conv_pack_turned(w.turned, weight, c);
    }

    for (int block = 0; block < blocks; block++) {
        vec *dense = (s->product == NO_PRODUCT ? dx : w.gradient) + (s->product == CONV ? 0 : block * size);
        Map to = map_of(dense, height + 2 * border, width + 2 * border);
        to.at += border * (to.row + LANES);
        for (int o = 0; o < c->out; o++) {
            ptrdiff_t at = (ptrdiff_t)block * c->out + o;
            Map channel = {to.at + o * to.channel, to.row, to.channel};
            gradient_of_product(s, &w.scratch, channel, g + at * pooled, kept + at * n, w.channel + o,
                                dropped ? dropped + at * n : 0, s->images - block * LANES);
            if (d_bias) w.sums[at] = sum_of_map(channel, height, width);
        }
        if (s->product == CONV) conv_backward(s, &w, dx ? dx + block * in_size : 0, x + block * in_size, to, border);
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
