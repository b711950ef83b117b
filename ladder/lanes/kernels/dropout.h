// Dropout by a list of dropped places: int64, sorted, each the number of an element in [image][channel][row][column].
#pragma once
#include "lanes.h"

// Where each image of a block stands in the list: next[lane] is the first place not yet dropped.
typedef struct {
    const int64_t *next[LANES], *end[LANES];
    int64_t base[LANES]; // the number of the image's first element
} Drops;

void drops_of_block(Drops *drops, const int64_t *places, ptrdiff_t count, int block, ptrdiff_t elements);
void drop(vec *x, const Drops *drops, ptrdiff_t first, ptrdiff_t n);
void drops_from(Drops *drops, ptrdiff_t first);
