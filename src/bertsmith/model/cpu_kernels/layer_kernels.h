/* What an encoder layer is made of, in the two kinds of numbers that there are products for. */
#ifndef BERTSMITH_LAYER_KERNELS_H
#define BERTSMITH_LAYER_KERNELS_H

#include "kernels.h"

/* Sizes: R rows of hidden states, of which some behind the last token, D hidden, F intermediate, N
   heads, B sequences, S the longest's length in steps of 32. */
typedef struct {
    int64_t R, D, F, N, B, S, threads;
} Sizes;

/* What attention has to know beside them: `more` rows behind the last token, and a dropout. */
typedef struct {
    const int32_t *cu_seqlens;
    int64_t more, causal;
    float query_scale;
    int64_t seed, threshold;
    float scale;
} Attention;

/* The kernels for one kind of numbers. Weights are a linear layer's, float32 [N, K], as are their
   gradients. What is inside the feed-forward block, [inner_rows, F], lies as that kind likes. Each
   has `room` for itself. */
typedef struct {
    int64_t is_wide; /* float32, else bf16 */
    int64_t (*inner_rows)(int64_t R);
    /* Bytes of room that the most demanding of the others needs, forward or backward. */
    int64_t (*room)(const Sizes *sizes, int64_t is_backward);
    /* output = values weightᵀ, [R, N]. */
    void (*product)(const Sizes *sizes, const void *values, const float *weight, void *output,
                    int64_t N, int64_t K, char *room);
    /* gradient = above weight, [R, K], and what is there already where it `adds`. */
    void (*product_backward)(const Sizes *sizes, const void *above, const float *weight,
                             void *gradient, int64_t adds, int64_t N, int64_t K, char *room);
    /* gradient = aboveᵀ values, [N, K]. */
    void (*weight_gradient)(const Sizes *sizes, const void *above, const void *values,
                            float *gradient, int64_t N, int64_t K, char *room);
    /* probabilities are NULL where nobody needs them again. */
    void (*attend)(const Sizes *sizes, const Attention *attention, const void *query_key_value,
                   const float *bias, void *probabilities, void *context, char *room);
    void (*attend_backward)(const Sizes *sizes, const Attention *attention,
                            const void *query_key_value, const float *bias,
                            const void *probabilities, const void *above, void *gradient,
                            float *bias_sums, char *room);
    /* inner = values weightᵀ, active = GELU(inner + bias); they may be one place. */
    void (*enter)(const Sizes *sizes, const void *values, const float *weight, const float *bias,
                  void *inner, void *active, char *room);
    /* output = active weightᵀ, [R, D]. */
    void (*leave)(const Sizes *sizes, const void *active, const float *weight, void *output,
                  char *room);
    /* The gradient of `inner`, where `above` is that of what leaves; then the weight's. */
    void (*leave_backward)(const Sizes *sizes, const void *above, const float *weight,
                           const float *bias, void *inner, const void *active,
                           void *inner_gradient, float *weight_gradient, float *bias_sums,
                           char *room);
    /* Adds the gradient of the values to what is there; then the weight's. */
    void (*enter_backward)(const Sizes *sizes, const void *inner_gradient, const float *weight,
                           const void *values, void *gradient, float *weight_gradient, char *room);
} LayerKernels;

/* NULL where there are no such products. */
extern const LayerKernels *const TILED_LAYER, *const FLOAT_LAYER;

static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
