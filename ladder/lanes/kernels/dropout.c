// Dropout zeroes listed places; scaling the others is part of the layer before it. An image's places lie together in
// the list, whatever block it is in, so that the draw does not depend on how batches are filled up to blocks.
#include "dropout.h"

// dropped[blocks][elements], a bit for each image, from places[count]; elements: how many an image has. Returns how
// many places it has marked: fewer than count where they are not sorted, or lie beyond the last block.
ptrdiff_t mark_dropped(Dropped *dropped, const int64_t *places, ptrdiff_t count, int blocks, ptrdiff_t elements) {
    for (ptrdiff_t i = 0; i < blocks * elements; i++) dropped[i] = 0;
    ptrdiff_t i = 0, marked = 0;
    for (int block = 0; block < blocks; block++, dropped += elements)
        for (int lane = 0; lane < LANES; lane++) {
            int64_t base = ((int64_t)block * LANES + lane) * elements;
            for (; i < count && places[i] < base + elements; i++)
                if (places[i] >= base) {
                    dropped[places[i] - base] |= (Dropped)(1u << lane);
                    marked++;
                }
        }
    return marked;
}
