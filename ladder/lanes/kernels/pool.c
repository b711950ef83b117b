// Pooling without padding: y[r][q] of the window x[s r ... s r + k - 1][s q ... s q + k - 1], for one channel.
#include "pool.h"

// Whether `a` takes the place of the largest so far: a later equal does not, a NaN does; as in torch.
INLINE ivec exceeds(vec a, vec largest) {
    return (a > largest) | (a != a);
}

static void max_forward(vec *y, const vec *x, const Pool *p) {
    for (int row = 0; row < pool_height(p); row++)
        for (int column = 0; column < pool_width(p); column++) {
            const vec *window = x + (ptrdiff_t)row * p->stride * p->width + column * p->stride;
            vec largest = *window;
            for (int i = 0; i < p->kernel_height; i++)
                for (int j = 0; j < p->kernel_width; j++) {
                    vec a = window[i * p->width + j];
                    largest = choose(exceeds(a, largest), a, largest);
                }
            *y++ = largest;
        }
}

// The gradient goes to the first of the largest, in the order of rows. dx starts from 0.
static void max_backward(vec *dx, const vec *g, const vec *x, const Pool *p) {
    for (int row = 0; row < pool_height(p); row++)
        for (int column = 0; column < pool_width(p); column++, g++) {
            ptrdiff_t corner = (ptrdiff_t)row * p->stride * p->width + column * p->stride;
            vec largest = x[corner];
            ivec place = {};
            for (int i = 0, number = 0; i < p->kernel_height; i++)
                for (int j = 0; j < p->kernel_width; j++, number++) {
                    vec a = x[corner + i * p->width + j];
                    ivec more = exceeds(a, largest);
                    largest = choose(more, a, largest);
                    place = (more & number) | (~more & place);
                }
            for (int i = 0, number = 0; i < p->kernel_height; i++)
                for (int j = 0; j < p->kernel_width; j++, number++)
                    dx[corner + i * p->width + j] += only(place == number, *g);
        }
}

// Two by two without overlap, the usual one: every input lies in one window, so that its gradient is written once.
static void max_backward_2x2(vec *dx, const vec *g, const vec *x, const Pool *p) {
    for (int row = 0; row + 1 < p->height; row += 2)
        for (int column = 0; column + 1 < p->width; column += 2, g++) {
            ptrdiff_t upper = (ptrdiff_t)row * p->width + column, lower = upper + p->width;
            vec a = x[upper], b = x[upper + 1], c = x[lower], d = x[lower + 1];
            ivec right = exceeds(b, a);
            vec largest = choose(right, b, a);
            ivec below = exceeds(c, largest);
            largest = choose(below, c, largest);
            ivec last = exceeds(d, largest);
            dx[upper] = only(~(right | below | last), *g);
            dx[upper + 1] = only(right & ~(below | last), *g);
            dx[lower] = only(below & ~last, *g);
            dx[lower + 1] = only(last, *g);
        }
}

static void average_forward(vec *y, const vec *x, const Pool *p) {
    float count = p->kernel_height * p->kernel_width;
    for (int row = 0; row < pool_height(p); row++)
        for (int column = 0; column < pool_width(p); column++) {
            const vec *window = x + (ptrdiff_t)row * p->stride * p->width + column * p->stride;
            vec sum = {};
            for (int i = 0; i < p->kernel_height; i++)
                for (int j = 0; j < p->kernel_width; j++) sum += window[i * p->width + j];
            *y++ = sum / count;
        }
}

static void average_backward(vec *dx, const vec *g, const Pool *p) {
    float count = p->kernel_height * p->kernel_width;
    for (int row = 0; row < pool_height(p); row++)
        for (int column = 0; column < pool_width(p); column++, g++) {
            vec *window = dx + (ptrdiff_t)row * p->stride * p->width + column * p->stride, share = *g / count;
            for (int i = 0; i < p->kernel_height; i++)
                for (int j = 0; j < p->kernel_width; j++) window[i * p->width + j] += share;
        }
}

void pool_forward(vec *y, const vec *x, const Pool *p) {
    (p->kind == MAX_POOL ? max_forward : average_forward)(y, x, p);
}

// x: the input of pool_forward; average pooling does not read it.
void pool_backward(vec *dx, const vec *g, const vec *x, const Pool *p) {
    int halves = p->kernel_height == 2 && p->kernel_width == 2 && p->stride == 2;
    if (!halves || p->kind != MAX_POOL || p->height % 2 || p->width % 2)
        for (ptrdiff_t i = 0; i < (ptrdiff_t)p->height * p->width; i++) dx[i] = splat(0);
    if (p->kind == AVERAGE_POOL) average_backward(dx, g, p);
    else if (halves) max_backward_2x2(dx, g, x, p);
    else max_backward(dx, g, x, p);
}
