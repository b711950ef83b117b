// Dropout by a list of dropped places: int64, sorted, each the number of an element in [image][channel][row][column].
#pragma once
#include "lanes.h"

// Which of 16 images drop an element: bit i stands for lane i.
typedef uint16_t Dropped;

// -1 in the lanes of images that drop the element, 0 in the others.
INLINE ivec dropped_lanes(Dropped bits) {
    const ivec lane = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    ivec all;
    UNROLL for (int i = 0; i < LANES; i++) all[i] = bits;
    return (all & lane) != 0;
}

ptrdiff_t mark_dropped(Dropped *dropped, const int64_t *places, ptrdiff_t count, int blocks, ptrdiff_t elements);
