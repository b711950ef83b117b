// The layers that a C header is made of, in plain C99: c_header.py copies those that a network needs, NAME being the
// network's. A map is x[channels][side][side], a list of features x[count]. Sums are in the order that is easiest to
// read; nothing here is tuned for a processor.

// resize: y[new_side][new_side] <- x[side][side], bytes. A new pixel is made of `taps` old ones, from first[new] on, by
// weights[new][taps], which add up to 1 << 22; columns first, then rows, each rounded to a byte.
static void NAME_resize(const unsigned char *x, unsigned char *y, const int *first, const int *weights, int taps,
                        int side, int new_side, unsigned char *between) {
    for (int row = 0; row < side; row++)
        for (int column = 0; column < new_side; column++) {
            int sum = 1 << 21;
            for (int tap = 0; tap < taps; tap++)
                sum += weights[column * taps + tap] * x[row * side + first[column] + tap];
            between[row * new_side + column] = (unsigned char)(sum >> 22);
        }
    for (int row = 0; row < new_side; row++)
        for (int column = 0; column < new_side; column++) {
            int sum = 1 << 21;
            for (int tap = 0; tap < taps; tap++)
                sum += weights[row * taps + tap] * between[(first[row] + tap) * new_side + column];
            y[row * new_side + column] = (unsigned char)(sum >> 22);
        }
}

// conv: y[out][out_side][out_side] <- x[channels][side][side], weight[out][channels / groups][kernel][kernel]; bias[out]
// or 0. Outside of the map there are zeros.
static void NAME_conv(const float *x, float *y, const float *weight, const float *bias, int channels, int side, int out,
                      int out_side, int kernel, int stride, int padding, int dilation, int groups) {
    int in_group = channels / groups, out_group = out / groups;
    for (int o = 0; o < out; o++)
        for (int row = 0; row < out_side; row++)
            for (int column = 0; column < out_side; column++) {
                float sum = bias ? bias[o] : 0.0f;
                for (int i = 0; i < in_group; i++) {
                    const float *map = x + (o / out_group * in_group + i) * side * side;
                    const float *taps = weight + (o * in_group + i) * kernel * kernel;
                    for (int r = 0; r < kernel; r++) {
                        int from_row = row * stride - padding + r * dilation;
                        if (from_row < 0 || from_row >= side) continue;
                        for (int c = 0; c < kernel; c++) {
                            int from_column = column * stride - padding + c * dilation;
                            if (from_column < 0 || from_column >= side) continue;
                            sum += taps[r * kernel + c] * map[from_row * side + from_column];
                        }
                    }
                }
                y[(o * out_side + row) * out_side + column] = sum;
            }
}

// linear: y[out] <- x[count], weight[out][count], bias[out].
static void NAME_linear(const float *x, float *y, const float *weight, const float *bias, int count, int out) {
    for (int o = 0; o < out; o++) {
        float sum = bias[o];
        for (int i = 0; i < count; i++) sum += weight[o * count + i] * x[i];
        y[o] = sum;
    }
}

// max_pool: y[channels][out_side][out_side] <- x[channels][side][side].
static void NAME_max_pool(const float *x, float *y, int channels, int side, int out_side, int kernel, int stride) {
    for (int channel = 0; channel < channels; channel++)
        for (int row = 0; row < out_side; row++)
            for (int column = 0; column < out_side; column++) {
                const float *from = x + (channel * side + row * stride) * side + column * stride;
                float largest = from[0];
                for (int r = 0; r < kernel; r++)
                    for (int c = 0; c < kernel; c++)
                        if (from[r * side + c] > largest) largest = from[r * side + c];
                *y++ = largest;
            }
}

// avg_pool: y[channels][out_side][out_side] <- x[channels][side][side].
static void NAME_avg_pool(const float *x, float *y, int channels, int side, int out_side, int kernel, int stride) {
    for (int channel = 0; channel < channels; channel++)
        for (int row = 0; row < out_side; row++)
            for (int column = 0; column < out_side; column++) {
                const float *from = x + (channel * side + row * stride) * side + column * stride;
                float sum = 0.0f;
                for (int r = 0; r < kernel; r++)
                    for (int c = 0; c < kernel; c++) sum += from[r * side + c];
                *y++ = sum / (float)(kernel * kernel);
            }
}

// batch_norm: x[channels][pixels], in place: each channel times its scale, plus its shift.
static void NAME_batch_norm(float *x, const float *scale, const float *shift, int channels, int pixels) {
    for (int channel = 0; channel < channels; channel++)
        for (int pixel = 0; pixel < pixels; pixel++, x++) *x = *x * scale[channel] + shift[channel];
}

// relu: x[count], in place.
static void NAME_relu(float *x, int count) {
    for (int i = 0; i < count; i++)
        if (x[i] < 0.0f) x[i] = 0.0f;
}

// gelu: x[count], in place.
static void NAME_gelu(float *x, int count) {
    for (int i = 0; i < count; i++) x[i] *= 0.5f * (1.0f + erff(x[i] * 0.70710678f));
}

// silu: x[count], in place.
static void NAME_silu(float *x, int count) {
    for (int i = 0; i < count; i++) x[i] /= 1.0f + expf(-x[i]);
}

// tanh: x[count], in place.
static void NAME_tanh(float *x, int count) {
    for (int i = 0; i < count; i++) x[i] = tanhf(x[i]);
}

// softmax: x[count], in place: scores become probabilities.
static void NAME_softmax(float *x, int count) {
    float largest = x[0], sum = 0.0f;
    for (int i = 1; i < count; i++)
        if (x[i] > largest) largest = x[i];
    for (int i = 0; i < count; i++) sum += x[i] = expf(x[i] - largest);
    for (int i = 0; i < count; i++) x[i] /= sum;
}

// log_softmax: x[count], in place: scores become logarithms of probabilities.
static void NAME_log_softmax(float *x, int count) {
    float largest = x[0], sum = 0.0f;
    for (int i = 1; i < count; i++)
        if (x[i] > largest) largest = x[i];
    for (int i = 0; i < count; i++) sum += expf(x[i] - largest);
    for (int i = 0; i < count; i++) x[i] -= largest + logf(sum);
}

// copy: y[count] <- x[count].
static void NAME_copy(const float *x, float *y, int count) {
    for (int i = 0; i < count; i++) y[i] = x[i];
}

// add: y[count] <- y[count] + x[count].
static void NAME_add(const float *x, float *y, int count) {
    for (int i = 0; i < count; i++) y[i] += x[i];
}
