/* An encoder layer, forward and backward in one call each: its kernels one after the other.

   Between two kernels Python takes 0.1 to 0.5 ms, the longer the more of the caches a kernel has
   used, and the other threads fall asleep: 60 ms of a step of BERT-base's 1,280. */
#include "layer_kernels.h"

/* A layer's biases and LayerNorm weights, in the order in which their gradients come. */
enum {
    QUERY_KEY_VALUE_BIAS, ATTENDED_BIAS, FIRST_WEIGHT, FIRST_BIAS, INNER_BIAS, OUTER_BIAS,
    SECOND_WEIGHT, SECOND_BIAS, VECTORS
};

/* What backward needs of forward: the vectors as they were used, and what each kernel made. */
typedef struct {
    float *vectors[VECTORS], *first_means, *first_factors, *second_means, *second_factors;
    void *query_key_value, *probabilities, *context, *attended, *normed, *inner, *active, *outer;
} Kept;

/* What backward needs for itself. `wide` holds the gradient of what is inside the feed-forward block,
   then that of queries, keys and values. */
typedef struct {
    float *sums[VECTORS]; /* [threads, length of the vector] */
    void *values, *residual, *context, *wide;
    char *room;
} Passing;

static const LayerKernels *kernels_for(int64_t is_wide) {
    return is_wide ? FLOAT_LAYER : TILED_LAYER;
}

static int64_t length_of(const Sizes *sizes, int vector) {
    return vector == QUERY_KEY_VALUE_BIAS ? 3 * sizes->D
           : vector == INNER_BIAS         ? sizes->F
                                          : sizes->D;
}

/* The next piece of so many bytes; addresses are numbers here, so that a walk from 0 tells how many
   there are in all. */
static void *take(uintptr_t *at, int64_t bytes) {
    uintptr_t here = *at;
    *at += (uintptr_t)((bytes + 63) / 64 * 64);
    return (void *)here;
}

static float *floats(uintptr_t *at, int64_t number) { return take(at, bytes_of(number, 1)); }

/* Where there will be no backward, one place serves several in turn, and nobody reads the
   probabilities or what is in front of GELU again. */
static uintptr_t divide_kept(uintptr_t at, const LayerKernels *kernels, const Sizes *sizes,
                             Kept *kept, int64_t is_needed) {
    int64_t R = sizes->R, D = sizes->D, is_wide = kernels->is_wide;
    int64_t row = bytes_of(R * D, is_wide);
    int64_t inner = bytes_of(kernels->inner_rows(R) * sizes->F, is_wide);
    for (int i = 0; i < VECTORS; i++) kept->vectors[i] = floats(&at, length_of(sizes, i));
    kept->first_means = floats(&at, R);
    kept->first_factors = floats(&at, R);
    kept->second_means = floats(&at, R);
    kept->second_factors = floats(&at, R);
    if (!is_needed) {
        kept->query_key_value = take(&at, larger(inner, 3 * row));
        kept->inner = kept->active = kept->query_key_value;
        kept->probabilities = NULL;
        kept->context = kept->outer = take(&at, row);
        kept->attended = take(&at, row);
        kept->normed = take(&at, row);
        return at;
    }
    kept->query_key_value = take(&at, 3 * row);
    kept->probabilities = take(&at, bytes_of(sizes->B * sizes->N * sizes->S * sizes->S, is_wide));
    kept->context = take(&at, row);
    kept->attended = take(&at, row);
    kept->normed = take(&at, row);
    kept->inner = take(&at, inner);
    kept->active = take(&at, inner);
    kept->outer = take(&at, row);
    return at;
}

static uintptr_t divide_passing(uintptr_t at, const LayerKernels *kernels, const Sizes *sizes,
                                Passing *passing) {
    int64_t R = sizes->R, D = sizes->D, is_wide = kernels->is_wide;
    int64_t inner_numbers = kernels->inner_rows(R) * sizes->F;
    for (int i = 0; i < VECTORS; i++)
        passing->sums[i] = floats(&at, sizes->threads * length_of(sizes, i));
    passing->values = take(&at, bytes_of(R * D, is_wide));
    passing->residual = take(&at, bytes_of(R * D, is_wide));
    passing->context = take(&at, bytes_of(R * D, is_wide));
    passing->wide = take(&at, bytes_of(larger(inner_numbers, R * 3 * D), is_wide));
    passing->room = take(&at, kernels->room(sizes, 1));
    return at;
}

/* Bytes that forward leaves for backward; or needs, where there will be none. -1 where there are no
   products for such numbers. */
int64_t encoder_layer_kept(int64_t R, int64_t D, int64_t F, int64_t N, int64_t B, int64_t S,
                           int64_t is_wide, int64_t is_needed) {
    Sizes sizes = {R, D, F, N, B, S, 1};
    const LayerKernels *kernels = kernels_for(is_wide);
    Kept kept;
    return kernels ? (int64_t)divide_kept(0, kernels, &sizes, &kept, is_needed) : -1;
}

/* Bytes of scratch, forward or backward; -1 as above. */
int64_t encoder_layer_scratch(int64_t R, int64_t D, int64_t F, int64_t N, int64_t B, int64_t S,
                              int64_t is_wide, int64_t is_backward, int64_t threads) {
    Sizes sizes = {R, D, F, N, B, S, threads};
    const LayerKernels *kernels = kernels_for(is_wide);
    Passing passing;
    if (kernels == NULL) return -1;
    return is_backward ? (int64_t)divide_passing(0, kernels, &sizes, &passing)
                       : kernels->room(&sizes, 0);
}

/* As `quiet` in running.py. */
static void copy_quietly(const float *from, int64_t length, float *to) {
    for (int64_t i = 0; i < length; i++) to[i] = from[i] == from[i] ? from[i] : NAN;
}

/* The next hidden states, [R, D], of those before; `more` rows behind the last token mean nothing.

   They are float32 where `is_wide`, else bf16. Weights lie as linear layers have them. Dropout comes
   as a seed for each place, a threshold and a scale: of attention's probabilities, and in front of
   both sums. What is kept is for backward, if that needs it. */
void encoder_layer_forward(
    const void *hidden, const float *query_key_value_weight, const float *query_key_value_bias,
    const float *attended_weight, const float *attended_bias, const float *first_weight,
    const float *first_bias, const float *inner_weight, const float *inner_bias,
    const float *outer_weight, const float *outer_bias, const float *second_weight,
    const float *second_bias, const int32_t *cu_seqlens, void *next, char *kept_room, char *room,
    int64_t R, int64_t D, int64_t F, int64_t N, int64_t B, int64_t S, int64_t is_wide,
    int64_t more, int64_t causal, float query_scale, int64_t seed, int64_t threshold, float scale,
    int64_t first_seed, int64_t second_seed, int64_t sum_threshold, float sum_scale,
    float first_eps, float second_eps, int64_t is_needed, int64_t threads) {
    const LayerKernels *kernels = kernels_for(is_wide);
    const Sizes sizes = {R, D, F, N, B, S, threads};
    const Attention attention = {cu_seqlens, more, causal, query_scale, seed, threshold, scale};
    Kept kept;
    divide_kept((uintptr_t)kept_room, kernels, &sizes, &kept, is_needed);
    const float *vectors[VECTORS] = {query_key_value_bias, attended_bias, first_weight,
                                     first_bias,           inner_bias,    outer_bias,
                                     second_weight,        second_bias};
    for (int i = 0; i < VECTORS; i++)
        copy_quietly(vectors[i], length_of(&sizes, i), kept.vectors[i]);
    float **vector = kept.vectors;
    kernels->product(&sizes, hidden, query_key_value_weight, kept.query_key_value, 3 * D, D, room);
    kernels->attend(&sizes, &attention, kept.query_key_value, vector[QUERY_KEY_VALUE_BIAS],
                    kept.probabilities, kept.context, room);
    kernels->product(&sizes, kept.context, attended_weight, kept.attended, D, D, room);
    residual_norm_forward(kept.attended, vector[ATTENDED_BIAS], hidden, vector[FIRST_WEIGHT],
                          vector[FIRST_BIAS], kept.normed, kept.first_means, kept.first_factors, R,
                          D, first_eps, first_seed, sum_threshold, sum_scale, is_wide, threads);
    kernels->enter(&sizes, kept.normed, inner_weight, vector[INNER_BIAS], kept.inner, kept.active,
                   room);
    kernels->leave(&sizes, kept.active, outer_weight, kept.outer, room);
    residual_norm_forward(kept.outer, vector[OUTER_BIAS], kept.normed, vector[SECOND_WEIGHT],
                          vector[SECOND_BIAS], next, kept.second_means, kept.second_factors, R, D,
                          second_eps, second_seed, sum_threshold, sum_scale, is_wide, threads);
}

/* The gradients where `above`, [R, D], is that of the next hidden states: of the hidden states, of
   their type, of the four weights, and of the vectors, one after the other in `vector_gradients`.
   That of the hidden states is a part of itself where nobody wants it. */
void encoder_layer_backward(
    const void *above, const void *hidden, const float *query_key_value_weight,
    const float *attended_weight, const float *inner_weight, const float *outer_weight,
    const int32_t *cu_seqlens, char *kept_room, char *scratch, void *hidden_gradient,
    float *query_key_value_gradient, float *attended_gradient, float *inner_gradient,
    float *outer_gradient, float *vector_gradients, int64_t R, int64_t D, int64_t F, int64_t N,
    int64_t B, int64_t S, int64_t is_wide, int64_t more, int64_t causal, float query_scale,
    int64_t seed, int64_t threshold, float scale, int64_t first_seed, int64_t second_seed,
    int64_t sum_threshold, float sum_scale, int64_t wants_hidden, int64_t threads) {
    const LayerKernels *kernels = kernels_for(is_wide);
    const Sizes sizes = {R, D, F, N, B, S, threads};
    const Attention attention = {cu_seqlens, more, causal, query_scale, seed, threshold, scale};
    Kept kept;
    Passing passing;
    divide_kept((uintptr_t)kept_room, kernels, &sizes, &kept, 1);
    divide_passing((uintptr_t)scratch, kernels, &sizes, &passing);
    float **vector = kept.vectors, **sums = passing.sums;
    for (int i = 0; i < VECTORS; i++)
        memset(sums[i], 0, (size_t)bytes_of(threads * length_of(&sizes, i), 1));
    char *room = passing.room;

    /* The feed-forward block, and the sum behind it. Without dropout a sum's two gradients are the
       same numbers, which a product is added to in place: what else needs them comes before. */
    void *values = sum_threshold == 0 ? passing.residual : passing.values;
    residual_norm_backward(above, kept.outer, vector[OUTER_BIAS], kept.normed,
                           vector[SECOND_WEIGHT], kept.second_means, kept.second_factors, values,
                           passing.residual, sums[SECOND_WEIGHT], sums[SECOND_BIAS],
                           sums[OUTER_BIAS], R, D, second_seed, sum_threshold, sum_scale, is_wide,
                           threads);
    kernels->leave_backward(&sizes, values, outer_weight, vector[INNER_BIAS], kept.inner,
                            kept.active, passing.wide, outer_gradient, sums[INNER_BIAS], room);
    kernels->enter_backward(&sizes, passing.wide, inner_weight, kept.normed, passing.residual,
                            inner_gradient, room);

    /* Attention, and the sum behind it. */
    values = sum_threshold == 0 ? hidden_gradient : passing.values;
    residual_norm_backward(passing.residual, kept.attended, vector[ATTENDED_BIAS], hidden,
                           vector[FIRST_WEIGHT], kept.first_means, kept.first_factors, values,
                           hidden_gradient, sums[FIRST_WEIGHT], sums[FIRST_BIAS],
                           sums[ATTENDED_BIAS], R, D, first_seed, sum_threshold, sum_scale,
                           is_wide, threads);
    kernels->product_backward(&sizes, values, attended_weight, passing.context, 0, D, D, room);
    kernels->weight_gradient(&sizes, values, kept.context, attended_gradient, D, D, room);
    kernels->attend_backward(&sizes, &attention, kept.query_key_value,
                             vector[QUERY_KEY_VALUE_BIAS], kept.probabilities, passing.context,
                             passing.wide, sums[QUERY_KEY_VALUE_BIAS], room);
    if (wants_hidden)
        kernels->product_backward(&sizes, passing.wide, query_key_value_weight, hidden_gradient, 1,
                                  3 * D, D, room);
    kernels->weight_gradient(&sizes, passing.wide, hidden, query_key_value_gradient, 3 * D, D,
                             room);

    for (int i = 0; i < VECTORS; i++) {
        int64_t length = length_of(&sizes, i);
        for (int64_t c = 0; c < length; c++) {
            float sum = 0;
            for (int64_t part = 0; part < threads; part++) sum += sums[i][part * length + c];
            vector_gradients[c] = sum;
        }
        vector_gradients += length;
    }
}
