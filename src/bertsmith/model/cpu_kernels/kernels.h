/* The kernels that an encoder layer is made of; what they do is said where they are. */
#ifndef BERTSMITH_KERNELS_H
#define BERTSMITH_KERNELS_H

#include "common.h"

void product_alone(const bf16 *values, const float *weight, bf16 *output, bf16 *scratch, int64_t T,
                   int64_t columns, int64_t length, int64_t in_blocks, int64_t is_transposed,
                   int64_t threads);
void product_added(const bf16 *values, const float *weight, bf16 *others, bf16 *output,
                   bf16 *scratch, int64_t T, int64_t columns, int64_t length, int64_t in_blocks,
                   int64_t threads);
void product_gelu(const bf16 *values, const float *weight, const float *bias, bf16 *kept,
                  bf16 *output, bf16 *scratch, int64_t T, int64_t columns, int64_t length,
                  int64_t threads);
void product_gelu_backward(const bf16 *above, const float *weight, const float *bias, bf16 *kept,
                           bf16 *gradient, float *bias_sums, bf16 *scratch, int64_t T,
                           int64_t columns, int64_t length, int64_t threads);

int64_t weight_gradient_room(int64_t N, int64_t K, int64_t threads);
void weight_gradient(const bf16 *above, const bf16 *values, float *gradient, bf16 *room, int64_t T,
                     int64_t N, int64_t K, int64_t above_in_blocks, int64_t values_in_blocks,
                     int64_t threads);

int64_t attention_room(int64_t S, int64_t H);
void attention_forward(const bf16 *packed, const float *bias, bf16 *probabilities, bf16 *output,
                       const int32_t *cu_seqlens, char *scratch, int64_t B, int64_t N, int64_t S,
                       int64_t H, int64_t rows, int64_t causal, float query_scale, int64_t seed,
                       int64_t threshold, float scale, int64_t threads);
void attention_backward(const bf16 *packed, const float *bias, const bf16 *probabilities,
                        const bf16 *above, bf16 *gradient, float *bias_sums,
                        const int32_t *cu_seqlens, char *scratch, int64_t B, int64_t N, int64_t S,
                        int64_t H, int64_t rows, int64_t causal, float query_scale, int64_t seed,
                        int64_t threshold, float scale, int64_t threads);

int64_t float_product_room(int64_t columns);
void float_product(const float *left, int64_t left_row, int64_t left_column, const float *right,
                   int64_t right_row, int64_t right_column, const float *start,
                   int64_t start_stride, float *sums, int64_t stride, int64_t rows,
                   int64_t columns, int64_t length, float *packed, int64_t threads);

int64_t float_attending_room(int64_t S, int64_t H);
int64_t float_attention_room(int64_t S, int64_t H);
void float_attention_forward(const float *packed, const float *bias, float *probabilities,
                             float *output, const int32_t *cu_seqlens, char *scratch, int64_t B,
                             int64_t N, int64_t S, int64_t H, int64_t rows, int64_t causal,
                             float query_scale, int64_t seed, int64_t threshold, float scale,
                             int64_t threads);
void float_attention_backward(const float *packed, const float *bias, const float *probabilities,
                              const float *above, float *gradient, float *bias_sums,
                              const int32_t *cu_seqlens, char *scratch, int64_t B, int64_t N,
                              int64_t S, int64_t H, int64_t rows, int64_t causal,
                              float query_scale, int64_t seed, int64_t threshold, float scale,
                              int64_t threads);

void gelu_forward(const void *values, const float *bias, void *output, int64_t T, int64_t F,
                  int64_t is_wide, int64_t threads);
void gelu_backward(const void *grad_output, const void *values, const float *bias, void *gradient,
                   float *bias_sums, int64_t T, int64_t F, int64_t is_wide, int64_t threads);

void residual_norm_forward(const void *values, const float *values_bias, const void *residual,
                           const float *weight, const float *bias, void *output, float *means,
                           float *factors, int64_t T, int64_t D, float eps, int64_t seed,
                           int64_t threshold, float scale, int64_t is_wide, int64_t threads);
void residual_norm_backward(const void *grad_output, const void *values, const float *values_bias,
                            const void *residual, const float *weight, const float *means,
                            const float *factors, void *grad_values, void *grad_residual,
                            float *weight_sums, float *bias_sums, float *values_bias_sums,
                            int64_t T, int64_t D, int64_t seed, int64_t threshold, float scale,
                            int64_t is_wide, int64_t threads);

#endif
