// The two inner loops that all convolutions and linear layers come down to. Each keeps a tile of sums in registers:
// some output channels times some outputs (forward), or some output channels times some weights of each (gradient).
//
// Tiles change no bits: every sum runs over the same products in the same order, whatever the tile it lies in.
// All strides are in floats.
#pragma once
#include "lanes.h"

// With 32 registers, a tile of 5 channels by 5 outputs takes 25 of them for sums, 5 for inputs and 1 for a weight. With
// 16, 6 by 2 takes 12, 2 and 1; 4 by 3 would take all 16, and the compiler then keeps some in memory: 56 GFLOP/s
// instead of 110 on a processor that can do 129 (Zen 4, 10 -> 12 channels, 3x3). The gradient's tile has no weight to
// hold, and 4 by 3 does 98 there, 6 by 2 does 92.
// One channel by 14 outputs is for convolutions in groups of one: with 9 outputs at most, they did 51 instead of 67.
enum { TILE_CHANNELS = REGISTERS == 32 ? 5 : 6, WEIGHT_CHANNELS = REGISTERS == 32 ? 5 : 4, TILE_WIDEST = 14 };

// The largest second side of a tile with `channels` channels: outputs in forward_tile, weights in weight_tile.
INLINE int tile_width(int channels) {
    if (REGISTERS == 32) return channels >= 5 ? 5 : channels == 4 ? 6 : channels == 3 ? 8 : channels == 2 ? 9 : 14;
    return channels >= 4 ? 2 : channels == 3 ? 3 : channels == 2 ? 5 : 14;
}
INLINE int weight_width(int channels) {
    if (REGISTERS == 32) return channels == 1 ? 9 : tile_width(channels);
    return channels >= 4 ? 3 : channels == 3 ? 4 : channels == 2 ? 5 : 9;
}

// n things in as few tiles of at most `most` as can be, their sizes differing by 1 at most: how many tiles, and the
// i-th size.
INLINE int tile_count(int n, int most) {
    return (n + most - 1) / most;
}
INLINE int tile_size(int n, int count, int i) {
    return n / count + (i < n % count);
}

// Where the inputs of a convolution lie: from one channel to the next, from one row or column of the kernel to the
// next, and from one output to the next.
typedef struct {
    ptrdiff_t channel, kernel_row, kernel_column, output;
} Steps;

// out[o][p] = bias[o] + sum over channel, ky, kx of w[channel][ky][kx][o] x[channel][ky][kx][p], in this order.
// o < O and p < P are known when the tile is compiled. x and out point at one part of the lanes; x and w at the first
// of the `rows` of each channel's kernel that count, where the others meet nothing but the border.
INLINE void forward_tile(const int O, const int P, float *out, ptrdiff_t out_channel, ptrdiff_t out_column,
                         const float *x, Steps step, const float *w, const float *bias, int channels, int kernel,
                         int rows) {
    part sum[TILE_CHANNELS][TILE_WIDEST];
    UNROLL for (int o = 0; o < O; o++) UNROLL for (int p = 0; p < P; p++) sum[o][p] = splat_part(bias ? bias[o] : 0);
    ptrdiff_t skipped = (ptrdiff_t)(kernel - rows) * kernel * O;
    for (int channel = 0; channel < channels; channel++, x += step.channel, w += skipped) {
        const float *row = x;
        for (int ky = 0; ky < rows; ky++, row += step.kernel_row) {
            const float *in = row;
            for (int kx = 0; kx < kernel; kx++, in += step.kernel_column, w += O) {
                part value[TILE_WIDEST];
                UNROLL for (int p = 0; p < P; p++) value[p] = *(const part *)(in + p * step.output);
                UNROLL for (int o = 0; o < O; o++) {
                    part weight = splat_part(w[o]);
                    UNROLL for (int p = 0; p < P; p++) sum[o][p] = fused(weight, value[p], sum[o][p]);
                }
            }
        }
    }
    UNROLL for (int o = 0; o < O; o++) UNROLL for (int p = 0; p < P; p++)
        *(part *)(out + o * out_channel + p * out_column) = sum[o][p];
}

// dw[o][t] += sum over row, column of g[o][row][column] x[t][row][column], in this order, from 0.
// x[t] points at the first input that weight t is multiplied with. o < O and t < T are known when it is compiled.
typedef struct {
    ptrdiff_t row, column;
} Pitch;

INLINE void weight_tile(const int O, const int T, float *dw, ptrdiff_t dw_channel, const float *const *x, Pitch x_pitch,
                        const float *g, ptrdiff_t g_channel, Pitch g_pitch, int rows, int columns) {
    part sum[TILE_CHANNELS][TILE_WIDEST];
    UNROLL for (int o = 0; o < O; o++) UNROLL for (int t = 0; t < T; t++) sum[o][t] = splat_part(0);
    for (int row = 0; row < rows; row++) {
        ptrdiff_t from = row * x_pitch.row, at = row * g_pitch.row;
        for (int column = 0; column < columns; column++, from += x_pitch.column, at += g_pitch.column) {
            // The shorter side of the tile stays in registers, while the longer one passes by.
            part held[TILE_WIDEST];
            if (T <= O) {
                UNROLL for (int t = 0; t < T; t++) held[t] = *(const part *)(x[t] + from);
                UNROLL for (int o = 0; o < O; o++) {
                    part gradient = *(const part *)(g + o * g_channel + at);
                    UNROLL for (int t = 0; t < T; t++) sum[o][t] = fused(gradient, held[t], sum[o][t]);
                }
            } else {
                UNROLL for (int o = 0; o < O; o++) held[o] = *(const part *)(g + o * g_channel + at);
                UNROLL for (int t = 0; t < T; t++) {
                    part value = *(const part *)(x[t] + from);
                    UNROLL for (int o = 0; o < O; o++) sum[o][t] = fused(held[o], value, sum[o][t]);
                }
            }
        }
    }
    UNROLL for (int o = 0; o < O; o++) UNROLL for (int t = 0; t < T; t++)
        *(part *)(dw + o * dw_channel + t * LANES) += sum[o][t];
}

void forward_any(int O, int P, float *out, ptrdiff_t out_channel, ptrdiff_t out_column, const float *x, Steps step,
                 const float *w, const float *bias, int channels, int kernel, int rows);
void weight_any(int O, int T, float *dw, ptrdiff_t dw_channel, const float *const *x, Pitch x_pitch, const float *g,
                ptrdiff_t g_channel, Pitch g_pitch, int rows, int columns);

// The weights of each tile of output channels side by side, as forward_tile reads them:
// packed[tile][channel][ky][kx][o] from w[out][...] at the strides given. With `turn`, ky and kx run backwards.
void pack_weights(float *packed, const float *w, int out, ptrdiff_t w_out, int channels, ptrdiff_t w_channel,
                  int kernel, int turn);
