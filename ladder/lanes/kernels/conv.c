// Convolution, for one block of 16 images: x[in][height][width][16], w[out][in / groups][kernel][kernel], y[out]...
// and its two gradients. Padding is a border of zeros that the caller has laid around x.
//
// y[o][r][q]      = bias[o] + sum over i, ky, kx of w[o][i][ky][kx] x[i][s r + d ky][s q + d kx], in this order
// dx              = the convolution of dy, spread by the stride and bordered, with w turned and transposed
// dw[o][i][ky][kx] = sum over r, q of dy[o][r][q] x[i][s r + d ky][s q + d kx]: chunks of rows, each from 0
#include "conv.h"

// Rows of dw's chunks: about 56 outputs, of any width. That many rows of 5 channels and of their inputs lie in a
// first-level cache of 32 KB, and short sums round less. It is the same everywhere, since it decides bits.
enum { CHUNK_OUTPUTS = 56 };

// Packed for conv_forward: group after group.
void conv_pack(float *packed, const float *w, const Conv *c) {
    int out = c->out / c->groups, in = c->in / c->groups, taps = c->kernel * c->kernel;
    for (int group = 0; group < c->groups; group++) {
        ptrdiff_t start = (ptrdiff_t)group * out * in * taps;
        pack_weights(packed + start, w + start, out, (ptrdiff_t)in * taps, in, taps, c->kernel, 0);
    }
}

// Packed for conv_backward_input: channels in and out change places, and the kernel is turned by 180 degrees.
void conv_pack_turned(float *packed, const float *w, const Conv *c) {
    int out = c->out / c->groups, in = c->in / c->groups, taps = c->kernel * c->kernel;
    for (int group = 0; group < c->groups; group++) {
        ptrdiff_t start = (ptrdiff_t)group * out * in * taps;
        pack_weights(packed + start, w + start, in, taps, out, (ptrdiff_t)in * taps, c->kernel, 1);
    }
}

// out[channels out][height][width] at any strides from x, of one group. The `inside` rows of x from `top` on lie
// between its borders. A tile of outputs takes all channels before the next tile, so that its inputs are read from the
// first-level cache: a 3x3 convolution of 10 channels reads 15 KB for 6 outputs.
static void correlate(Map out, int out_channels, int height, int width, Map x, int in_channels, int top, int inside,
                      int kernel, int stride, int dilation, const float *packed, const float *bias) {
    if (kernel == 1 && stride == 1 && !top && out.row == (ptrdiff_t)width * LANES && x.row == out.row) {
        width *= height; // rows end to end are one long row
        height = inside = 1;
    }
    Steps step = {x.channel, dilation * x.row, dilation * LANES, (ptrdiff_t)stride * LANES};
    int tiles = tile_count(out_channels, TILE_CHANNELS), weights = in_channels * kernel * kernel;
    int spans = tile_count(width, tile_width(tile_size(out_channels, tiles, 0)));
    for (int row = 0; row < height; row++) {
        int first = 0, rows = kernel; // of the kernel: a zero more or less changes no sum
        while (rows && row * stride + first * dilation < top) first++, rows--;
        while (rows && row * stride + (first + rows - 1) * dilation >= top + inside) rows--;
        if (!rows) first = 0;
        const float *from = x.at + (row * stride + first * dilation) * x.row;
        for (int span = 0, column = 0; span < spans; span++) {
            int columns = tile_size(width, spans, span);
            for (int lanes = 0; lanes < LANES; lanes += PART)
                for (int tile = 0, o = 0; tile < tiles; tile++) {
                    int size = tile_size(out_channels, tiles, tile);
                    forward_any(size, columns, out.at + o * out.channel + row * out.row + column * LANES + lanes,
                                out.channel, LANES, from + column * step.output + lanes, step,
                                packed + (ptrdiff_t)o * weights + first * kernel * size, bias ? bias + o : 0,
                                in_channels, kernel, rows);
                    o += size;
                }
            column += columns;
        }
    }
}

void conv_forward(Map out, Map x, const float *packed, const float *bias, const Conv *c) {
    int channels = c->out / c->groups, in = c->in / c->groups;
    for (int group = 0; group < c->groups; group++) {
        correlate(out, channels, conv_height(c), conv_width(c), x, in, c->padding, c->height,
                  c->kernel, c->stride, c->dilation, packed, bias ? bias + group * channels : 0);
        out.at += channels * out.channel;
        x.at += in * x.channel;
        packed += (ptrdiff_t)channels * in * c->kernel * c->kernel;
    }
}

// g[out][height + reach][width + reach] is dy spread by the stride, with its border; see copy_map.
void conv_backward_input(vec *dx, Map g, const float *turned, const Conv *c) {
    int channels = c->out / c->groups, in = c->in / c->groups;
    Map to = map_of(dx, c->height, c->width);
    for (int group = 0; group < c->groups; group++) {
        correlate(to, in, c->height, c->width, g, channels, conv_reach(c) - c->padding,
                  (conv_height(c) - 1) * c->stride + 1, c->kernel, 1, c->dilation, turned, 0);
        to.at += in * to.channel;
        g.at += channels * g.channel;
        turned += (ptrdiff_t)channels * in * c->kernel * c->kernel;
    }
}

// dw[out][in / groups][kernel][kernel][16] += the gradient of this block, lane by lane.
void conv_backward_weight(vec *dw, Map x, Map g, const Conv *c) {
    int out = c->out / c->groups, in = c->in / c->groups, height = conv_height(c), width = conv_width(c);
    int weights = in * c->kernel * c->kernel;
    int chunk = CHUNK_OUTPUTS / width > 1 ? CHUNK_OUTPUTS / width : 1;
    int tiles = tile_count(out, WEIGHT_CHANNELS);
    Pitch x_pitch = {c->stride * x.row, c->stride * LANES}, g_pitch = {g.row, LANES};
    for (int row = 0; row < height; row += chunk) {
        int rows = height - row < chunk ? height - row : chunk;
        for (int group = 0; group < c->groups; group++)
            for (int lanes = 0; lanes < LANES; lanes += PART)
                for (int tile = 0, o = group * out; tile < tiles; tile++) {
                    int size = tile_size(out, tiles, tile);
                    int spans = tile_count(weights, weight_width(size)), channel = group * in, ky = 0, kx = 0;
                    for (int span = 0, weight = 0; span < spans; span++) {
                        int count = tile_size(weights, spans, span);
                        const float *from[TILE_WIDEST];
                        for (int t = 0; t < count; t++) {
                            from[t] = x.at + channel * x.channel + (row * c->stride + ky * c->dilation) * x.row +
                                      (ptrdiff_t)kx * c->dilation * LANES + lanes;
                            if (++kx == c->kernel) kx = 0, ky++;
                            if (ky == c->kernel) ky = 0, channel++;
                        }
                        weight_any(size, count, (float *)(dw + (ptrdiff_t)o * weights + weight) + lanes,
                                   (ptrdiff_t)weights * LANES, from, x_pitch,
                                   g.at + o * g.channel + row * g.row + lanes, g.channel, g_pitch, rows, width);
                        weight += count;
                    }
                    o += size;
                }
    }
}

// Copy pixel (r, q) to (top + step r, top + step q), where that lies in to_height x to_width; the rest stays.
void copy_map(Map to, Map from, int channels, int height, int width, int step, int top, int to_height, int to_width) {
    int first = top < 0 ? (-top + step - 1) / step : 0; // the columns that have a place
    int end = to_width > top ? (to_width - top + step - 1) / step : 0;
    if (end > width) end = width;
    for (int channel = 0; channel < channels; channel++)
        for (int row = 0; row < height; row++) {
            int at = top + step * row;
            if (at < 0 || at >= to_height) continue;
            const vec *in = (const vec *)(from.at + channel * from.channel + row * from.row);
            vec *out = (vec *)(to.at + channel * to.channel + at * to.row) + top;
            if (step == 1)
                for (int column = first; column < end; column++) out[column] = in[column];
            else
                for (int column = first; column < end; column++) out[column * step] = in[column];
        }
}
