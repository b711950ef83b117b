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

// Where the pixels of an output image come from: pixel (column, row) from the source (x0 + column x_column + row x_row,
// y0 + column y_column + row y_row). All have 16 binary digits after the point.
typedef struct {
    int32_t x0, x_column, x_row, y0, y_column, y_row;
} Source;

static int inside(int x, int y, int side) { return 0 <= x && x < side && 0 <= y && y < side; }

// One row of an output image: the pixel in which the source lies.
static void nearest_row(uint8_t *out, const uint8_t *image, const Source *from, int fill, int row, int side) {
    int32_t x = from->x0 + row * from->x_row, y = from->y0 + row * from->y_row;
    int32_t dx = from->x_column, dy = from->y_column;
    // the sources of a row lie on a straight line, so those inside the image are neighbours: from first to end - 1
    int first = 0, end = side;
    while (first < end && !inside((x + first * dx) >> 16, (y + first * dy) >> 16, side)) out[first++] = fill;
    while (first < end && !inside((x + (end - 1) * dx) >> 16, (y + (end - 1) * dy) >> 16, side)) out[--end] = fill;
    for (int column = first; column < end; column++)
        out[column] = image[((y + column * dy) >> 16) * side + ((x + column * dx) >> 16)];
}

// out <- images rotated about their centres by angles [count], degrees, counter-clockwise: the nearest pixel, and `fill`
// where there is none.
EXPORT void rotate(uint8_t *out, const uint8_t *images, const double *angles, int fill, int count, int channels, int side) {
    double centre = side / 2.0;
    for (int image = 0; image < count; image++) {
        double cos = cosine(-angles[image] / 180), sin = sine(-angles[image] / 180);
        // of a pixel's centre: (cos, sin; -sin, cos) (column + 1/2 - centre, row + 1/2 - centre) + centre
        Source from = {.x0 = fixed(centre + (cos + sin) * (0.5 - centre)), .x_column = fixed(cos), .x_row = fixed(sin),
                       .y0 = fixed(centre + (cos - sin) * (0.5 - centre)), .y_column = -fixed(sin), .y_row = fixed(cos)};
        for (int channel = 0; channel < channels; channel++, images += (size_t)side * side)
            for (int row = 0; row < side; row++, out += side) nearest_row(out, images, &from, fill, row, side);
    }
}

static int pixel_or_black(const uint8_t *image, int x, int y, int side) {
    return inside(x, y, side) ? image[y * side + x] : 0;
}

// Four neighbours weighed by the place between them, x and y in [0, 1 << FRACTION_BITS), rounded to the nearest.
static int between(int top_left, int top_right, int bottom_left, int bottom_right, int x, int y) {
    int top = (top_left << FRACTION_BITS) + (top_right - top_left) * x;
    int bottom = (bottom_left << FRACTION_BITS) + (bottom_right - bottom_left) * x;
    return ((top << FRACTION_BITS) + (bottom - top) * y + (1 << (2 * FRACTION_BITS - 1))) >> (2 * FRACTION_BITS);
}

// One row of an output image: the four pixels around the source, black where there is none.
static void bilinear_row(uint8_t *out, const uint8_t *image, const Source *from, int row, int side) {
    enum { SHIFT = 16 - FRACTION_BITS, FRACTION = (1 << FRACTION_BITS) - 1 };
    int32_t x0 = from->x0 + row * from->x_row + (1 << (SHIFT - 1)), y0 = from->y0 + row * from->y_row + (1 << (SHIFT - 1));
    int32_t dx = from->x_column, dy = from->y_column;
    // as in nearest_row, those with four pixels around them are neighbours
    int first = 0, end = side;
    while (first < end && !inside((x0 + first * dx) >> 16, (y0 + first * dy) >> 16, side - 1)) first++;
    while (first < end && !inside((x0 + (end - 1) * dx) >> 16, (y0 + (end - 1) * dy) >> 16, side - 1)) end--;
    for (int column = 0; column < side; column++) {
        if (column == first) column = end;
        if (column == side) break;
        int x = (x0 + column * dx) >> 16, y = (y0 + column * dy) >> 16;
        out[column] = between(pixel_or_black(image, x, y, side), pixel_or_black(image, x + 1, y, side),
                              pixel_or_black(image, x, y + 1, side), pixel_or_black(image, x + 1, y + 1, side),
                              (x0 + column * dx) >> SHIFT & FRACTION, (y0 + column * dy) >> SHIFT & FRACTION);
    }
    for (int column = first; column < end; column++) {
        int32_t x = x0 + column * dx, y = y0 + column * dy;
        const uint8_t *four = image + (y >> 16) * side + (x >> 16);
        out[column] = between(four[0], four[1], four[side], four[side + 1], x >> SHIFT & FRACTION, y >> SHIFT & FRACTION);
    }
}

// out <- images sheared along x, then scaled, turned about their centres and last moved, as torchvision means it: bilinear,
// black where there is none. turns [count]: half turns in [-1, 1], clockwise; shifts [2][count]: pixels right and down;
// scales [count]: factors; shears [count]: half turns in (-1/2, 1/2).
EXPORT void affine(uint8_t *out, const uint8_t *images, const double *turns, const double *shifts, const double *scales,
            const double *shears, int count, int channels, int side) {
    double centre = (side - 1) / 2.0;
    for (int image = 0; image < count; image++) {
        double cos = cosine(turns[image]), sin = sine(turns[image]), scale = scales[image];
        double tan = sine(shears[image]) / cosine(shears[image]);
        double x_column = (cos - sin * tan) / scale, x_row = (sin + cos * tan) / scale;
        double y_column = -sin / scale, y_row = cos / scale;
        // a source = matrix (pixel - centre - shift) + centre, in pixels from the centre of the first one
        double right = centre + shifts[image], down = centre + shifts[count + image];
        Source from = {.x0 = fixed(centre - x_column * right - x_row * down), .x_column = fixed(x_column), .x_row = fixed(x_row),
                       .y0 = fixed(centre - y_column * right - y_row * down), .y_column = fixed(y_column), .y_row = fixed(y_row)};
        for (int channel = 0; channel < channels; channel++, images += (size_t)side * side)
            for (int row = 0; row < side; row++, out += side) bilinear_row(out, images, &from, row, side);
    }
}

// out <- images moved by whole pixels, black where there is none: what `affine` does with shifts alone, in a tenth of the
// time. shifts [2][count]: pixels right and down.
EXPORT void shift(uint8_t *out, const uint8_t *images, const double *shifts, int count, int channels, int side) {
    for (int image = 0; image < count; image++) {
        int right = (int)shifts[image], down = (int)shifts[count + image];
        for (int channel = 0; channel < channels; channel++, images += (size_t)side * side)
            for (int row = 0; row < side; row++, out += side) {
                int from_row = row - down, black = from_row < 0 || from_row >= side;
                int first = black || right > side ? side : right > 0 ? right : 0;
                int end = black || right < -side ? first : right < 0 ? side + right : side;
                for (int column = 0; column < first; column++) out[column] = 0;
                for (int column = first; column < end; column++) out[column] = images[from_row * side + column - right];
                for (int column = end; column < side; column++) out[column] = 0;
            }
    }
}

// One image [side][side], of which the square from row and column `start` on, `crop` pixels wide, becomes [size][size].
// Columns first, rows second, each rounded to 8 bits. Weights of a pixel add up to 1 << WEIGHT_BITS but for rounding: so
// no sum leaves 8 bits. Arguments as in `resize`.
static void resize_image(uint8_t *out, uint8_t *scratch, const uint8_t *image, const int32_t *first, const int32_t *weights,
                         int start, int crop, int size, int taps, int side) {
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

// out [planes][size][size] <- images [planes][side][side], bilinear. first [size]: the first of the `taps` pixels that an
// output pixel is made of; weights [size][taps], out of 1 << WEIGHT_BITS; scratch [side][size].
EXPORT void resize(uint8_t *out, uint8_t *scratch, const uint8_t *images, const int32_t *first, const int32_t *weights, int planes,
            int side, int size, int taps) {
    for (int plane = 0; plane < planes; plane++)
        resize_image(out + (size_t)plane * size * size, scratch, images + (size_t)plane * side * side, first, weights, 0, side,
                     size, taps, side);
}

// out <- images; the `chosen` ones [count] (nonzero) show what is in their central square of crop x crop pixels, which
// begins at row and column `start`, resized to the image. first, weights, scratch: as in `resize`, from crop to side.
EXPORT void center_crop(uint8_t *out, uint8_t *scratch, const uint8_t *images, const uint8_t *chosen, const int32_t *first,
                 const int32_t *weights, int start, int crop, int count, int channels, int side, int taps) {
    size_t pixels = (size_t)side * side;
    for (int plane = 0; plane < count * channels; plane++, out += pixels, images += pixels)
        if (chosen[plane / channels])
            resize_image(out, scratch, images, first, weights, start, crop, side, taps, side);
        else
            for (size_t pixel = 0; pixel < pixels; pixel++) out[pixel] = images[pixel];
}
