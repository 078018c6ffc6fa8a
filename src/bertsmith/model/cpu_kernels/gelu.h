/* The tanh formula of GELU: x/2 (1 + tanh z) = x sigmoid(2z), z = sqrt(2/pi) (x + 0.044715 x^3). */
#ifndef BERTSMITH_GELU_H
#define BERTSMITH_GELU_H

#include "common.h"

#define ROOT 0.7978845608028654f
#define CUBE 0.044715f

static inline float sigmoid_of(float x) {
    return 1.0f / (1.0f + exponential(-2.0f * ROOT * (x + CUBE * x * x * x)));
}

static inline float gelu_of(float x) { return x * sigmoid_of(x); }

static inline float gelu_slope_at(float x) {
    float sigmoid = sigmoid_of(x), inner = 2.0f * ROOT * (1.0f + 3.0f * CUBE * x * x);
    return sigmoid * (1.0f + x * (1.0f - sigmoid) * inner);
}

#endif
