// A linear layer and its gradients. Blocks of images stand where a convolution has neighbouring pixels, so that a
// weight serves several of them once it is in a register.
//
// y[b][o]  = bias[o] + sum over i of w[o][i] x[b][i], in this order
// dx[b][i] = sum over o of w[o][i] dy[b][o]: linear_forward with the weights transposed
// dw[o][i] = sum over b of dy[b][o] x[b][i], then over lanes
#include "linear.h"

void linear_pack(float *packed, const float *w, int in, int out) {
    pack_weights(packed, w, out, in, in, 1, 1, 0);
}

void linear_pack_transposed(float *packed, const float *w, int in, int out) {
    pack_weights(packed, w, in, 1, out, in, 1, 0);
}

void linear_forward(vec *y, const vec *x, const float *packed, const float *bias, int blocks, int in, int out) {
    int tiles = tile_count(out, TILE_CHANNELS), spans = tile_count(blocks, tile_width(tile_size(out, tiles, 0)));
    Steps step = {LANES, 0, 0, (ptrdiff_t)in * LANES};
    for (int span = 0, block = 0; span < spans; span++) {
        int count = tile_size(blocks, spans, span);
        for (int lanes = 0; lanes < LANES; lanes += PART)
            for (int tile = 0, o = 0; tile < tiles; tile++) {
                int size = tile_size(out, tiles, tile);
                forward_any(size, count, (float *)(y + (ptrdiff_t)block * out + o) + lanes, LANES,
                            (ptrdiff_t)out * LANES, (const float *)(x + (ptrdiff_t)block * in) + lanes, step,
                            packed + (ptrdiff_t)o * in, bias ? bias + o : 0, in, 1, 1);
                o += size;
            }
        block += count;
    }
}

// A tile's sums are added across lanes at once, so that dw needs no lanes in memory.
void linear_backward_weight(float *dw, const vec *x, const vec *g, int blocks, int in, int out) {
    int tiles = tile_count(out, WEIGHT_CHANNELS);
    Pitch x_pitch = {0, (ptrdiff_t)in * LANES}, g_pitch = {0, (ptrdiff_t)out * LANES};
    for (int tile = 0, o = 0; tile < tiles; tile++) {
        int size = tile_size(out, tiles, tile), spans = tile_count(in, weight_width(size));
        for (int span = 0, i = 0; span < spans; span++) {
            int count = tile_size(in, spans, span);
            vec sums[TILE_CHANNELS * TILE_WIDEST] = {};
            for (int lanes = 0; lanes < LANES; lanes += PART) {
                const float *from[TILE_WIDEST];
                for (int t = 0; t < count; t++) from[t] = (const float *)(x + i + t) + lanes;
                weight_any(size, count, (float *)sums + lanes, (ptrdiff_t)count * LANES, from, x_pitch,
                           (const float *)(g + o) + lanes, LANES, g_pitch, 1, blocks);
            }
            for (int j = 0; j < size; j++)
                for (int t = 0; t < count; t++) dw[(ptrdiff_t)(o + j) * in + i + t] = sum_lanes(sums[j * count + t]);
            i += count;
        }
        o += size;
    }
}
