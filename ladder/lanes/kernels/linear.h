// A linear layer on the whole batch: x[block][in][16], w[out][in], y[block][out][16].
#pragma once
#include "tiles.h"

void linear_pack(float *packed, const float *w, int in, int out);
void linear_pack_transposed(float *packed, const float *w, int in, int out);
void linear_forward(vec *y, const vec *x, const float *packed, const float *bias, int blocks, int in, int out);
void linear_backward_weight(float *dw, const vec *x, const vec *g, int blocks, int in, int out);
