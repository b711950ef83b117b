// Between torch's layout and lanes: x[images][n] and y[blocks][n][16], where n = channels * rows * columns.
#include "lanes.h"

// Lanes beyond the last image are 0.
EXPORT void lanes_from_images(vec *y, const float *x, ptrdiff_t images, ptrdiff_t n) {
    for (ptrdiff_t first = 0; first < images; first += LANES, x += LANES * n)
        for (ptrdiff_t i = 0; i < n; i++, y++)
            for (int lane = 0; lane < LANES; lane++) (*y)[lane] = first + lane < images ? x[lane * n + i] : 0;
}

EXPORT void images_from_lanes(float *x, const vec *y, ptrdiff_t images, ptrdiff_t n) {
    for (ptrdiff_t image = 0; image < images; image++)
        for (ptrdiff_t i = 0; i < n; i++) *x++ = y[image / LANES * n + i][image % LANES];
}
