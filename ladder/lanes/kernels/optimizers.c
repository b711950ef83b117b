// A step of SGD or Adam, in place, for all parameters of a group in one call.
//
// weights, gradients and the rest are arrays of `parameters` pointers; sizes [parameters] is how many numbers each has.
// Every product that is added is fused, number by number, so it makes no difference where a vector begins.
#include "functions.h"

typedef float unaligned __attribute__((vector_size(64), aligned(4)));

// Up to 16 numbers from `first` on, and 0 in the lanes beyond the end; and back.
INLINE vec load(const float *numbers, int first, int size) {
    if (first + LANES <= size) return *(const unaligned *)(numbers + first);
    vec x = {};
    for (int lane = 0; first + lane < size; lane++) x[lane] = numbers[first + lane];
    return x;
}
INLINE void store(float *numbers, vec x, int first, int size) {
    if (first + LANES <= size)
        *(unaligned *)(numbers + first) = x;
    else
        for (int lane = 0; first + lane < size; lane++) numbers[first + lane] = x[lane];
}

// Stochastic gradient descent as torch.optim.SGD says it:
//   d = gradient + decay w;  m = momentum m + d;  d = nesterov ? d + momentum m : m;  w = w - rate d
// moments are 0 before the first step, and not used without momentum.
EXPORT void sgd_step(float **weights, float **moments, float **gradients, const int *sizes, int parameters, double rate,
                     double momentum, double decay, int nesterov) {
    vec keep = splat(momentum), shrink = splat(decay), back = splat(-rate);
    for (int i = 0; i < parameters; i++)
        for (int first = 0; first < sizes[i]; first += LANES) {
            vec w = load(weights[i], first, sizes[i]);
            vec d = fused(shrink, w, load(gradients[i], first, sizes[i]));
            if (momentum != 0) {
                vec m = fused(keep, load(moments[i], first, sizes[i]), d);
                store(moments[i], m, first, sizes[i]);
                d = nesterov ? fused(keep, m, d) : m;
            }
            store(weights[i], fused(back, d, w), first, sizes[i]);
        }
}

// base^exponent by squaring: products alone, since a library's pow is not the same everywhere.
static double power(double base, int exponent) {
    double result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

// Adam (D. P. Kingma and J. Ba, arXiv:1412.6980), with g the gradient, at step t:
//   m = m + (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
//   w = w - rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
// means are m, squares v and steps [parameters][1] the steps taken; all are 0 before the first step.
EXPORT void adam_step(float **weights, float **means, float **squares, float **steps, float **gradients,
                      const int *sizes, int parameters, double rate, double beta1, double beta2, double epsilon) {
    for (int i = 0; i < parameters; i++) {
        int step = (int)(*steps[i] += 1);
        float by = rate / (1 - power(beta1, step)), root = __builtin_sqrt(1 - power(beta2, step));
        float new1 = 1 - beta1, keep2 = beta2, new2 = 1 - beta2, least = epsilon;
        for (int first = 0; first < sizes[i]; first += LANES) {
            vec g = load(gradients[i], first, sizes[i]);
            vec m = load(means[i], first, sizes[i]), v = load(squares[i], first, sizes[i]);
            m = fused(splat(new1), g - m, m);
            v = fused(splat(new2), g * g, keep2 * v);
            store(means[i], m, first, sizes[i]);
            store(squares[i], v, first, sizes[i]);
            vec move = m / (sqrt_lanes(v) / root + least);
            store(weights[i], fused(splat(-by), move, load(weights[i], first, sizes[i])), first, sizes[i]);
        }
    }
}
