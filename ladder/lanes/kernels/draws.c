// Dropout's draw: which of many elements are dropped, each with probability p.
//
// How far a dropped element is from the one before it follows a geometric distribution. So these distances are drawn,
// one for each dropped element, and not one number for each element: at p = 0.05 a twentieth of the work. A distance
// comes from 32 random bits by the alias method (A. J. Walker, 1977, doi:10.1145/355744.355749), in integers: ten bits
// choose a column, and the other 22 choose one of the two outcomes that share it. Outcome d < FAR is "the next dropped
// element is d + 1 places on". Outcome FAR is "the next FAR places keep theirs": then the draw begins anew there, as it
// may, since a geometric distribution has no memory.
#include "lanes.h"

enum { COLUMN_BITS = 10, SHARE_BITS = 32 - COLUMN_BITS, FAR = (1 << COLUMN_BITS) - 1 };

// places [as many as are dropped, at most room] <- the places of the dropped ones among `elements` elements, ascending.
// columns [1 << COLUMN_BITS]: in the upper 22 bits, how many of the column's 1 << SHARE_BITS numbers are its own
// outcome's; in the lower ten bits, whose the others are. next(state): the next 64 bits of a NumPy generator; the lower
// half is used first. Returns the number of places, or -1 if there is no room for them.
EXPORT int64_t draw_dropped(int64_t *places, const uint32_t *columns, uint64_t (*next)(void *), void *state,
                            int64_t elements, int64_t room) {
    int64_t place = -1, count = 0;
    for (;;) {
        uint64_t bits = next(state);
        for (int half = 0; half < 2; half++, bits >>= 32) {
            uint32_t column = (uint32_t)bits >> SHARE_BITS, within = bits & ((1u << SHARE_BITS) - 1);
            uint32_t own = columns[column] >> COLUMN_BITS, other = columns[column] & FAR;
            uint32_t outcome = within < own ? column : other;
            int dropped = outcome < FAR;
            place += outcome + dropped;
            if (place >= elements) return count;
            if (count == room) return -1;
            places[count] = place; // written over by the next one if none is dropped here
            count += dropped;
        }
    }
}
