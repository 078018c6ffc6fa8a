/* An encoder layer's kernels for bf16, on tiles. */
#include "layer_kernels.h"
#include "tiles.h"

#ifdef HAS_TILES
/* Rows of what stands in blocks. */
static int64_t inner_rows(int64_t R) { return steps_of(R) * EDGE; }

static int64_t product_room(int64_t columns, int64_t length) {
    return (columns + EDGE) * length * (int64_t)sizeof(bf16);
}

static int64_t gradient_room(int64_t N, int64_t K, int64_t threads) {
    return weight_gradient_room(N, K, threads) * (int64_t)sizeof(bf16);
}

static int64_t room_of(const Sizes *sizes, int64_t is_backward) {
    (void)is_backward;
    int64_t D = sizes->D, F = sizes->F, threads = sizes->threads;
    int64_t room = threads * attention_room(sizes->S, D / sizes->N);
    room = larger(room, larger(product_room(3 * D, D), product_room(D, 3 * D)));
    room = larger(room, larger(product_room(F, D), product_room(D, F)));
    room = larger(room, larger(gradient_room(F, D, threads), gradient_room(D, F, threads)));
    return larger(room, larger(gradient_room(3 * D, D, threads), gradient_room(D, D, threads)));
}

static void product(const Sizes *sizes, const void *values, const float *weight, void *output,
                    int64_t N, int64_t K, char *room) {
    product_alone(values, weight, output, (bf16 *)room, sizes->R, N, K, 0, 1, sizes->threads);
}

static void product_backward(const Sizes *sizes, const void *above, const float *weight,
                             void *gradient, int64_t adds, int64_t N, int64_t K, char *room) {
    if (adds)
        product_added(above, weight, gradient, gradient, (bf16 *)room, sizes->R, K, N, 0,
                      sizes->threads);
    else
        product_alone(above, weight, gradient, (bf16 *)room, sizes->R, K, N, 0, 0, sizes->threads);
}

static void gradient_of_weight(const Sizes *sizes, const void *above, const void *values,
                               float *gradient, int64_t N, int64_t K, char *room) {
    weight_gradient(above, values, gradient, (bf16 *)room, sizes->R, N, K, 0, 0, sizes->threads);
}

static void attend(const Sizes *sizes, const Attention *its, const void *query_key_value,
                   const float *bias, void *probabilities, void *context, char *room) {
    attention_forward(query_key_value, bias, probabilities, context, its->cu_seqlens, room,
                      sizes->B, sizes->N, sizes->S, sizes->D / sizes->N, its->more, its->causal,
                      its->query_scale, its->seed, its->threshold, its->scale, sizes->threads);
}

static void attend_backward(const Sizes *sizes, const Attention *its, const void *query_key_value,
                            const float *bias, const void *probabilities, const void *above,
                            void *gradient, float *bias_sums, char *room) {
    attention_backward(query_key_value, bias, probabilities, above, gradient, bias_sums,
                       its->cu_seqlens, room, sizes->B, sizes->N, sizes->S, sizes->D / sizes->N,
                       its->more, its->causal, its->query_scale, its->seed, its->threshold,
                       its->scale, sizes->threads);
}

static void enter(const Sizes *sizes, const void *values, const float *weight, const float *bias,
                  void *inner, void *active, char *room) {
    product_gelu(values, weight, bias, inner, active, (bf16 *)room, sizes->R, sizes->F, sizes->D,
                 sizes->threads);
}

static void leave(const Sizes *sizes, const void *active, const float *weight, void *output,
                  char *room) {
    product_alone(active, weight, output, (bf16 *)room, sizes->R, sizes->D, sizes->F, 1, 1,
                  sizes->threads);
}

static void leave_backward(const Sizes *sizes, const void *above, const float *weight,
                           const float *bias, void *inner, const void *active,
                           void *inner_gradient, float *gradient, float *bias_sums, char *room) {
    product_gelu_backward(above, weight, bias, inner, inner_gradient, bias_sums, (bf16 *)room,
                          sizes->R, sizes->F, sizes->D, sizes->threads);
    weight_gradient(above, active, gradient, (bf16 *)room, sizes->R, sizes->D, sizes->F, 0, 1,
                    sizes->threads);
}

static void enter_backward(const Sizes *sizes, const void *inner_gradient, const float *weight,
                           const void *values, void *gradient, float *weight_gradient_to,
                           char *room) {
    product_added(inner_gradient, weight, gradient, gradient, (bf16 *)room, sizes->R, sizes->D,
                  sizes->F, 1, sizes->threads);
    weight_gradient(inner_gradient, values, weight_gradient_to, (bf16 *)room, sizes->R, sizes->F,
                    sizes->D, 1, 0, sizes->threads);
}

static const LayerKernels KERNELS = {
    0,      inner_rows,      room_of, product, product_backward, gradient_of_weight,
    attend, attend_backward, enter,   leave,   leave_backward,   enter_backward};
const LayerKernels *const TILED_LAYER = &KERNELS;
#else
const LayerKernels *const TILED_LAYER = NULL;
#endif
