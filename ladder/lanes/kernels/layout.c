// Between torch's layout and lanes: x[images][n] and y[blocks][n][16], where n = channels * rows * columns.
#include "lanes.h"

// One image after another, so that loads are in a row; the stores of 256 pixels, 16 KB, stay in the first-level cache.
// An element at a time of 16 images took twelve times as long with AVX2.
enum { PIXELS = 256 };

// Lanes beyond the last image are 0.
EXPORT void lanes_from_images(vec *y, const float *x, ptrdiff_t images, ptrdiff_t n) {
    for (ptrdiff_t first = 0; first < images; first += LANES, x += LANES * n, y += n)
        for (ptrdiff_t from = 0; from < n; from += PIXELS) {
            ptrdiff_t end = from + PIXELS < n ? from + PIXELS : n;
            for (int lane = 0; lane < LANES; lane++) {
                float *out = (float *)y + lane;
                if (first + lane < images)
                    for (ptrdiff_t i = from; i < end; i++) out[i * LANES] = x[lane * n + i];
                else
                    for (ptrdiff_t i = from; i < end; i++) out[i * LANES] = 0;
            }
        }
}

EXPORT void images_from_lanes(float *x, const vec *y, ptrdiff_t images, ptrdiff_t n) {
    for (ptrdiff_t image = 0; image < images; image++)
        for (ptrdiff_t i = 0; i < n; i++) *x++ = y[image / LANES * n + i][image % LANES];
}
