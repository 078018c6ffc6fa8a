/* An encoder layer's kernels for float32, by our own products. */
#include "layer_kernels.h"
#include "float_products.h"

#ifdef HAS_FLOAT_PRODUCTS
static int64_t inner_rows(int64_t R) { return R; }

static int64_t room_of(const Sizes *sizes, int64_t is_backward) {
    int64_t S = sizes->S, H = sizes->D / sizes->N, columns = larger(3 * sizes->D, sizes->F);
    int64_t attention = is_backward ? float_attention_room(S, H) : float_attending_room(S, H);
    return sizes->threads * larger(bytes_of(float_product_room(columns), 1), attention);
}

static void product(const Sizes *sizes, const void *values, const float *weight, void *output,
                    int64_t N, int64_t K, char *room) {
    float_product(values, K, 1, weight, 1, K, NULL, 0, output, N, sizes->R, N, K, (float *)room,
                  sizes->threads);
}

static void product_backward(const Sizes *sizes, const void *above, const float *weight,
                             void *gradient, int64_t adds, int64_t N, int64_t K, char *room) {
    float_product(above, N, 1, weight, K, 1, adds ? gradient : NULL, K, gradient, K, sizes->R, K,
                  N, (float *)room, sizes->threads);
}

static void weight_gradient_of(const Sizes *sizes, const void *above, const void *values,
                               float *gradient, int64_t N, int64_t K, char *room) {
    float_product(above, 1, N, values, K, 1, NULL, 0, gradient, K, N, K, sizes->R, (float *)room,
                  sizes->threads);
}

static void attend(const Sizes *sizes, const Attention *its, const void *query_key_value,
                   const float *bias, void *probabilities, void *context, char *room) {
    float_attention_forward(query_key_value, bias, probabilities, context, its->cu_seqlens, room,
                            sizes->B, sizes->N, sizes->S, sizes->D / sizes->N, its->more,
                            its->causal, its->query_scale, its->seed, its->threshold, its->scale,
                            sizes->threads);
}

static void attend_backward(const Sizes *sizes, const Attention *its, const void *query_key_value,
                            const float *bias, const void *probabilities, const void *above,
                            void *gradient, float *bias_sums, char *room) {
    float_attention_backward(query_key_value, bias, probabilities, above, gradient, bias_sums,
                             its->cu_seqlens, room, sizes->B, sizes->N, sizes->S,
                             sizes->D / sizes->N, its->more, its->causal, its->query_scale,
                             its->seed, its->threshold, its->scale, sizes->threads);
}

static void enter(const Sizes *sizes, const void *values, const float *weight, const float *bias,
                  void *inner, void *active, char *room) {
    product(sizes, values, weight, inner, sizes->F, sizes->D, room);
    gelu_forward(inner, bias, active, sizes->R, sizes->F, 1, sizes->threads);
}

static void leave(const Sizes *sizes, const void *active, const float *weight, void *output,
                  char *room) {
    product(sizes, active, weight, output, sizes->D, sizes->F, room);
}

static void leave_backward(const Sizes *sizes, const void *above, const float *weight,
                           const float *bias, void *inner, const void *active,
                           void *inner_gradient, float *weight_gradient, float *bias_sums,
                           char *room) {
    product_backward(sizes, above, weight, inner_gradient, 0, sizes->D, sizes->F, room);
    gelu_backward(inner_gradient, inner, bias, inner_gradient, bias_sums, sizes->R, sizes->F, 1,
                  sizes->threads);
    weight_gradient_of(sizes, above, active, weight_gradient, sizes->D, sizes->F, room);
}

static void enter_backward(const Sizes *sizes, const void *inner_gradient, const float *weight,
                           const void *values, void *gradient, float *weight_gradient,
                           char *room) {
    product_backward(sizes, inner_gradient, weight, gradient, 1, sizes->F, sizes->D, room);
    weight_gradient_of(sizes, inner_gradient, values, weight_gradient, sizes->F, sizes->D, room);
}

static const LayerKernels KERNELS = {
    1,      inner_rows,      room_of, product, product_backward, weight_gradient_of,
    attend, attend_backward, enter,   leave,   leave_backward,   enter_backward};
const LayerKernels *const FLOAT_LAYER = &KERNELS;
#else
const LayerKernels *const FLOAT_LAYER = NULL;
#endif
