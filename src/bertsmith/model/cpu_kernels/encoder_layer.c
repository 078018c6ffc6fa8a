/* An encoder layer, forward and backward in one call each: its kernels one after the other.

   Between two kernels Python takes 0.1 to 0.5 ms, the longer the more of the caches a kernel has
   used, and the other threads fall asleep: 60 ms of a step of BERT-base's 1,280. */
#include "kernels.h"
#include "tiles.h"

#ifdef HAS_TILES

/* Sizes: R rows of hidden states, of which some behind the last token, D hidden, F intermediate, N
   heads, B sequences, S the longest's length in steps of 32. */
typedef struct {
    int64_t R, D, F, N, B, S, threads;
} Sizes;

/* A layer's biases and LayerNorm weights, in the order in which their gradients come. */
enum {
    QUERY_KEY_VALUE_BIAS, ATTENDED_BIAS, FIRST_WEIGHT, FIRST_BIAS, INNER_BIAS, OUTER_BIAS,
    SECOND_WEIGHT, SECOND_BIAS, VECTORS
};

/* What backward needs of forward: the vectors as they were used, and what each kernel made. */
typedef struct {
    float *vectors[VECTORS], *first_means, *first_factors, *second_means, *second_factors;
    bf16 *query_key_value, *probabilities, *context, *attended, *normed, *inner, *active, *outer;
} Kept;

/* What backward needs for itself. `wide` holds the gradient of what is inside the feed-forward block,
   then that of queries, keys and values. */
typedef struct {
    float *sums[VECTORS]; /* [threads, length of the vector] */
    bf16 *values, *residual, *context, *wide;
    void *room;
} Passing;

static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t length_of(const Sizes *sizes, int vector) {
    return vector == QUERY_KEY_VALUE_BIAS ? 3 * sizes->D
           : vector == INNER_BIAS         ? sizes->F
                                          : sizes->D;
}

/* The next piece of so many bytes; addresses are numbers here, so that a walk from 0 tells how many
   there are in all. */
static void *take(uintptr_t *at, int64_t bytes) {
    uintptr_t here = *at;
    *at += (uintptr_t)(parts_of(bytes, 64) * 64);
    return (void *)here;
}

static float *floats(uintptr_t *at, int64_t number) {
    return take(at, number * (int64_t)sizeof(float));
}

static bf16 *numbers(uintptr_t *at, int64_t number) {
    return take(at, number * (int64_t)sizeof(bf16));
}

/* Rows of what stands in blocks. */
static int64_t whole(int64_t rows) { return steps_of(rows) * EDGE; }

/* Where there will be no backward, one place serves several in turn, and nobody reads the
   probabilities or what is in front of GELU again. */
static uintptr_t divide_kept(uintptr_t at, const Sizes *sizes, Kept *kept, int64_t is_needed) {
    int64_t R = sizes->R, D = sizes->D, F = sizes->F;
    for (int i = 0; i < VECTORS; i++) kept->vectors[i] = floats(&at, length_of(sizes, i));
    kept->first_means = floats(&at, R);
    kept->first_factors = floats(&at, R);
    kept->second_means = floats(&at, R);
    kept->second_factors = floats(&at, R);
    if (!is_needed) {
        kept->query_key_value = numbers(&at, larger(whole(R) * F, R * 3 * D));
        kept->inner = kept->active = kept->query_key_value;
        kept->probabilities = NULL;
        kept->context = kept->outer = numbers(&at, R * D);
        kept->attended = numbers(&at, R * D);
        kept->normed = numbers(&at, R * D);
        return at;
    }
    kept->query_key_value = numbers(&at, R * 3 * D);
    kept->probabilities = numbers(&at, sizes->B * sizes->N * sizes->S * sizes->S);
    kept->context = numbers(&at, R * D);
    kept->attended = numbers(&at, R * D);
    kept->normed = numbers(&at, R * D);
    kept->inner = numbers(&at, whole(R) * F);
    kept->active = numbers(&at, whole(R) * F);
    kept->outer = numbers(&at, R * D);
    return at;
}

static int64_t product_room(int64_t columns, int64_t length) {
    return (columns + EDGE) * length * (int64_t)sizeof(bf16);
}

static int64_t gradient_room(int64_t N, int64_t K, int64_t threads) {
    return weight_gradient_room(N, K, threads) * (int64_t)sizeof(bf16);
}

/* Bytes of scratch that the most demanding of the kernels needs. */
static int64_t room_of(const Sizes *sizes) {
    int64_t D = sizes->D, F = sizes->F, threads = sizes->threads;
    int64_t room = threads * attention_room(sizes->S, D / sizes->N);
    room = larger(room, larger(product_room(3 * D, D), product_room(D, 3 * D)));
    room = larger(room, larger(product_room(F, D), product_room(D, F)));
    room = larger(room, larger(gradient_room(F, D, threads), gradient_room(D, F, threads)));
    return larger(room, larger(gradient_room(3 * D, D, threads), gradient_room(D, D, threads)));
}

static uintptr_t divide_passing(uintptr_t at, const Sizes *sizes, Passing *passing) {
    int64_t R = sizes->R, D = sizes->D;
    for (int i = 0; i < VECTORS; i++)
        passing->sums[i] = floats(&at, sizes->threads * length_of(sizes, i));
    passing->values = numbers(&at, R * D);
    passing->residual = numbers(&at, R * D);
    passing->context = numbers(&at, R * D);
    passing->wide = numbers(&at, larger(whole(R) * sizes->F, R * 3 * D));
    passing->room = take(&at, room_of(sizes));
    return at;
}

/* Bytes that forward leaves for backward; or needs, where there will be none. */
int64_t encoder_layer_kept(int64_t R, int64_t D, int64_t F, int64_t N, int64_t B, int64_t S,
                           int64_t is_needed) {
    Sizes sizes = {R, D, F, N, B, S, 1};
    Kept kept;
    return (int64_t)divide_kept(0, &sizes, &kept, is_needed);
}

/* Bytes of scratch, forward or backward. */
int64_t encoder_layer_scratch(int64_t R, int64_t D, int64_t F, int64_t N, int64_t B, int64_t S,
                              int64_t is_backward, int64_t threads) {
    Sizes sizes = {R, D, F, N, B, S, threads};
    Passing passing;
    return is_backward ? (int64_t)divide_passing(0, &sizes, &passing) : room_of(&sizes);
}

/* As `quiet` in running.py. */
static void copy_quietly(const float *from, int64_t length, float *to) {
    for (int64_t i = 0; i < length; i++) to[i] = from[i] == from[i] ? from[i] : NAN;
}

/* The next hidden states, [R, D], of those before; `more` rows behind the last token mean nothing.

   Weights lie as linear layers have them. Dropout comes as a seed for each place, a threshold and a
   scale: of attention's probabilities, and in front of both sums. What is kept is for backward, if
   that needs it. */
void encoder_layer_forward(
    const bf16 *hidden, const float *query_key_value_weight, const float *query_key_value_bias,
    const float *attended_weight, const float *attended_bias, const float *first_weight,
    const float *first_bias, const float *inner_weight, const float *inner_bias,
    const float *outer_weight, const float *outer_bias, const float *second_weight,
    const float *second_bias, const int32_t *cu_seqlens, bf16 *next, char *kept_room,
    char *scratch, int64_t R, int64_t D, int64_t F, int64_t N, int64_t B, int64_t S, int64_t more,
    int64_t causal, float query_scale, int64_t seed, int64_t threshold, float scale,
    int64_t first_seed, int64_t second_seed, int64_t sum_threshold, float sum_scale,
    float first_eps, float second_eps, int64_t is_needed, int64_t threads) {
    Sizes sizes = {R, D, F, N, B, S, threads};
    Kept kept;
    divide_kept((uintptr_t)kept_room, &sizes, &kept, is_needed);
    const float *vectors[VECTORS] = {query_key_value_bias, attended_bias, first_weight,
                                     first_bias,           inner_bias,    outer_bias,
                                     second_weight,        second_bias};
    for (int i = 0; i < VECTORS; i++)
        copy_quietly(vectors[i], length_of(&sizes, i), kept.vectors[i]);
    float **vector = kept.vectors;
    bf16 *room = (bf16 *)scratch;
    product_alone(hidden, query_key_value_weight, kept.query_key_value, room, R, 3 * D, D, 0, 1,
                  threads);
    attention_forward(kept.query_key_value, vector[QUERY_KEY_VALUE_BIAS], kept.probabilities,
                      kept.context, cu_seqlens, scratch, B, N, S, D / N, more, causal, query_scale,
                      seed, threshold, scale, threads);
    product_alone(kept.context, attended_weight, kept.attended, room, R, D, D, 0, 1, threads);
    residual_norm_forward(kept.attended, vector[ATTENDED_BIAS], hidden, vector[FIRST_WEIGHT],
                          vector[FIRST_BIAS], kept.normed, kept.first_means, kept.first_factors, R,
                          D, first_eps, first_seed, sum_threshold, sum_scale, 0, threads);
    product_gelu(kept.normed, inner_weight, vector[INNER_BIAS], kept.inner, kept.active, room, R, F,
                 D, threads);
    product_alone(kept.active, outer_weight, kept.outer, room, R, D, F, 1, 1, threads);
    residual_norm_forward(kept.outer, vector[OUTER_BIAS], kept.normed, vector[SECOND_WEIGHT],
                          vector[SECOND_BIAS], next, kept.second_means, kept.second_factors, R, D,
                          second_eps, second_seed, sum_threshold, sum_scale, 0, threads);
}

/* The gradients where `above`, [R, D], is that of the next hidden states: of the hidden states, in
   bf16, of the four weights, and of the vectors, one after the other in `vector_gradients`. That of
   the hidden states is a part of itself where nobody wants it. */
void encoder_layer_backward(
    const bf16 *above, const bf16 *hidden, const float *query_key_value_weight,
    const float *attended_weight, const float *inner_weight, const float *outer_weight,
    const int32_t *cu_seqlens, char *kept_room, char *scratch, bf16 *hidden_gradient,
    float *query_key_value_gradient, float *attended_gradient, float *inner_gradient,
    float *outer_gradient, float *vector_gradients, int64_t R, int64_t D, int64_t F, int64_t N,
    int64_t B, int64_t S, int64_t more, int64_t causal, float query_scale, int64_t seed,
    int64_t threshold, float scale, int64_t first_seed, int64_t second_seed,
    int64_t sum_threshold, float sum_scale, int64_t wants_hidden, int64_t threads) {
    Sizes sizes = {R, D, F, N, B, S, threads};
    Kept kept;
    Passing passing;
    divide_kept((uintptr_t)kept_room, &sizes, &kept, 1);
    divide_passing((uintptr_t)scratch, &sizes, &passing);
    float **vector = kept.vectors, **sums = passing.sums;
    for (int i = 0; i < VECTORS; i++)
        memset(sums[i], 0, sizeof(float) * (size_t)(threads * length_of(&sizes, i)));
    bf16 *room = passing.room, *wide = passing.wide;

    /* The feed-forward block, and the sum behind it. Without dropout a sum's two gradients are the
       same numbers, which a product is added to in place: what else needs them comes before. */
    bf16 *values = sum_threshold == 0 ? passing.residual : passing.values;
    residual_norm_backward(above, kept.outer, vector[OUTER_BIAS], kept.normed,
                           vector[SECOND_WEIGHT], kept.second_means, kept.second_factors, values,
                           passing.residual, sums[SECOND_WEIGHT], sums[SECOND_BIAS],
                           sums[OUTER_BIAS], R, D, second_seed, sum_threshold, sum_scale, 0,
                           threads);
    product_gelu_backward(values, outer_weight, vector[INNER_BIAS], kept.inner, wide,
                          sums[INNER_BIAS], room, R, F, D, threads);
    weight_gradient(values, kept.active, outer_gradient, room, R, D, F, 0, 1, threads);
    product_added(wide, inner_weight, passing.residual, passing.residual, room, R, D, F, 1,
                  threads);
    weight_gradient(wide, kept.normed, inner_gradient, room, R, F, D, 1, 0, threads);

    /* Attention, and the sum behind it. */
    values = sum_threshold == 0 ? hidden_gradient : passing.values;
    residual_norm_backward(passing.residual, kept.attended, vector[ATTENDED_BIAS], hidden,
                           vector[FIRST_WEIGHT], kept.first_means, kept.first_factors, values,
                           hidden_gradient, sums[FIRST_WEIGHT], sums[FIRST_BIAS],
                           sums[ATTENDED_BIAS], R, D, first_seed, sum_threshold, sum_scale, 0,
                           threads);
    product_alone(values, attended_weight, passing.context, room, R, D, D, 0, 0, threads);
    weight_gradient(values, kept.context, attended_gradient, room, R, D, D, 0, 0, threads);
    attention_backward(kept.query_key_value, vector[QUERY_KEY_VALUE_BIAS], kept.probabilities,
                       passing.context, wide, sums[QUERY_KEY_VALUE_BIAS], cu_seqlens,
                       (char *)passing.room, B, N, S, D / N, more, causal, query_scale, seed,
                       threshold, scale, threads);
    if (wants_hidden)
        product_added(wide, query_key_value_weight, hidden_gradient, hidden_gradient, room, R, D,
                      3 * D, 0, threads);
    weight_gradient(wide, hidden, query_key_value_gradient, room, R, 3 * D, D, 0, 0, threads);

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
#endif
