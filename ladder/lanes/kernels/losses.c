// The losses of a batch, and the gradients of what training minimises.
//
// Outputs are [count][classes], one row an image; labels [count] are classes. Three losses: the negative log-likelihood
// of log-probabilities, cross entropy (the same of the log-softmax of outputs), and the absolute difference from
// one-hot. With label smoothing s a label is the class to 1 - s, and all classes to s / classes each (C. Szegedy et
// al., arXiv:1512.00567, section 7); training then minimises (1 - s) nll - s mean(log-probabilities). Sums over a batch
// are in double, image by image and class by class.
#include "functions.h"

// The first of a row's largest outputs.
static int largest(const float *row, int classes) {
    int best = 0;
    for (int class = 1; class < classes; class++)
        if (row[class] > row[best]) best = class;
    return best;
}

// means[2] <- (nll without smoothing, nll with it) of log-probabilities logs [count][classes].
// Returns how many images are right: the largest is at the label. -1 if a label is no class.
EXPORT int nll_forward(double *means, const float *logs, const int64_t *labels, double smoothing, int count,
                       int classes) {
    double sum = 0, all = 0;
    int right = 0;
    for (int image = 0; image < count; image++, logs += classes) {
        if (labels[image] < 0 || labels[image] >= classes) return -1;
        sum -= logs[labels[image]];
        for (int class = 0; class < classes && smoothing != 0; class++) all -= logs[class];
        right += largest(logs, classes) == labels[image];
    }
    means[0] = sum / count;
    means[1] = smoothing != 0 ? (1 - smoothing) * means[0] + smoothing * (all / count / classes) : means[0];
    return right;
}

// gradient [count][classes] of scale times the smoothed nll, by the log-probabilities.
EXPORT void nll_backward(float *gradient, const int64_t *labels, double scale, double smoothing, int count,
                         int classes) {
    double all = scale * smoothing / classes / count, label = scale * (1 - smoothing) / count;
    for (int image = 0; image < count; image++, gradient += classes) {
        for (int class = 0; class < classes; class++) gradient[class] = -all;
        gradient[labels[image]] = -(all + label);
    }
}

// logs [count][classes] <- log-softmax of each row of outputs: x - max - log(sum(exp(x - max))), sums class by class.
// Sixteen rows at a time, one a lane. Lanes without a row repeat the last one.
EXPORT void log_softmax_rows(float *logs, const float *outputs, int count, int classes) {
    for (int first = 0; first < count; first += LANES) {
        int rows = count - first < LANES ? count - first : LANES;
        const float *row[LANES];
        for (int lane = 0; lane < LANES; lane++)
            row[lane] = outputs + (size_t)(first + (lane < rows ? lane : rows - 1)) * classes;
        vec max = splat(-__builtin_inff()), sum = splat(0), x;
        for (int class = 0; class < classes; class++) {
            for (int lane = 0; lane < LANES; lane++) x[lane] = row[lane][class];
            max = choose(x > max, x, max);
        }
        for (int class = 0; class < classes; class++) {
            for (int lane = 0; lane < LANES; lane++) x[lane] = row[lane][class];
            sum += exp_lanes(x - max);
        }
        vec log = log_lanes(sum);
        for (int lane = 0; lane < rows; lane++)
            for (int class = 0; class < classes; class++)
                logs[(size_t)(first + lane) * classes + class] = row[lane][class] - max[lane] - log[lane];
    }
}

// gradient [count][classes] of scale times the smoothed cross entropy, by the outputs whose log-softmax is logs:
// scale / count (softmax - smoothed label).
EXPORT void cross_entropy_backward(float *gradient, const float *logs, const int64_t *labels, double scale,
                                   double smoothing, int count, int classes) {
    int numbers = count * classes;
    float factor = scale / count, all = scale * smoothing / classes / count, label = scale * (1 - smoothing) / count;
    for (int first = 0; first < numbers; first += LANES) {
        int lanes = numbers - first < LANES ? numbers - first : LANES;
        vec x = {};
        for (int lane = 0; lane < lanes; lane++) x[lane] = logs[first + lane];
        vec y = fused(exp_lanes(x), splat(factor), splat(-all));
        for (int lane = 0; lane < lanes; lane++) gradient[first + lane] = y[lane];
    }
    for (int image = 0; image < count; image++) gradient[image * classes + labels[image]] -= label;
}

// means[2] <- twice the mean of |output - one-hot label| over [count][classes]. Returns as nll_forward.
EXPORT int l1_forward(double *means, const float *outputs, const int64_t *labels, int count, int classes) {
    double sum = 0;
    int right = 0;
    for (int image = 0; image < count; image++, outputs += classes) {
        if (labels[image] < 0 || labels[image] >= classes) return -1;
        for (int class = 0; class < classes; class++) {
            double difference = (double)outputs[class] - (class == labels[image]);
            sum += difference < 0 ? -difference : difference;
        }
        right += largest(outputs, classes) == labels[image];
    }
    means[0] = means[1] = sum / count / classes;
    return right;
}

// gradient [count][classes] of scale times that mean: its sign, 0 where output and label are equal.
EXPORT void l1_backward(float *gradient, const float *outputs, const int64_t *labels, double scale, int count,
                        int classes) {
    float step = scale / count / classes;
    for (int image = 0; image < count; image++, outputs += classes, gradient += classes)
        for (int class = 0; class < classes; class++) {
            float one_hot = class == labels[image];
            gradient[class] = step * (float)((outputs[class] > one_hot) - (outputs[class] < one_hot));
        }
}
