// Pooling of one channel of one block: x[height][width][16].
#pragma once
#include "lanes.h"

typedef enum { NO_POOL, MAX_POOL, AVERAGE_POOL } Pooling;

typedef struct {
    int32_t kind, height, width, kernel_height, kernel_width, stride; // a Pooling; the input's size
} Pool;

INLINE int pool_height(const Pool *p) {
    return p->kind ? (p->height - p->kernel_height) / p->stride + 1 : p->height;
}
INLINE int pool_width(const Pool *p) {
    return p->kind ? (p->width - p->kernel_width) / p->stride + 1 : p->width;
}

void pool_forward(vec *y, const vec *x, const Pool *p);
void pool_backward(vec *dx, const vec *g, const vec *x, const Pool *p);
