/* Drawing the parameters of a model.
 *
 * pytorch          weight and bias uniform in ±1/sqrt(fan_in) (Kaiming's uniform rule with a = sqrt 5)
 * kaiming_uniform  weight uniform in ±sqrt(6/fan_in)             (He et al. 2015, gain of ReLU)
 * kaiming_normal   weight normal, deviation sqrt(2/fan_in)
 * xavier_uniform   weight uniform in ±sqrt(6/(fan_in + fan_out)) (Glorot and Bengio 2010)
 * xavier_normal    weight normal, deviation sqrt(2/(fan_in + fan_out))
 * normal           weight normal, deviation std
 * Biases of all but the first: normal with deviation bias_std, zero by default.
 * The numbers of a tensor are a stream of their own, keyed by seed, layer and tensor. */
#include "base/math.h"
#include "graph/graph.h"

static void fill_uniform(float *values, size_t n, double bound, ln_random *random) {
    for (size_t i = 0; i < n; i++) values[i] = (float)(bound * (2 * ln_random_uniform(random) - 1));
}

static void fill_normal(float *values, size_t n, double std, ln_random *random) {
    for (size_t i = 0; i < n; i++) values[i] = std > 0 ? (float)(std * ln_random_normal(random)) : 0.0F;
}

static void draw(const ln_param *param, const ln_init *init, float *values, ln_random *random) {
    const double fan_in = (double)param->fan_in, fans = fan_in + (double)param->fan_out;
    if (param->is_constant)
        for (size_t i = 0; i < param->count; i++) values[i] = (float)param->constant;
    else if (init->kind == LN_INIT_PYTORCH) fill_uniform(values, param->count, 1 / ln_sqrt(fan_in), random);
    else if (param->is_bias) fill_normal(values, param->count, init->bias_std, random);
    else if (init->kind == LN_INIT_KAIMING_UNIFORM) fill_uniform(values, param->count, ln_sqrt(6 / fan_in), random);
    else if (init->kind == LN_INIT_XAVIER_UNIFORM) fill_uniform(values, param->count, ln_sqrt(6 / fans), random);
    else
        fill_normal(values, param->count,
                    init->kind == LN_INIT_KAIMING_NORMAL  ? ln_sqrt(2 / fan_in)
                    : init->kind == LN_INIT_XAVIER_NORMAL ? ln_sqrt(2 / fans)
                                                          : init->std,
                    random);
}

ln_status ln_model_initialize(ln_model *model, uint64_t seed, ln_error *error) {
    const ln_status status = ln_model_status(model, error);
    if (status != LN_OK) return status;
    const uint64_t mode = ln_fp_enter();
    for (size_t i = 0; i < model->n_nodes; i++)
        for (size_t k = 0; k < ln_node_tensors(model->node[i]); k++) {
            ln_random random = ln_random_at(seed, LN_RANDOM_INIT, (uint32_t)i, k);
            draw(&model->node[i]->param[k], &model->node[i]->init, model->values[i][k], &random);
        }
    ln_fp_leave(mode);
    return LN_OK;
}
