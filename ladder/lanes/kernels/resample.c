// Images moved, rotated, resized, in integers: the same pixels on every machine.
//
// Pillow resizes and rotates 8-bit images in fixed point, and `rotate`, `center_crop` and `resize` have its every pixel
// (Pillow's Geometry.c and Resample.c). `affine` is its own. All read uint8 images [count][channels][side][side] and
// write such images; what an image's angle or shift is holds for all its channels.
#include "lanes.h"

#define PI 3.141592653589793
enum {
    TERMS = 14,        // of a Taylor series up to pi: the next one is below 3e-16
    FRACTION_BITS = 7, // of a pixel's place between its neighbours, in `affine`
    WEIGHT_BITS = 22,  // of a pixel's weight in a resized one: 255 times all its weights fit 32 bits
};

// cos(pi x) and sin(pi x) for x in [-1, 1], to 2e-15: Horner's rule. A library's last bit is not the same everywhere.
static double cosine(double half_turns) {
    double square = half_turns * half_turns * (PI * PI), total = 1;
    for (int n = 2 * TERMS; n > 0; n -= 2) total = 1 - total * (square * (1.0 / (n * (n - 1))));
    return total;
}

static double sine(double half_turns) {
    double square = half_turns * half_turns * (PI * PI), total = 1;
    for (int n = 2 * TERMS + 1; n > 1; n -= 2) total = 1 - total * (square * (1.0 / (n * (n - 1))));
    return total * (half_turns * PI);
}

// A number with 16 binary digits after the point.
static int32_t fixed(double value) {
    double shifted = value * 65536 + 0.5;
    int32_t whole = (int32_t)shifted; // towards 0
    return whole - (shifted < whole);
}

typedef int32_t unaligned __attribute__((vector_size(64), aligned(4)));

// Where the pixels of an output image come from: pixel (column, row) from the source (x0 + column x_column + row x_row,
// y0 + column y_column + row y_row). All have 16 binary digits after the point.
typedef struct {
    int32_t x0, x_column, x_row, y0, y_column, y_row;
} Source;

// frame [side + 3][side + 3] <- image [side][side] with one pixel of `fill` above and left of it, two below and right.
// A source outside is moved into this border, so that the loops below need no branch.
static void put_in_frame(uint8_t *frame, const uint8_t *image, int fill, int side) {
    int width = side + 3;
    for (int pixel = 0; pixel < width * width; pixel++) frame[pixel] = fill;
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++)
            frame[(row + 1) * width + column + 1] = image[row * side + column];
}

// The places x or y, in the frame, of columns first, first + 1, ... first + 15 of one row. They have `digits` binary
// digits after the point.
INLINE ivec places(int32_t row_begins, int32_t by_column, int first, int digits, int side) {
    const ivec number = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ivec place = (row_begins + (first + number) * by_column) >> (16 - digits);
    const ivec least = (ivec){} - (1 << digits), most = (ivec){} + (side << digits);
    return __builtin_elementwise_min(__builtin_elementwise_max(place, least), most) + (1 << digits);
}

// An output image: the pixel in which each source lies.
static void nearest(uint8_t *out, const uint8_t *frame, const Source *from, int side) {
    for (int row = 0; row < side; row++, out += side)
        for (int first = 0; first < side; first += LANES) {
            ivec x = places(from->x0 + row * from->x_row, from->x_column, first, 0, side);
            ivec y = places(from->y0 + row * from->y_row, from->y_column, first, 0, side);
            int32_t at[LANES]; // by way of memory: taking lanes out of a register is slower
            *(unaligned *)at = y * (side + 3) + x;
            if (first + LANES <= side)
                UNROLL for (int i = 0; i < LANES; i++) out[first + i] = frame[at[i]];
            else
                for (int i = 0; first + i < side; i++) out[first + i] = frame[at[i]];
        }
}

// out <- images rotated about their centres by angles [count], degrees, counter-clockwise: the nearest pixel, and
// `fill` where there is none. frame: room for one image, as in put_in_frame.
EXPORT void rotate(uint8_t *out, uint8_t *frame, const uint8_t *images, const double *angles, int fill, int count,
                   int channels, int side) {
    double centre = side / 2.0;
    size_t pixels = (size_t)side * side;
    for (int image = 0; image < count; image++) {
        double cos = cosine(-angles[image] / 180), sin = sine(-angles[image] / 180);
        // of a pixel's centre: (cos, sin; -sin, cos) (column + 1/2 - centre, row + 1/2 - centre) + centre
        Source from = {
            .x0 = fixed(centre + (cos + sin) * (0.5 - centre)), .x_column = fixed(cos), .x_row = fixed(sin),
            .y0 = fixed(centre + (cos - sin) * (0.5 - centre)), .y_column = -fixed(sin), .y_row = fixed(cos),
        };
        for (int channel = 0; channel < channels; channel++, images += pixels, out += pixels) {
            put_in_frame(frame, images, fill, side);
            nearest(out, frame, &from, side);
        }
    }
}

// An output image: the four pixels around each source, weighed by its place between them, rounded to the nearest.
static void bilinear(uint8_t *out, const uint8_t *frame, const Source *from, int side) {
    enum { ONE = 1 << FRACTION_BITS, NEAREST = 1 << (15 - FRACTION_BITS) };
    int width = side + 3;
    for (int row = 0; row < side; row++, out += side)
        for (int first = 0; first < side; first += LANES) {
            ivec x = places(from->x0 + row * from->x_row + NEAREST, from->x_column, first, FRACTION_BITS, side);
            ivec y = places(from->y0 + row * from->y_row + NEAREST, from->y_column, first, FRACTION_BITS, side);
            int32_t at[LANES], fours[LANES];
            *(unaligned *)at = (y >> FRACTION_BITS) * width + (x >> FRACTION_BITS);
            UNROLL for (int i = 0; i < LANES; i++) { // four pixels in one number: the compiler loads two at once
                const uint8_t *pixel = frame + at[i];
                fours[i] = pixel[0] | pixel[1] << 8 | pixel[width] << 16 | (uint32_t)pixel[width + 1] << 24;
            }
            ivec four = *(unaligned *)fours;
            x &= ONE - 1;
            y &= ONE - 1;
            ivec top = (four & 255) * (ONE - x) + (four >> 8 & 255) * x;
            ivec bottom = (four >> 16 & 255) * (ONE - x) + (four >> 24 & 255) * x;
            *(unaligned *)fours = (top * (ONE - y) + bottom * y + ONE * ONE / 2) >> (2 * FRACTION_BITS);
            if (first + LANES <= side)
                UNROLL for (int i = 0; i < LANES; i++) out[first + i] = fours[i];
            else
                for (int i = 0; first + i < side; i++) out[first + i] = fours[i];
        }
}

// out <- images sheared along x, then scaled, turned about their centres and last moved, as torchvision means it:
// bilinear, black where there is none. turns [count]: half turns in [-1, 1], clockwise; shifts [2][count]: pixels right
// and down; scales [count]: factors; shears [count]: half turns in (-1/2, 1/2). frame: room for one image, as in
// put_in_frame.
EXPORT void affine(uint8_t *out, uint8_t *frame, const uint8_t *images, const double *turns, const double *shifts,
                   const double *scales, const double *shears, int count, int channels, int side) {
    double centre = (side - 1) / 2.0;
    size_t pixels = (size_t)side * side;
    for (int image = 0; image < count; image++) {
        double cos = cosine(turns[image]), sin = sine(turns[image]), scale = scales[image];
        double tan = sine(shears[image]) / cosine(shears[image]);
        double x_column = (cos - sin * tan) / scale, x_row = (sin + cos * tan) / scale;
        double y_column = -sin / scale, y_row = cos / scale;
        // a source = matrix (pixel - centre - shift) + centre, in pixels from the centre of the first one
        double right = centre + shifts[image], down = centre + shifts[count + image];
        Source from = {
            .x0 = fixed(centre - x_column * right - x_row * down), .x_column = fixed(x_column), .x_row = fixed(x_row),
            .y0 = fixed(centre - y_column * right - y_row * down), .y_column = fixed(y_column), .y_row = fixed(y_row),
        };
        for (int channel = 0; channel < channels; channel++, images += pixels, out += pixels) {
            put_in_frame(frame, images, 0, side);
            bilinear(out, frame, &from, side);
        }
    }
}

// out <- images moved by whole pixels, black where there is none: the pixels of `affine` with shifts alone, sooner.
// shifts [2][count]: pixels right and down.
EXPORT void shift(uint8_t *out, const uint8_t *images, const double *shifts, int count, int channels, int side) {
    int pixels = side * side;
    for (int image = 0; image < count; image++) {
        int right = (int)shifts[image], down = (int)shifts[count + image];
        int along = down * side + right; // how far a pixel moves in the order row after row
        int first = along < 0 ? 0 : along < pixels ? along : pixels;
        int end = along > 0 ? pixels : along > -pixels ? pixels + along : 0;
        for (int channel = 0; channel < channels; channel++, images += pixels, out += pixels) {
            for (int pixel = 0; pixel < first; pixel++) out[pixel] = 0;
            for (int pixel = first; pixel < end; pixel++) out[pixel] = images[pixel - along];
            for (int pixel = end; pixel < pixels; pixel++) out[pixel] = 0;
            // what left its row on one side came back on the other
            for (int row = 0; row < side; row++) {
                for (int column = 0; column < right && column < side; column++) out[row * side + column] = 0;
                for (int column = right < -side ? 0 : side + right; column < side; column++)
                    out[row * side + column] = 0;
            }
        }
    }
}

// One image [side][side], of which the square from row and column `start` on, `crop` pixels wide, becomes [size][size].
// Columns first, rows second, each rounded to 8 bits. Weights of a pixel add up to 1 << WEIGHT_BITS but for rounding:
// so no sum leaves 8 bits. Arguments as in `resize`.
static void resize_image(uint8_t *out, uint8_t *scratch, const uint8_t *image, const int32_t *first,
                         const int32_t *weights, int start, int crop, int size, int taps, int side) {
    for (int row = 0; row < crop; row++)
        for (int column = 0; column < size; column++) {
            const uint8_t *from = image + (start + row) * side + start + first[column];
            int32_t sum = 1 << (WEIGHT_BITS - 1);
            for (int tap = 0; tap < taps; tap++) sum += weights[column * taps + tap] * from[tap];
            scratch[row * size + column] = sum >> WEIGHT_BITS;
        }
    for (int row = 0; row < size; row++)
        for (int column = 0; column < size; column++) {
            const uint8_t *from = scratch + first[row] * size + column;
            int32_t sum = 1 << (WEIGHT_BITS - 1);
            for (int tap = 0; tap < taps; tap++) sum += weights[row * taps + tap] * from[tap * size];
            out[row * size + column] = sum >> WEIGHT_BITS;
        }
}

// out [planes][size][size] <- images [planes][side][side], bilinear. first [size]: the first of the `taps` pixels that
// an output pixel is made of; weights [size][taps], out of 1 << WEIGHT_BITS; scratch [side][size].
EXPORT void resize(uint8_t *out, uint8_t *scratch, const uint8_t *images, const int32_t *first, const int32_t *weights,
                   int planes, int side, int size, int taps) {
    for (int plane = 0; plane < planes; plane++, out += (size_t)size * size, images += (size_t)side * side)
        resize_image(out, scratch, images, first, weights, 0, side, size, taps, side);
}

// out <- images; the `chosen` ones [count] (nonzero) show what is in their central square of crop x crop pixels, which
// begins at row and column `start`, resized to the image. first, weights, scratch: as in `resize`, from crop to side.
EXPORT void center_crop(uint8_t *out, uint8_t *scratch, const uint8_t *images, const uint8_t *chosen,
                        const int32_t *first, const int32_t *weights, int start, int crop, int count, int channels,
                        int side, int taps) {
    size_t pixels = (size_t)side * side;
    for (int plane = 0; plane < count * channels; plane++, out += pixels, images += pixels)
        if (chosen[plane / channels])
            resize_image(out, scratch, images, first, weights, start, crop, side, taps, side);
        else
            for (size_t pixel = 0; pixel < pixels; pixel++) out[pixel] = images[pixel];
}
