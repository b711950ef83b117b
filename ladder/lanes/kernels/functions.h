// exp, log, tanh and erf on 16 lanes, within 2 units in the last place of float32, the same on every processor.
//
// Each is a polynomial on a short interval, fitted in float64 by reweighted least squares so that its largest relative
// error is least, and rounded to float32. Infinities, zeros, denormals and NaN come out as in C's math.h.
#pragma once
#include "lanes.h"

// exp(x) = 2^n (1 + r + r^2 q(r)), where n is the integer next to x / ln 2 and |r| <= ln 2 / 2: the last two, for
// |x| <= 105.
INLINE vec exp_reduced(ivec *n, vec x) {
    const float to_integer = 12582912.f; // 1.5 * 2^23: adding it rounds to an integer, held in the low bits
    vec shifted = fused(x, splat(1.44269504f), splat(to_integer));
    *n = (ivec)shifted - 0x4b400000;
    vec whole = shifted - to_integer;
    vec r = fused(whole, splat(-0.693145752f), x); // ln 2 in two pieces: the first has trailing zeros,
    r = fused(whole, splat(-1.42860677e-6f), r);   // so that its product with n is exact
    vec q = splat(0.00139504904f);
    q = fused(q, r, splat(0.0083688898f));
    q = fused(q, r, splat(0.041666206f));
    q = fused(q, r, splat(0.166665182f));
    q = fused(q, r, splat(0.5f));
    return fused(q * r, r, r) + 1.f;
}
INLINE vec exp_lanes(vec x) {
    ivec n;
    vec near = choose(x > 90.f, splat(90.f), x); // beyond these, the result is infinite or 0
    near = choose(near < -105.f, splat(-105.f), near);
    vec y = exp_reduced(&n, near);
    ivec half = n >> 1; // 2^n by two factors, since n reaches from -152 to 130
    y = y * (vec)((half + 127) << 23) * (vec)((n - half + 127) << 23);
    return choose(x == x, y, x);
}

// log(x) = e ln 2 + log(1 + f), where 1 + f in [sqrt(1/2), sqrt(2)); log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)) with
// s = f / (2 + f), as in Sun's fdlibm.
INLINE vec log_lanes(vec x) {
    const vec x0 = x;
    ivec small = x < 1.17549435e-38f; // denormal
    x = choose(small, x * 8388608.f, x);
    ivec bits = (ivec)x - 0x3f3504f3; // sqrt(1/2)
    ivec e = (bits >> 23) - (small & 23);
    vec f = (vec)((bits & 0x7fffff) + 0x3f3504f3) - 1.f;
    vec s = f / (f + 2.f), z = s * s, half = 0.5f * f * f;
    vec R = splat(0.235840172f);
    R = fused(R, z, splat(0.285372168f));
    R = fused(R, z, splat(0.400003374f));
    R = fused(R, z, splat(0.666666627f));
    vec exponent = __builtin_convertvector(e, vec);
    vec low = fused(s, fused(R, z, half), exponent * 9.05800061e-6f); // ln 2 in two pieces; the first is exact below
    vec y = fused(exponent, splat(0.693138123f), f - (half - low));
    y = choose(x0 == 0.f, splat(-__builtin_inff()), y);
    y = choose(x0 < 0.f, splat(__builtin_nanf("")), y);
    return choose((x0 == __builtin_inff()) | (x0 != x0), x0, y);
}

// tanh(x) = x + x^3 q(x^2) where |x| < 0.65, elsewhere 1 - 2 / (exp(2 |x|) + 1) with the sign of x.
INLINE vec tanh_lanes(vec x) {
    vec a = absolute(x), s = x * x;
    vec q = splat(0.00206466531f);
    q = fused(q, s, splat(-0.00809196848f));
    q = fused(q, s, splat(0.0216663461f));
    q = fused(q, s, splat(-0.0539405644f));
    q = fused(q, s, splat(0.133331582f));
    q = fused(q, s, splat(-0.333333284f));
    vec near = fused(q * s, x, x);
    ivec n;
    vec e = exp_reduced(&n, choose(a > 10.f, splat(20.f), a + a)); // tanh(10) rounds to 1; a NaN stays one
    vec far = 1.f - 2.f / (e * (vec)((n + 127) << 23) + 1.f);
    far = (vec)((ivec)far | ((ivec)x & INT32_MIN));
    return choose(a < 0.65f, near, far);
}

// erf(x) = x + x q(x^2) where |x| < 0.93, elsewhere 1 - exp(-|x| + |x| p(|x|)) with the sign of x.
INLINE vec erf_lanes(vec x) {
    vec a = absolute(x), s = x * x;
    vec q = splat(-0.00059768965f);
    q = fused(q, s, splat(0.00499098096f));
    q = fused(q, s, splat(-0.0267655682f));
    q = fused(q, s, splat(0.112818025f));
    q = fused(q, s, splat(-0.376124948f));
    q = fused(q, s, splat(0.128379151f));
    vec near = fused(q, x, x);
    vec t = choose(a > 4.f, splat(4.f), a); // erf(4) rounds to 1
    vec p = splat(-1.04328947e-05f);
    p = fused(p, t, splat(0.000314856035f));
    p = fused(p, t, splat(-0.00361033389f));
    p = fused(p, t, splat(0.0236945506f));
    p = fused(p, t, splat(-0.106159031f));
    p = fused(p, t, splat(-0.635198057f));
    p = fused(p, t, splat(-0.128637075f));
    vec far = 1.f - exp_lanes(fused(p, t, -t));
    far = (vec)((ivec)far | ((ivec)x & INT32_MIN));
    return choose(a < 0.93f, near, far);
}

// The square root is exact by IEEE 754: the processor's own instruction.
INLINE vec sqrt_lanes(vec x) {
    return __builtin_elementwise_sqrt(x);
}
