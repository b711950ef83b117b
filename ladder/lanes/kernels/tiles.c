// Tiles of every size, and the order of weights that they read.
#include "tiles.h"

// One compiled loop for every size that `most(O)` allows.
#define EVERY_WIDTH(DO, O, most)                                                                                       \
    switch (width) {                                                                                                   \
    case 1: DO(O, 1); return;                                                                                          \
    case 2: DO(O, 2); return;                                                                                          \
    case 3: if (most(O) >= 3) DO(O, 3); return;                                                                        \
    case 4: if (most(O) >= 4) DO(O, 4); return;                                                                        \
    case 5: if (most(O) >= 5) DO(O, 5); return;                                                                        \
    case 6: if (most(O) >= 6) DO(O, 6); return;                                                                        \
    case 7: if (most(O) >= 7) DO(O, 7); return;                                                                        \
    case 8: if (most(O) >= 8) DO(O, 8); return;                                                                        \
    case 9: if (most(O) >= 9) DO(O, 9); return;                                                                        \
    case 10: if (most(O) >= 10) DO(O, 10); return;                                                                     \
    case 11: if (most(O) >= 11) DO(O, 11); return;                                                                     \
    case 12: if (most(O) >= 12) DO(O, 12); return;                                                                     \
    case 13: if (most(O) >= 13) DO(O, 13); return;                                                                     \
    case 14: if (most(O) >= 14) DO(O, 14); return;                                                                     \
    }
#define EVERY_TILE(DO, channels, most)                                                                                 \
    switch (O) {                                                                                                       \
    case 1: EVERY_WIDTH(DO, 1, most) break;                                                                            \
    case 2: EVERY_WIDTH(DO, 2, most) break;                                                                            \
    case 3: EVERY_WIDTH(DO, 3, most) break;                                                                            \
    case 4: EVERY_WIDTH(DO, 4, most) break;                                                                            \
    case 5: if (channels >= 5) EVERY_WIDTH(DO, 5, most) break;                                                         \
    case 6: if (channels >= 6) EVERY_WIDTH(DO, 6, most) break;                                                         \
    }

void forward_any(int O, int width, float *out, ptrdiff_t out_channel, ptrdiff_t out_column, const float *x, Steps step,
                 const float *w, const float *bias, int channels, int kernel, int rows) {
#define NEXT_PIXEL(O, P) forward_tile(O, P, out, out_channel, LANES, x, step, w, bias, channels, kernel, rows)
#define ANY_PIXEL(O, P) forward_tile(O, P, out, out_channel, out_column, x, step, w, bias, channels, kernel, rows)
    if (kernel == 1 && rows == 1) { // the channels are as good as a kernel's columns: one loop instead of three
        step.kernel_column = step.channel;
        kernel = channels;
        channels = 1;
    }
    if (out_column == LANES && step.output == LANES) {
        step.output = LANES;
        EVERY_TILE(NEXT_PIXEL, TILE_CHANNELS, tile_width)
    } else {
        EVERY_TILE(ANY_PIXEL, TILE_CHANNELS, tile_width)
    }
}

void weight_any(int O, int width, float *dw, ptrdiff_t dw_channel, const float *const *x, Pitch x_pitch, const float *g,
                ptrdiff_t g_channel, Pitch g_pitch, int rows, int columns) {
#define NEXT_COLUMN(O, T)                                                                                              \
    weight_tile(O, T, dw, dw_channel, x, (Pitch){x_pitch.row, LANES}, g, g_channel, (Pitch){g_pitch.row, LANES}, rows, \
                columns)
#define ANY_COLUMN(O, T) weight_tile(O, T, dw, dw_channel, x, x_pitch, g, g_channel, g_pitch, rows, columns)
    if (x_pitch.column == LANES && g_pitch.column == LANES) {
        EVERY_TILE(NEXT_COLUMN, WEIGHT_CHANNELS, weight_width)
    } else {
        EVERY_TILE(ANY_COLUMN, WEIGHT_CHANNELS, weight_width)
    }
}

void pack_weights(float *packed, const float *w, int out, ptrdiff_t w_out, int channels, ptrdiff_t w_channel,
                  int kernel, int turn) {
    int tiles = tile_count(out, TILE_CHANNELS), taps = kernel * kernel;
    for (int tile = 0, first = 0; tile < tiles; tile++) {
        int size = tile_size(out, tiles, tile);
        for (int channel = 0; channel < channels; channel++)
            for (int tap = 0; tap < taps; tap++)
                for (int o = 0; o < size; o++)
                    *packed++ = w[(first + o) * w_out + channel * w_channel + (turn ? taps - 1 - tap : tap)];
        first += size;
    }
}
