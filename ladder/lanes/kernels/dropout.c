// Dropout zeroes listed places; scaling the others is part of the activation before it. An image's places lie together
// in the list, whatever block it is in, so that the draw does not depend on how batches are filled up to blocks.
#include "dropout.h"

// The first of `count` sorted places that is not below `bound`.
static const int64_t *first_from(const int64_t *places, ptrdiff_t count, int64_t bound) {
    while (count > 0) {
        ptrdiff_t half = count / 2;
        if (places[half] < bound) {
            places += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return places;
}

// elements: how many an image has.
void drops_of_block(Drops *drops, const int64_t *places, ptrdiff_t count, int block, ptrdiff_t elements) {
    const int64_t *end = places + count;
    for (int lane = 0; lane < LANES; lane++) {
        drops->base[lane] = ((int64_t)block * LANES + lane) * elements;
        drops->next[lane] = places = first_from(places, end - places, drops->base[lane]);
        if (lane) drops->end[lane - 1] = places;
    }
    drops->end[LANES - 1] = first_from(places, end - places, ((int64_t)block + 1) * LANES * elements);
}

// Zero the places among elements first ... first + n - 1 of every image, which x[n][16] holds.
void drop(vec *x, const Drops *drops, ptrdiff_t first, ptrdiff_t n) {
    for (int lane = 0; lane < LANES; lane++) {
        const int64_t *next = drops->next[lane], *end = drops->end[lane];
        int64_t base = drops->base[lane] + first;
        for (; next < end && *next < base + n; next++) ((float *)x)[(*next - base) * LANES + lane] = 0;
    }
}

// Go on to the places from element `first` of every image.
void drops_from(Drops *drops, ptrdiff_t first) {
    for (int lane = 0; lane < LANES; lane++)
        while (drops->next[lane] < drops->end[lane] && *drops->next[lane] < drops->base[lane] + first) drops->next[lane]++;
}
